from __future__ import annotations

import hashlib
import itertools
import math
import subprocess
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.audio import mp3
from bridge_daemon.audio import take as take_module
from bridge_daemon.audio.region import open_audio
from bridge_daemon.audio.take import TakeFile, Verified, make_take, time_reference
from bridge_daemon.audio.wav import Bext, read_bext, read_info
from bridge_daemon.errors import Undecodable
from bridge_daemon.util import files
from tests.audio.sounds import LOSSLESS, LOSSY, bursts, integers, lag, noise, run, write

STAMP = Bext(description="a prompt", originator_reference="job-1", time_reference=96_000)


def finish(original: Path, target: Path, rate: int | None = None, cut: float | None = None) -> TakeFile:
    info = {"INAM": "a prompt"}
    return make_take(original, target, rate=rate, cut_seconds=cut, bext=lambda _: STAMP, info=info)[1]


def verify(path: Path, *, declared_seconds: float | None = None) -> Verified:
    """Return what making a take proves of an original; a refused one leaves nothing behind."""
    part = path.with_name("proof.part")
    try:
        given = {"rate": None, "cut_seconds": None, "bext": lambda _: STAMP, "info": {}}
        return make_take(path, part, declared_seconds=declared_seconds, **given)[0]
    except Undecodable:
        assert not part.exists()
        raise
    finally:
        part.unlink(missing_ok=True)


def fault(path: Path, declared_seconds: float | None = None) -> str:
    with pytest.raises(Undecodable) as caught:
        verify(path, declared_seconds=declared_seconds)
    assert caught.value.charge == "confirmed"
    return caught.value.message


def sound_of(path: Path) -> np.ndarray:
    with soundfile.SoundFile(path) as file:
        return file.read(always_2d=True)


class TestVerify:
    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize(("form", "subtype", "ending"), [*LOSSLESS, *LOSSY])
    def test_whole_files(self, folder, form, subtype, ending, channels):
        path = write(folder / f"x.{ending}", noise(48_000, channels), 48_000, form, subtype)
        found = verify(path, declared_seconds=1.2)
        assert (found.container, found.subtype, found.rate) == (form, subtype, 48_000)
        assert (found.channels, found.frames, found.seconds) == (channels, 48_000, 1.0)
        assert found.encoder_delay_cut == (1105 if form == "MP3" else 0)
        assert 0.3 < found.peak < 1

    @pytest.mark.parametrize(("form", "subtype", "ending"), [*LOSSLESS, *LOSSY])
    @pytest.mark.parametrize("share", [0.98, 0.5, 0.1])
    def test_cut_off(self, folder, form, subtype, ending, share):
        path = write(folder / f"x.{ending}", noise(96_000), 48_000, form, subtype)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        fault(path)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "it is empty"),
            (b"<html><body>502 Bad Gateway</body></html>", "web page"),
            (b'{"error": "expired"}', "JSON"),
            (bytes(4096), "unknown format"),
        ],
    )
    def test_not_audio(self, folder, content, words):
        (folder / "x.mp3").write_bytes(content)
        assert words in fault(folder / "x.mp3")

    def test_missing(self, folder):
        assert "cannot be opened" in fault(folder / "x.wav")

    def test_no_numbers(self, folder):
        sound = noise(48_000)
        sound[-1, 0] = np.nan
        assert "no numbers" in fault(write(folder / "x.wav", sound, 48_000, subtype="FLOAT"))

    def test_other_length_than_the_service_says(self, folder):
        path = write(folder / "x.wav", noise(48_000), 48_000)
        assert "1.00 s long, and the service says 1.26 s" in fault(path, 1.26)
        assert "the service says 30.00 s" in fault(path, 30)
        verify(path, declared_seconds=0.75)

    def test_endless(self, folder, monkeypatch):
        monkeypatch.setattr(take_module, "LONGEST", 0.5)
        assert "which no take is" in fault(write(folder / "x.wav", noise(48_000), 48_000))

    def test_silence_is_told(self, folder):
        assert verify(write(folder / "x.wav", np.zeros((4800, 2)), 48_000)).notes == ("the take is silent",)

    def test_wav_from_a_pipe_is_whole(self, folder):
        path = write(folder / "x.wav", noise(48_000), 48_000)
        data = bytearray(path.read_bytes())
        at = data.index(b"data") + 4
        data[4:8] = data[at : at + 4] = b"\xff" * 4
        path.write_bytes(data)
        assert verify(path).frames == 48_000

    def test_ogg_without_an_end_mark(self, folder):
        """Whether it is whole, only the service can tell."""
        path = write(folder / "x.ogg", noise(96_000), 48_000, "OGG", "VORBIS")
        data = path.read_bytes()
        path.write_bytes(data[: data.rindex(b"OggS")])
        assert "lacks the mark that ends it" in fault(path)
        seconds = soundfile.info(path).duration
        assert "lacks the mark" in verify(path, declared_seconds=seconds).notes[0]
        fault(path, 2 + seconds)


