from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge_daemon.audio import decoders, opening
from bridge_daemon.audio.region import check_region, extract, open_audio, probe
from bridge_daemon.audio.wav import Bext, WavWriter
from bridge_daemon.errors import SourceRefused
from bridge_daemon.util import files
from tests.audio.sounds import LOSSLESS, LOSSY, bursts, integers, lag, noise, run, write

RATES = (22_050, 44_100, 48_000, 96_000)
KINDS = [(form, subtype) for form, subtype, _ in (*LOSSLESS, *LOSSY)]
MUSIC = sorted(Path(pytest.importorskip("immich_memories_music").__file__).parent.rglob("*.opus"))


def refusal(path: Path, start: float | None = None, end: float | None = None, longest: float = 190.0) -> str:
    with pytest.raises(SourceRefused) as caught:
        check_region(path, start, end, longest=longest)
    assert caught.value.code == "E-SOURCE"
    assert caught.value.charge == "none"
    return caught.value.message


class TestProbe:
    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize(("form", "subtype", "ending"), LOSSLESS)
    def test_lossless(self, folder, form, subtype, ending, rate, channels):
        path = write(folder / f"Größe 1.{ending}", noise(1200, channels), rate, form, subtype)
        info = probe(path)
        assert (info.path, info.container, info.subtype) == (path, form, subtype)
        assert (info.rate, info.channels, info.frames) == (rate, channels, 1200)
        assert info.seconds == 1200 / rate
        assert info.time_reference is None

    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize(("form", "subtype", "ending"), LOSSY)
    def test_lossy(self, folder, form, subtype, ending, channels):
        path = write(folder / f"x.{ending}", noise(48_000, channels), 48_000, form, subtype)
        info = probe(path)
        assert (info.container, info.subtype, info.channels, info.frames) == (form, subtype, channels, 48_000)

    @pytest.mark.parametrize("most_bytes", [0xFFFFFFFF, 1000], ids=["RIFF", "RF64"])
    def test_time_stamp(self, folder, most_bytes):
        path = folder / "x.wav"
        with path.open("wb") as file:
            stamp = Bext(time_reference=1 << 40)
            with WavWriter(file, rate=48_000, channels=2, bext=stamp, most_bytes=most_bytes) as writer:
                writer.write(noise(4800))
        assert probe(path).time_reference == 1 << 40

    def test_the_name_does_not_decide(self, folder):
        path = write(folder / "take.raw", noise(4800), 48_000, "FLAC", "PCM_16")
        assert probe(path).container == "FLAC"


class TestNotAudio:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty"),
            (b"<!DOCTYPE html><html></html>" * 50, "web page"),
            (b'\xef\xbb\xbf{"error": "gone"}' * 50, "JSON"),
            (bytes(10_000), "unknown format"),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----\n" * 50, "unknown format"),
            (b"RIFF\x10\0\0\0AVI LIST" + bytes(99), "unknown format"),
            (b"RIFF\x10\0\0\0WAVE", "no sound"),
            (b"RIFF\x10\0\0\0WAVEdata\x04\0\0\0abcd", "damaged header"),
            (b"RIFF\x10\0\0\0WAVEfmt \x04\0\0\0abcd", "damaged header"),
            (b"FORM\0\0\0\x10AIFFCOMM", "no sound"),
            (b"FORM\0\0\0\x10ILBMCOMM", "unknown format"),
            (b"caff\0\1\0\0", "no sound"),
            (b"caff\0\1\0\0free" + (1 << 62).to_bytes(8, "big") + bytes(50), "no sound"),  # points past any disk
            (b"caff\0\1\0\0free" + b"\xff" * 50, "no sound"),
            (b"fLaC" + bytes(100), "header"),
            (b"OggS" + bytes(100), "without Vorbis, Opus or FLAC"),
            (b"ID3\x04\0\0\0\0\0\x10" + bytes(5000), "MPEG"),
            (b"\xff\xfb\x90\x64" + bytes(50), "MPEG"),
            (b"\xff\xe0" + bytes(5000), "MPEG"),
        ],
    )
    def test_content(self, folder, content, words):
        path = folder / "innocent.wav"
        path.write_bytes(content)
        message = refusal(path)
        assert "innocent.wav" in message
        assert words in message

    @pytest.mark.parametrize(
        ("form", "subtype"),
        [
            *[("WAV", s) for s in ("GSM610", "G721_32", "NMS_ADPCM_32")],
            *[("W64", s) for s in ("GSM610",)],
            *[("AIFF", s) for s in ("IMA_ADPCM", "GSM610")],
            *[("VOC", "PCM_16"), ("SVX", "PCM_16"), ("PAF", "PCM_16"), ("NIST", "PCM_16")],
            *[("MAT5", "PCM_16"), ("IRCAM", "PCM_16"), ("XI", "DPCM_16"), ("PVF", "PCM_16")],
        ],
    )
    def test_codings_that_are_not_let_through(self, folder, form, subtype, monkeypatch):
        rate = 44_100 if form == "XI" else 8000
        path = write(folder / "x.wav", noise(8000, 1), rate, form, subtype)
        # and the decoder does not even see them
        monkeypatch.setattr(decoders.soundfile, "SoundFile", None)
        with pytest.raises(SourceRefused, match="not audio that can be read"), opening.open_audio(path):
            pass

    def test_missing(self, folder):
        assert "cannot be opened" in refusal(folder / "missing.wav")

    def test_folder(self, folder):
        assert "not a file" in refusal(folder) or "cannot be opened" in refusal(folder)

    @pytest.mark.posix("Windows has no FIFO files")
    def test_a_fifo_does_not_hang(self, folder):
        os.mkfifo(folder / "x.wav")
        done = threading.Event()

        def look() -> None:
            refusal(folder / "x.wav")
            done.set()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        assert done.wait(2)
        thread.join(2)

    @pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed here")
    def test_a_link_that_came_after_the_path_was_resolved(self, folder):
        write(folder / "a.wav", noise(4800), 48_000)
        (folder / "b.wav").symlink_to(folder / "a.wav")
        assert "cannot be opened" in refusal(folder / "b.wav")

    def test_too_large(self, folder, monkeypatch):
        monkeypatch.setattr(opening, "MAX_BYTES", 1000)
        with (
            pytest.raises(SourceRefused, match="larger than"),
            opening.open_audio(write(folder / "a.wav", noise(4800), 48_000)),
        ):
            pass

    @pytest.mark.parametrize(("offset", "value"), [(22, b"\0\0"), (22, b"\xff\xff"), (24, bytes(4)), (24, b"\xff" * 4)])
    def test_absurd_header(self, folder, offset, value):
        path = write(folder / "a.wav", noise(4800), 48_000)
        data = bytearray(path.read_bytes())
        data[offset : offset + len(value)] = value
        path.write_bytes(data)
        assert "not audio that can be read" in refusal(path)

    def test_no_frames(self, folder):
        assert "length is 0" in refusal(write(folder / "a.wav", noise(0), 48_000))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
    def test_no_numbers(self, folder, subtype, value):
        sound = noise(48_000)
        sound[30_000, 1] = value
        path = write(folder / "a.wav", sound, 48_000, "WAV", subtype)
        assert "no numbers" in refusal(path)
        check_region(path, 0, 0.5, longest=190)  # the part before is sound