class TestMp3:
    """Sample 0 of a take is sample 0 of the sound, whatever the encoder put before it and told of it."""

    RATE = 44_100

    def original(self, folder: Path, channels: int = 1) -> tuple[Path, np.ndarray]:
        sound = bursts(self.RATE, 4, 0, 1.1, 2.2, 3.7, channels=channels)
        return write(folder / "original.wav", sound, self.RATE, subtype="PCM_16"), sound[:, 0]

    def check(self, folder: Path, path: Path, sound: np.ndarray, padded: int) -> None:
        found = verify(path, declared_seconds=4)
        assert found.encoder_delay_cut == 1105
        assert found.notes[0].startswith("came as MP3; 1105 frames of encoder delay were cut")
        finish(path, folder / "take.part")
        out = sound_of(folder / "take.part")[:, 0]
        assert lag(sound, out) == 0
        assert 0 <= len(out) - len(sound) <= padded

    @pytest.mark.parametrize("channels", [1, 2])
    def test_of_libsndfile(self, folder, channels):
        _, sound = self.original(folder)
        path = write(folder / "x.mp3", np.repeat(sound[:, None], channels, axis=1), self.RATE, "MP3", "MPEG_LAYER_III")
        self.check(folder, path, sound, 0)

    @pytest.mark.needs("ffmpeg", "ffmpeg")
    @pytest.mark.parametrize("speed", [("-b:a", "128k"), ("-b:a", "320k"), ("-q:a", "2"), ("-q:a", "9")])
    @pytest.mark.parametrize("tags", [("-id3v2_version", "0"), ("-metadata", "title=" + "x" * 900)])
    @pytest.mark.parametrize("xing", ["0", "1"])
    def test_of_ffmpeg(self, folder, speed, tags, xing):
        wav, sound = self.original(folder)
        run("ffmpeg", "-v", "error", "-i", wav, *speed, *tags, "-write_xing", xing, folder / "x.mp3")
        self.check(folder, folder / "x.mp3", sound, 0 if xing == "1" else 2400)

    @pytest.mark.needs("ffmpeg", "ffmpeg")
    def test_from_a_pipe(self, folder):
        """As a service makes it that encodes while it answers: no tag, because nobody could go back to write it."""
        wav, sound = self.original(folder)
        (folder / "x.mp3").write_bytes(run("ffmpeg", "-v", "error", "-i", wav, "-q:a", "4", "-f", "mp3", "-"))
        self.check(folder, folder / "x.mp3", sound, 2400)
        assert "LAME" in verify(folder / "x.mp3").notes[0]

    @pytest.mark.needs("sox", "sox libsox-fmt-mp3")
    def test_of_sox(self, folder):
        wav, sound = self.original(folder)
        run("sox", wav, "-C", "192", folder / "x.mp3")
        self.check(folder, folder / "x.mp3", sound, 2400)

    @pytest.mark.needs("ffmpeg", "ffmpeg")
    @pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 48_000])
    @pytest.mark.parametrize("xing", ["0", "1"])
    def test_other_rates(self, folder, rate, xing):
        sound = bursts(rate, 4, 0, 1.1, 2.2, 3.7, channels=2)
        wav = write(folder / "a.wav", sound, rate)
        run("ffmpeg", "-v", "error", "-i", wav, "-b:a", "64k", "-write_xing", xing, folder / "x.mp3")
        found = verify(folder / "x.mp3", declared_seconds=4)
        finish(folder / "x.mp3", folder / "take.part")
        assert found.rate == rate
        assert lag(sound[:, 0], sound_of(folder / "take.part")[:, 0]) == 0

    def test_a_source_without_a_tag_is_read_as_it_stands(self, folder):
        _, sound = self.original(folder)
        path = write(folder / "x.mp3", sound[:, None], self.RATE, "MP3", "MPEG_LAYER_III")
        path.write_bytes(self.without_tag(path))
        with open_audio(path) as audio:
            whole = np.concatenate(list(audio.blocks()))[:, 0]
            assert audio.delay_cut == 0
        assert len(whole) % 1152 == 0
        assert lag(sound, whole) == 1105
        self.check(folder, path, sound, 2400)

    def without_tag(self, path: Path) -> bytes:
        with path.open("rb") as file:
            found = mp3.scan(file, path.stat().st_size)
        [(start, end)] = found.spans
        return path.read_bytes()[start:end]

    def test_the_end(self, folder):
        path = write(folder / "x.mp3", noise(96_000), 48_000, "MP3", "MPEG_LAYER_III")
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])  # one frame less than promised is a matter of counting
        assert verify(path, declared_seconds=2).frames > 94_000
        path.write_bytes(whole[:-3000])
        assert "MPEG frames" in fault(path)
        assert "MPEG frames" in fault(path, 2)

    def test_the_end_without_a_tag(self, folder):
        path = write(folder / "x.mp3", noise(96_000), 48_000, "MP3", "MPEG_LAYER_III")
        whole = self.without_tag(path)
        path.write_bytes(whole)
        frames = verify(path).frames
        path.write_bytes(whole + b"TAG" + bytes(125))
        assert verify(path).frames == frames
        path.write_bytes(whole[:-100])
        assert "in the middle of an MPEG frame" in fault(path)
        assert "in the middle of an MPEG frame" in verify(path, declared_seconds=2).notes[1]

    def test_tag_with_a_wrong_count(self, folder):
        """Fewer frames promised than there are: all of them are used."""
        path = write(folder / "x.mp3", noise(96_000), 48_000, "MP3", "MPEG_LAYER_III")
        data = bytearray(path.read_bytes())
        at = data.index(b"Xing" if b"Xing" in data else b"Info") + 8
        data[at : at + 4] = (10).to_bytes(4, "big")
        path.write_bytes(data)
        assert verify(path, declared_seconds=2).frames == 96_000

    @given(st.binary(max_size=300))
    def test_any_bytes_are_walked_or_refused(self, data):
        import io

        for start in (b"", b"ID3", b"\xff\xfb\x90\x64"):
            try:
                found = mp3.scan(io.BytesIO(start + data), len(start + data))
            except mp3.NotMp3:
                continue
            assert 0 < found.end <= len(start + data)