class TestDamage:
    """A file that holds less than its header claims: what is there can be used, the rest is refused."""

    @pytest.mark.parametrize(("form", "subtype", "ending"), [*LOSSLESS, *LOSSY])
    def test_truncated(self, folder, form, subtype, ending):
        path = write(folder / f"x.{ending}", noise(96_000), 48_000, form, subtype)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * 0.6)])
        if form != "CAF":  # which libsndfile does not open at all then
            region = check_region(path, 0.1, 0.7, longest=190)
            assert region.frames == 28_800
        assert refusal(path, 0.1, 1.9)

    @pytest.mark.parametrize("declared", [0, 0xFFFFFFFF])
    @pytest.mark.parametrize("riff", [0, 0xFFFFFFFF])
    def test_wav_from_a_pipe(self, folder, declared, riff):
        path = write(folder / "x.wav", noise(48_000), 48_000, subtype="PCM_24")
        data, before = bytearray(path.read_bytes()), integers(path, "int32")
        data[4:8] = riff.to_bytes(4, "little")
        at = data.index(b"data") + 4
        data[at : at + 4] = declared.to_bytes(4, "little")
        path.write_bytes(data)
        with open_audio(path) as audio:
            assert audio.missing is None
            back = np.concatenate(list(audio.blocks()))
        assert np.array_equal(back * 2**31, before)

    def test_wav_with_an_empty_sound_and_texts_behind_is_empty(self, folder):
        path = folder / "x.wav"
        path.write_bytes(write(path, noise(0), 48_000).read_bytes() + b"LIST\x04\0\0\0INFO")
        data = bytearray(path.read_bytes())
        data[4:8] = (len(data) - 8).to_bytes(4, "little")
        path.write_bytes(data)
        assert "length is 0" in refusal(path)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
    @given(
        kind=st.sampled_from(KINDS),
        changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
        header=st.booleans(),
        cut=st.floats(0.02, 1),
    )
    def test_any_damage_is_refused_in_words_or_harmless(self, folder, kind, changes, header, cut):
        path = folder / f"{kind[1]}.sound"
        whole = folder / f"{kind[1]}.whole"
        if not whole.exists():
            write(whole, noise(9600), 48_000, *kind)
        data = bytearray(whole.read_bytes())
        for where, value in changes:
            data[int(where * (min(200, len(data)) - 1 if header else len(data) - 1))] = value
        path.write_bytes(data[: int(len(data) * cut)])
        try:
            region = check_region(path, None, None, longest=190)
        except SourceRefused as error:
            assert "sound" in error.message or "longer" in error.message  # the file is named
        else:
            assert math.isfinite(region.peak)

    def test_values_beyond_all_measure_are_harmless(self, folder):
        sound = noise(48_000)
        sound[100, 0] = 1e200
        region = check_region(write(folder / "a.wav", sound, 48_000, "WAV", "DOUBLE"), None, None, longest=190)
        assert region.peak == 1e200


class TestLimits:
    @pytest.fixture
    def path(self, folder: Path) -> Path:
        return write(folder / "a.wav", noise(96_000), 48_000)  # 2 s

    def test_none_is_the_whole(self, path):
        region = check_region(path, None, None, longest=190)
        assert (region.start, region.end, region.seconds, region.first, region.frames) == (0, 2, 2, 0, 96_000)

    def test_an_end_within_a_millisecond_is_clamped(self, path):
        region = check_region(path, 1, 2.0009, longest=190)
        assert (region.end, region.frames) == (2, 48_000)

    @pytest.mark.parametrize(
        ("start", "end", "words"),
        [
            (1, 2.002, "ends at 2.002 s, and"),
            (2, None, "starts at 2.000 s, and"),
            (5, 6, "starts at 5.000 s, and"),
            (1, 1, "before it starts"),
            (1.5, 1, "before it starts"),
            (1, 1.049, "at least 0.05 s"),
            (-1, 1, "0 or more"),
            (math.nan, 1, "0 or more"),
            (0, math.inf, "0 or more"),
        ],
    )
    def test_faults(self, path, start, end, words):
        assert words in refusal(path, start, end)

    def test_too_long(self, path):
        assert "takes at most 1.5 s" in refusal(path, 0, 1.51, longest=1.5)
        check_region(path, 0.25, 1.75, longest=1.5)

    def test_silent(self, folder):
        sound = noise(96_000, level=0.2)
        sound[:48_000] *= 10 ** (-90 / 20)
        path = write(folder / "a.wav", sound, 48_000, subtype="FLOAT")
        assert "silent" in refusal(path, 0, 1)
        check_region(path, 0, 1.01, longest=190)

    @given(rate=st.sampled_from(RATES), frames=st.integers(20_000, 10_000_000), data=st.data())
    def test_any_region_on_frames_keeps_its_frames(self, rate, frames, data):
        from bridge_daemon.audio.region import _frames, _limits

        info = opening.SourceInfo(Path("x"), "WAV", "PCM_16", rate, 2, frames, frames / rate)
        first = data.draw(st.integers(0, frames - 5000))
        last = data.draw(st.integers(first + 5000, frames))
        begin, finish = _limits(info, first / rate, last / rate)
        assert _frames(info, begin, finish, 1e9) == (first, last - first)
        # also when a script sent six decimals
        begin, finish = _limits(info, float(f"{first / rate:.6f}"), float(f"{last / rate:.6f}"))
        assert _frames(info, begin, finish, 1e9) == (first, last - first)


class TestExtract:
    @pytest.mark.parametrize("channels", [1, 2])
    def test_16_bit_at_the_right_rate_is_cut_bit_by_bit(self, folder, channels):
        ramp = (np.arange(88_200 * channels).reshape(-1, channels) % 60_000 - 30_000) / 32_768
        path = write(folder / "ramp.wav", ramp, 44_100)
        region = check_region(path, 12_345 / 44_100, 56_789 / 44_100, longest=190)
        found = extract(region, folder / "out.wav")
        assert np.array_equal(integers(folder / "out.wav"), integers(path)[12_345:56_789])
        assert (found.frames, found.rate, found.channels) == (56_789 - 12_345, 44_100, channels)
        assert not found.repeated
        assert found.notes == ()
        info = soundfile.info(folder / "out.wav")
        assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAV", "PCM_16", 44_100, channels)

    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize(("form", "subtype", "ending"), LOSSLESS)
    def test_every_container_depth_and_rate(self, folder, form, subtype, ending, rate, channels):
        start, end = 4800 / rate, 14_400 / rate
        path = write(folder / f"ä.{ending}", noise(19_200, channels), rate, form, subtype)
        region = check_region(path, start, end, longest=190)
        found = extract(region, folder / "out.wav")
        assert found.frames == math.floor(9600 * 44_100 / rate + 0.5)
        assert soundfile.info(folder / "out.wav").channels == channels
        if rate == 44_100:
            with soundfile.SoundFile(path) as file:
                exact = file.read(always_2d=True)[4800:14_400]
            assert np.abs(integers(folder / "out.wav") / 32_768 - exact).max() < 2 / 32_768  # dither and rounding

    @pytest.mark.parametrize("rate", [22_050, 48_000, 88_200, 96_000, 192_000])
    def test_impulses_stay_in_their_place(self, folder, rate):
        sound = np.zeros((rate, 1))
        for moment in (0.3, 0.5, 0.7):
            sound[round(moment * rate)] = 0.9
        region = check_region(write(folder / "a.wav", sound, rate, subtype="FLOAT"), 0.2, 0.9, longest=190)
        found = extract(region, folder / "out.wav")
        out = np.abs(integers(folder / "out.wav")[:, 0].astype(float))
        strongest = sorted(int(k) for k in np.argsort(out)[-3:])
        assert found.frames == 30_870
        assert strongest == [4410, 13_230, 22_050]

    @pytest.mark.parametrize(("form", "subtype", "ending"), LOSSY)
    def test_lossy_files_are_cut_at_the_right_place(self, folder, form, subtype, ending):
        sound = bursts(48_000, 4, 0.5, 1.5, 2.5, 3.2)
        path = write(folder / f"a.{ending}", sound, 48_000, form, subtype)
        extract(check_region(path, 1.25, 3, longest=190), folder / "out.wav", rate=48_000)
        out = integers(folder / "out.wav")[:, 0]
        assert len(out) == 84_000
        assert lag(sound[60_000:144_000, 0], out) == 0

    @pytest.mark.parametrize(("form", "subtype", "ending"), LOSSY)
    def test_seeking_gives_what_decoding_from_the_start_gives(self, folder, form, subtype, ending):
        path = write(folder / f"a.{ending}", noise(144_000), 48_000, form, subtype)
        with open_audio(path) as audio:
            whole = np.concatenate(list(audio.blocks()))
            for first in (1, 1151, 5000, 8375, 16_384, 16_385, 48_000, 57_663, 77_777, 143_000):
                part = np.concatenate(list(audio.blocks(first, 1000)))
                assert part.shape == (1000, 2)
                assert np.abs(part - whole[first : first + 1000]).max() < 1e-6

    def test_short_regions_are_repeated_exactly(self, folder):
        path = write(folder / "a.wav", noise(48_000), 48_000, subtype="PCM_24")
        region = check_region(path, 0, 0.7, longest=190)
        found = extract(region, folder / "out.wav", least=6)
        one = 30_870
        assert found.repeated
        assert (found.frames, found.seconds) == (9 * one, 9 * one / 44_100)
        assert "repeated 9 times" in found.notes[0]
        copies = integers(folder / "out.wav").reshape(9, one, 2)
        assert all(np.array_equal(copies[0], copy) for copy in copies[1:])

    @pytest.mark.parametrize(("frames", "repeats"), [(264_600, 1), (264_599, 2), (132_300, 2), (132_299, 3)])
    def test_repeats_reach_the_least_length(self, folder, frames, repeats):
        path = write(folder / "a.wav", noise(300_000), 44_100)
        found = extract(check_region(path, 0, frames / 44_100, longest=190), folder / "out.wav", least=6)
        assert (found.frames, found.repeated) == (frames * repeats, repeats > 1)

    @pytest.mark.parametrize("rate", [44_100, 48_000])
    def test_peaks_beyond_full_scale_are_turned_down(self, folder, rate):
        path = write(folder / "a.wav", noise(rate) * 4, rate, subtype="FLOAT")
        found = extract(check_region(path, None, None, longest=190), folder / "out.wav")
        out = integers(folder / "out.wav")
        assert 32_600 < np.abs(out.astype(int)).max() < 32_767
        assert "turned down by" in found.notes[0]

    def test_the_same_region_gives_the_same_bytes(self, folder):
        region = check_region(write(folder / "a.flac", noise(48_000), 96_000, "FLAC", "PCM_24"), 0.1, 0.4, longest=9)
        for name in ("one.wav", "two.wav"):
            extract(region, folder / name)
        assert files.same_bytes(folder / "one.wav", folder / "two.wav")

    def test_the_beat_beside_a_capture_of_live_is_no_sound(self, folder):
        """Its third channel goes from 0 to 1 again and again, much louder than the sound."""
        sound = np.column_stack([noise(88_200), np.arange(88_200) % 22_050 / 22_050])
        path = folder / "capture.wav"
        history = "A=PCM,F=44100,W=24,M=stereo,T=channel 3 is the beat of Live"
        stamp = Bext(coding_history=history)
        with path.open("wb") as file, WavWriter(file, rate=44_100, channels=3, bits=24, bext=stamp) as writer:
            writer.write(sound)
        found = extract(check_region(path, 0.5, 1.5, longest=190), folder / "out.wav")
        assert (found.channels, found.notes) == (2, ())
        sent = integers(folder / "out.wav") / 32_768
        assert np.abs(sent - sound[22_050:66_150, :2]).max() < 2 / 32_768

    @pytest.mark.parametrize(
        ("channels", "active", "left", "right"),
        [
            (4, 2, 0.707, 0),
            (6, 0, 1, 0),
            (6, 1, 0, 1),
            (6, 2, 0.707, 0.707),
            (6, 5, 0, 0.707),
            (8, 6, 1, 0),  # between left and centre
            # libsndfile gives these no speakers: they are tracks
            (3, 2, 0.707, 0),
            (5, 3, 0, 0.577),
            (7, 0, 0.5, 0),
            (7, 1, 0, 0.5),
            (16, 15, 0, 0.354),
        ],
    )
    def test_more_channels_become_stereo(self, folder, channels, active, left, right):
        sound = np.zeros((44_100, channels))
        sound[:, active] = 0.5
        path = write(folder / "a.wav", sound, 44_100, "WAVEX", "PCM_24")
        found = extract(check_region(path, None, None, longest=190), folder / "out.wav")
        level = integers(folder / "out.wav").mean(axis=0) / 32_768
        assert found.channels == 2
        assert f"mixed from {channels} channels" in found.notes[0]
        assert level == pytest.approx([left / 2, right / 2], abs=0.001)

    @pytest.mark.needs("ffmpeg", "ffmpeg")
    @pytest.mark.parametrize("coder", ["libvorbis", "libopus -mapping_family 1"])
    def test_ogg_has_its_centre_second(self, folder, coder):
        sound = np.zeros((48_000, 5))
        sound[:, 2] = 0.4 * np.sin(np.arange(48_000) / 10)  # the centre, in the order of WAV
        path = write(folder / "a.wav", sound, 48_000, "WAVEX", "PCM_16")
        run("ffmpeg", "-v", "error", "-channel_layout", "5.0", "-i", path, "-c:a", *coder.split(), folder / "a.ogg")
        extract(check_region(folder / "a.ogg", None, None, longest=190), folder / "out.wav")
        left, right = np.abs(integers(folder / "out.wav").astype(float)).mean(axis=0)
        assert left == pytest.approx(right, rel=0.02)
        assert left > 3000

    def test_an_older_target_is_replaced_and_nothing_else_stays(self, folder):
        (folder / "out.wav").write_text("older")
        region = check_region(write(folder / "a.wav", noise(9600), 48_000), None, None, longest=190)
        extract(region, folder / "out.wav")
        assert sorted(p.name for p in folder.iterdir()) == ["a.wav", "out.wav"]
        assert soundfile.info(folder / "out.wav").frames == 8820

    def test_a_full_disk_leaves_nothing_behind(self, folder, monkeypatch):
        region = check_region(write(folder / "a.wav", noise(9600), 48_000), None, None, longest=190)

        def full(_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(files, "flush_to_disk", full)
        with pytest.raises(OSError, match="No space"):
            extract(region, folder / "out.wav")
        assert [p.name for p in folder.iterdir()] == ["a.wav"]

    def test_a_file_that_changed_is_refused(self, folder):
        path = write(folder / "a.wav", noise(9600), 48_000)
        region = check_region(path, None, None, longest=190)
        write(path, noise(9700), 48_000)
        with pytest.raises(SourceRefused, match="changed"):
            extract(region, folder / "out.wav")

    @pytest.mark.parametrize("clip", MUSIC[:4], ids=lambda path: path.stem)
    def test_music(self, folder, clip):
        region = check_region(clip, 3.21, 12.34, longest=190)
        found = extract(region, folder / "out.wav", least=6)
        assert found.frames == round(9.13 * 44_100)
        assert not found.repeated
        with soundfile.SoundFile(clip) as file:
            file.seek(round(3.21 * 48_000))
            original = file.read(48_000, always_2d=True)[:, 0]
        out = integers(folder / "out.wav")[:44_100, 0] / 32_768
        # the same music: at 48 kHz again it differs by less than dither and filter do
        import soxr

        again = soxr.resample(out, 44_100, 48_000)[: len(original)]
        level = np.sqrt(np.mean((again - original)[200:-200] ** 2)) / np.sqrt(np.mean(original**2))
        assert level < 0.01