class TestMakeTake:
    @pytest.mark.parametrize("channels", [1, 2, 6])
    @pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000, 192_000])
    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
    def test_pcm_stays_bit_by_bit(self, folder, subtype, rate, channels):
        path = write(folder / "o.wav", noise(5001, channels), rate, "WAVEX" if channels > 2 else "WAV", subtype)
        made = finish(path, folder / "take.part")
        assert (made.frames, made.rate, made.channels, made.notes) == (5001, rate, channels, ())
        assert np.array_equal(integers(folder / "take.part", "int32"), integers(path, "int32"))
        assert soundfile.info(folder / "take.part").subtype == "PCM_24"

    def test_what_the_file_says_of_itself(self, folder):
        made = finish(write(folder / "o.wav", noise(5001), 48_000), folder / "ein Take.part")
        assert read_bext(folder / "ein Take.part") == STAMP
        assert read_info(folder / "ein Take.part") == {"INAM": "a prompt"}
        assert made.sha256 == hashlib.sha256((folder / "ein Take.part").read_bytes()).hexdigest()

    def test_float_is_rounded_to_the_nearest_step(self, folder):
        sound = noise(20_000)
        finish(write(folder / "o.wav", sound, 48_000, subtype="DOUBLE"), folder / "t.part")
        assert np.abs(sound_of(folder / "t.part") - sound).max() <= 0.5 / 2**23

    @pytest.mark.parametrize(("source", "target"), [*itertools.permutations([44_100, 48_000, 96_000, 192_000], 2)])
    def test_another_rate(self, folder, source, target):
        sound = np.zeros((source, 1))
        for moment in (0.1, 0.5, 0.8):
            sound[round(moment * source)] = 0.9
        made = finish(write(folder / "o.wav", sound, source, subtype="PCM_24"), folder / "t.part", target)
        out = np.abs(sound_of(folder / "t.part")[:, 0])
        places = [int(np.argmax(out[k : k + target // 5])) + k for k in (0, target * 2 // 5, target * 7 // 10)]
        assert (made.frames, made.rate) == (target, target)
        assert places == [target // 10, target // 2, target * 8 // 10]

    def test_another_rate_is_clean(self, folder):
        moments = np.arange(96_000) / 48_000
        path = write(folder / "o.wav", 0.5 * np.sin(2 * np.pi * 997 * moments)[:, None], 48_000, subtype="PCM_24")
        finish(path, folder / "t.part", 44_100)
        exact = 0.5 * np.sin(2 * np.pi * 997 * np.arange(88_200) / 44_100)
        error = sound_of(folder / "t.part")[2000:-2000, 0] - exact[2000:-2000]
        assert 20 * math.log10(np.abs(error).max()) < -130

    @pytest.mark.parametrize("rate", [None, 44_100])
    def test_cut_back_with_a_short_fade(self, folder, rate):
        path = write(folder / "o.wav", np.full((96_000, 2), 0.25), 48_000)
        made = finish(path, folder / "t.part", rate, cut=1.2345678)
        out = sound_of(folder / "t.part")
        fade = round(0.005 * made.rate)
        assert made.frames == len(out) == round(1.2345678 * made.rate)
        assert out[1000 : -fade - 1] == pytest.approx(0.25, abs=1e-4)
        assert (np.diff(out[-fade:, 0]) <= 0).all()
        assert np.abs(np.diff(out[-fade:, 0])).max() < 0.01
        assert out[-1] == pytest.approx([0, 0], abs=1e-6)

    @pytest.mark.parametrize("cut", [2.0, 2.5, 190])
    def test_a_take_that_is_not_longer_is_not_faded(self, folder, cut):
        path = write(folder / "o.wav", np.full((96_000, 2), 0.25), 48_000)
        assert finish(path, folder / "t.part", cut=cut).frames == 96_000
        assert (sound_of(folder / "t.part")[-1] == 0.25).all()

    @given(
        sizes=st.lists(st.integers(1, 700), min_size=1, max_size=8),
        frames=st.integers(1, 3000),
        rate=st.integers(1, 99),
    )
    def test_cut_does_not_depend_on_the_blocks(self, sizes, frames, rate):
        from bridge_daemon.audio.convert import cut

        whole = np.ones((sum(sizes), 2))
        frames = min(frames, len(whole))
        parts, at = [], 0
        for size in sizes:
            parts.append(whole[at : at + size])
            at += size
        one = np.concatenate(list(cut([whole], frames, rate * 1000)))
        assert len(one) == frames
        assert np.array_equal(np.concatenate(list(cut(parts, frames, rate * 1000))), one)

    @pytest.mark.parametrize("rate", [None, 44_100, 96_000])
    def test_peaks_beyond_full_scale(self, folder, rate):
        path = write(folder / "o.wav", noise(48_000) * 3, 48_000, subtype="FLOAT")
        made = finish(path, folder / "t.part", rate)
        assert np.abs(sound_of(folder / "t.part")).max() == pytest.approx(0.999, abs=0.0001)
        assert (folder / "t.part").stat().st_size < made.frames * 6 + 1000, (
            "nothing of the louder one is left behind it"
        )
        assert "turned down by" in made.notes[0]

    @pytest.mark.parametrize(("form", "subtype", "ending"), LOSSY)
    def test_loud_lossy_originals_do_not_clip(self, folder, form, subtype, ending):
        sound = np.sign(np.sin(np.arange(96_000) / 20))[:, None] * 0.99
        path = write(folder / f"o.{ending}", sound, 48_000, form, subtype)
        assert verify(path).peak > 1
        finish(path, folder / "t.part")
        assert np.abs(sound_of(folder / "t.part")).max() <= 0.9991

    def test_a_full_disk_leaves_nothing_behind(self, folder, monkeypatch):
        path = write(folder / "o.wav", noise(4800), 48_000)

        def full(_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(files, "flush_to_disk", full)
        with pytest.raises(OSError, match="No space"):
            finish(path, folder / "t.part")
        assert [p.name for p in folder.iterdir()] == ["o.wav"]

    def test_an_original_is_decoded_once(self, folder, monkeypatch):
        """All of it, also behind a cut; a second time only to turn it down."""
        read = []
        inner = take_module.OpenAudio.samples

        def counted(self, *given):
            for block in inner(self, *given):
                read.append(len(block))
                yield block

        monkeypatch.setattr(take_module.OpenAudio, "samples", counted)
        quiet = write(folder / "q.wav", noise(96_000) * 0.3, 48_000)
        for rate, cut in ((None, None), (44_100, None), (96_000, 0.5)):
            read.clear()
            finish(quiet, folder / f"{rate}{cut}.part", rate, cut)
            assert sum(read) == 96_000
        read.clear()
        finish(write(folder / "l.wav", noise(96_000) * 3, 48_000, subtype="FLOAT"), folder / "loud.part", 44_100)
        assert sum(read) == 2 * 96_000

    def test_damage_behind_a_cut_is_found(self, folder):
        path = write(folder / "o.wav", noise(96_000), 48_000, subtype="FLOAT")
        data = bytearray(path.read_bytes())
        data[-400:-396] = b"\x00\x00\xc0\x7f"
        path.write_bytes(data)
        with pytest.raises(Undecodable, match="no numbers"):
            finish(path, folder / "t.part", cut=0.5)
        assert [one.name for one in folder.iterdir()] == ["o.wav"]

    @pytest.mark.needs("espeak-ng", "espeak-ng")
    def test_speech_of_a_real_program(self, folder):
        subprocess.run(["espeak-ng", "-w", folder / "voice.wav", "one two three"], check=True)
        made = finish(folder / "voice.wav", folder / "t.part", 48_000)
        assert made.channels == 1
        assert np.abs(sound_of(folder / "t.part")).max() > 0.1


class TestTimeReference:
    @pytest.mark.parametrize(
        ("position", "offset", "rate", "frames"),
        [
            (7, 0, 48_000, 336_000),
            (0.1, 0.2, 48_000, 14_400),  # 0.1 + 0.2 is more than 0.3 in binary
            (1.5, None, 44_100, 66_150),
            (None, None, 44_100, 0),
            (None, 3600, 44_100, 158_760_000),
            (-1, 2, 1000, 1000),
            (0.0005, 0, 1000, 1),  # halves up
            (0.00049, 0, 1000, 0),
            (-0.0005, 0, 1000, 0),
            (864_000, 864_000, 384_000, 663_552_000_000),
            (44_101 / 44_100, 0, 44_100, 44_101),
            (1e-7, 0, 44_100, 0),
        ],
    )
    def test_values(self, position, offset, rate, frames):
        assert time_reference(position, offset, rate) == (frames, None)

    def test_before_zero(self):
        frames, note = time_reference(-2.5, 1, 48_000)
        assert frames == 0
        assert note is not None
        assert "-1.5 s" in note

    @given(
        position=st.decimals(0, 800_000, places=9),
        offset=st.decimals(-800_000, 800_000, places=6),
        rate=st.sampled_from([44_100, 48_000, 88_200, 96_000, 192_000]),
    )
    def test_it_is_exact(self, position, offset, rate):
        # up to 15 digits, a float stands for one decimal number
        exact = ((position + offset) * rate + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
        frames, note = time_reference(float(position), float(offset), rate)
        assert frames == max(0, exact)
        assert (note is None) == (exact >= 0)

    @given(frame=st.integers(0, 192_000 * 86_400), rate=st.sampled_from([44_100, 48_000, 96_000, 192_000]))
    def test_a_frame_comes_back_as_itself(self, frame, rate):
        assert time_reference(frame / rate, 0, rate) == (frame, None)
