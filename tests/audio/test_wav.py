from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge_daemon.audio.wav import Bext, WavWriter, parse_bext, read_bext, read_info, riff_lengths, to_ascii
from tests.audio.sounds import integers, noise, run, write

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126))
STAMP = Bext(
    description="warm felt piano, 90 bpm",
    originator_reference="job-0123456789",
    origination_date="2026-03-01",
    origination_time="23:59:58",
    time_reference=336_000,
    coding_history="A=PCM,F=48000,W=24,M=stereo,T=daw-bridge",
)
TEXTS = {"INAM": "Filzklavier, wärmer", "ICMT": json.dumps({"prompt": "日本 ♫", "seed": 1}, ensure_ascii=False)}


def take(path: Path, sound: np.ndarray, rate: int = 48_000, **options: object) -> Path:
    with path.open("wb") as file, WavWriter(file, rate=rate, channels=sound.shape[1], **options) as writer:  # type: ignore[arg-type]
        for at in range(0, len(sound), 1000):
            writer.write(sound[at : at + 1000])
    return path


def chunk_names(path: Path) -> list[bytes]:
    data, at, names = path.read_bytes(), 12, []
    while at < len(data):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        names.append(data[at : at + 4])
        at += 8 + size + size % 2
    assert at == len(data)
    return names


@given(
    description=PRINTABLE,
    originator=PRINTABLE,
    reference=PRINTABLE,
    time=st.integers(0, 2**64 - 1),
    history=st.lists(st.text("A=PCM,F4810W26", min_size=1), max_size=3),
)
def test_bext_comes_back_as_it_was(description, originator, reference, time, history):
    stamp = Bext(
        description=description,
        originator=originator,
        originator_reference=reference,
        time_reference=time,
        coding_history="\r\n".join(history),
    )
    body = stamp.to_bytes()
    found = parse_bext(body)
    assert found is not None
    assert found.description == description[:256]
    assert found.originator == originator[:32]
    assert found.originator_reference == reference[:32]
    assert found.time_reference == time
    assert found.coding_history == stamp.coding_history
    assert found.version == 1


@given(st.text())
def test_any_text_becomes_printable_ascii(text):
    plain = to_ascii(text)
    assert plain.isascii()
    assert all(32 <= ord(c) < 127 for c in plain)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Straße, café – ‘naïve’", "Strasse, cafe - 'naive'"),
        ("Łódź Ærø", "Lodz AEro"),
        ("夜 ♫", "? ?"),
        ("one\ntwo\tthree", "one two three"),
    ],
)
def test_transliteration(text, plain):
    assert to_ascii(text) == plain


def test_fields_lie_where_the_standard_puts_them():
    body = STAMP.to_bytes()
    assert body[:23] == b"warm felt piano, 90 bpm"
    assert body[256:266] == b"daw-bridge"
    assert body[288:302] == b"job-0123456789"
    assert body[320:330] == b"2026-03-01"
    assert body[330:338] == b"23:59:58"
    assert struct.unpack("<IIH", body[338:348]) == (336_000, 0, 1)
    assert body[602:] == b"A=PCM,F=48000,W=24,M=stereo,T=daw-bridge\r\n\0\0"


def test_time_beyond_64_bits_is_an_error():
    for wrong in (-1, 1 << 64):
        with pytest.raises(ValueError, match="64 bits"):
            Bext(time_reference=wrong).to_bytes()


@pytest.mark.parametrize("body", [None, b"", bytes(601)])
def test_what_is_too_short_is_no_bext(body):
    assert parse_bext(body) is None


def test_order_of_chunks_and_even_lengths(folder):
    path = take(folder / "ein Take.wav", noise(1001, 1), bext=STAMP, info=TEXTS)  # 3003 bytes of sound: odd
    assert chunk_names(path) == [b"JUNK", b"bext", b"LIST", b"fmt ", b"data"]
    assert path.stat().st_size % 2 == 0
    assert riff_lengths(path) == (3003, 3004)
    assert read_bext(path) == STAMP
    assert read_info(path) == TEXTS


def test_plain_file_has_the_least_header(folder):
    path = take(folder / "source.wav", noise(10), bits=16, reserve=False)
    assert chunk_names(path) == [b"fmt ", b"data"]
    assert path.read_bytes()[:4] == b"RIFF"
    assert path.stat().st_size == 44 + 10 * 2 * 2
    assert read_bext(path) is None
    assert read_info(path) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    channels=st.integers(1, 8),
    rate=st.sampled_from([8000, 44_100, 48_000, 96_000, 384_000]),
    bits=st.sampled_from([16, 24]),
    frames=st.integers(0, 300),
    seed=st.integers(0, 1000),
)
def test_every_step_survives(folder, channels, rate, bits, frames, seed):
    full = 1 << (bits - 1)
    whole = np.random.default_rng(seed).integers(-full, full, (frames, channels))
    path = take(folder / "x.wav", whole / full, rate, bits=bits, bext=STAMP)
    with soundfile.SoundFile(path) as file:
        assert (file.samplerate, file.channels, file.frames) == (rate, channels, frames)
        assert file.format == ("WAV" if channels <= 2 else "WAVEX")
        back = file.read(dtype="int32", always_2d=True) >> (32 - bits)
    assert np.array_equal(back, whole)


@pytest.mark.parametrize("bits", [16, 24])
def test_rounding_and_clipping(folder, bits):
    full = 1 << (bits - 1)
    sound = np.array([[1.0], [-1.0], [7.5], [-7.5], [0.4 / full], [0.6 / full], [-0.6 / full], [0.0]])
    path = take(folder / "x.wav", sound, bits=bits)
    steps = (integers(path, "int32") >> (32 - bits))[:, 0].tolist()
    assert steps == [full - 1, -full, full - 1, -full, 0, 1, -1, 0]


def test_peak_and_frames_are_counted(folder):
    with (folder / "x.wav").open("wb") as file, WavWriter(file, rate=44_100, channels=1) as writer:
        writer.write(np.array([[0.25], [-0.5]], dtype=np.float32))
        writer.write(np.empty((0, 1)))
    assert writer.frames == 2


def test_wrong_shape_is_an_error():
    writer = WavWriter(io.BytesIO(), rate=44_100, channels=2)
    with pytest.raises(ValueError, match="2 channels"):
        writer.write(np.zeros((4, 1)))


def test_wrong_name_of_a_text_is_an_error():
    with pytest.raises(ValueError, match="INFO"):
        WavWriter(io.BytesIO(), rate=44_100, channels=2, info={"title": "x"})


def test_an_error_leaves_the_lengths_open():
    file = io.BytesIO()
    with pytest.raises(RuntimeError), WavWriter(file, rate=44_100, channels=1) as writer:
        writer.write(np.zeros((4, 1)))
        raise RuntimeError
    assert file.getvalue()[4:8] == bytes(4)


class TestBeyond4GiB:
    """The threshold is lowered; the layout is that of a really long file."""

    def long(self, folder: Path) -> Path:
        return take(folder / "long.wav", noise(3001, 1), bext=STAMP, info=TEXTS, most_bytes=4000)

    def test_layout(self, folder):
        path = self.long(folder)
        data = path.read_bytes()
        assert data[:16] == b"RF64\xff\xff\xff\xffWAVEds64"
        assert struct.unpack("<IQQQI", data[16:48]) == (28, len(data) - 8, 9003, 3001, 0)
        assert data[data.index(b"data") + 4 :][:4] == b"\xff\xff\xff\xff"

    def test_read_by_ourselves_and_libsndfile(self, folder):
        path = self.long(folder)
        assert riff_lengths(path) == (9003, 9004)
        assert read_bext(path) == STAMP
        assert read_info(path) == TEXTS
        with soundfile.SoundFile(path) as file:
            assert (file.format, file.frames) == ("RF64", 3001)

    @pytest.mark.needs("ffprobe", "ffmpeg")
    def test_ffprobe(self, folder):
        found = json.loads(run("ffprobe", "-v", "error", "-of", "json", "-show_streams", self.long(folder)))
        assert found["streams"][0]["duration_ts"] == 3001

    def test_without_room_it_is_an_error(self, folder):
        with pytest.raises(OverflowError):
            take(folder / "x.wav", noise(3000, 1), reserve=False, most_bytes=4000)


class TestJudges:
    """Programs of others read what we wrote."""

    @pytest.fixture(params=[(1, 44_100), (2, 48_000), (2, 96_000)])
    def path(self, folder: Path, request: pytest.FixtureRequest) -> Path:
        channels, rate = request.param
        self.rate, self.channels = rate, channels
        return take(folder / "Täke 1.wav", noise(rate + 1, channels), rate, bext=STAMP, info=TEXTS)

    @pytest.mark.needs("ffprobe", "ffmpeg")
    def test_ffprobe(self, path):
        found = json.loads(run("ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", path))
        stream, tags = found["streams"][0], found["format"]["tags"]
        assert (stream["codec_name"], int(stream["sample_rate"])) == ("pcm_s24le", self.rate)
        assert (stream["channels"], stream["duration_ts"]) == (self.channels, self.rate + 1)
        assert tags["time_reference"] == "336000"
        assert tags["encoded_by"] == "daw-bridge"
        assert tags["originator_reference"] == "job-0123456789"
        assert tags["date"] == "2026-03-01"
        assert tags["creation_time"] == "23:59:58"
        assert tags["title"] == "Filzklavier, wärmer"

    @pytest.mark.needs("mediainfo", "mediainfo")
    def test_mediainfo(self, path):
        tracks = json.loads(run("mediainfo", "--Output=JSON", path))["media"]["track"]
        sound = next(track for track in tracks if track["@type"] == "Audio")
        assert (sound["BitDepth"], int(sound["SamplingRate"])) == ("24", self.rate)
        assert abs(float(sound["Delay"]) - 336_000 / self.rate) < 0.001
        assert sound["Delay_Source"] == "Container (bext)"

    @pytest.mark.needs("sox", "sox")
    def test_sox(self, path):
        assert int(run("sox", "--i", "-s", path)) == self.rate + 1
        assert int(run("sox", "--i", "-b", path)) == 24

    def test_wavinfo(self, path):
        from wavinfo import WavInfoReader

        with path.open("rb") as file:
            found = WavInfoReader(file, info_encoding="utf-8")
        assert found.bext.time_reference == 336_000
        assert found.bext.description == STAMP.description
        assert found.bext.originator_ref == "job-0123456789"
        assert found.bext.coding_history.startswith("A=PCM")
        assert found.bext.version == 1
        assert found.info.title == TEXTS["INAM"]
        assert found.info.comment == TEXTS["ICMT"]
        assert found.data.frame_count == self.rate + 1

    def test_libsndfile_reads_the_texts(self, path):
        with soundfile.SoundFile(path) as file:
            assert file.copy_metadata()["comment"] == TEXTS["ICMT"]


class TestReader:
    @pytest.mark.needs("ffmpeg", "ffmpeg")
    def test_bext_of_ffmpeg(self, folder):
        plain = write(folder / "a.wav", noise(4800), 48_000)
        stamped = folder / "b.wav"
        stamp = ("-write_bext", "1", "-metadata", "time_reference=12345678901", "-metadata", "description=hello")
        run("ffmpeg", "-v", "error", "-i", plain, *stamp, stamped)
        found = read_bext(stamped)
        assert found is not None
        assert (found.time_reference, found.description) == (12_345_678_901, "hello")

    def test_other_files_have_none(self, folder):
        for name, content in {
            "a.flac": b"fLaC....",
            "b.txt": b"hello",
            "c.wav": b"RIFF\0\0\0\0WAVE",
            "d.wav": b"",
        }.items():
            (folder / name).write_bytes(content)
            assert read_bext(folder / name) is None
            assert read_info(folder / name) == {}
            assert riff_lengths(folder / name) is None

    def test_latin_1_texts(self, folder):
        path = take(folder / "x.wav", noise(4), info={"INAM": "caf?"})
        path.write_bytes(path.read_bytes().replace(b"caf?", "café".encode("latin-1")))
        assert read_info(path) == {"INAM": "café"}

    def test_truncated(self, folder):
        path = take(folder / "x.wav", noise(1000))
        path.write_bytes(path.read_bytes()[:-600])
        assert riff_lengths(path) == (6000, 5400)

    @pytest.mark.parametrize("riff", [0, 0xFFFFFFFF])
    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
    def test_a_header_without_length(self, folder, riff, size):
        path = take(folder / "x.wav", noise(1000))
        data = bytearray(path.read_bytes())
        data[4:8] = struct.pack("<I", riff)
        at = data.index(b"data") + 4
        data[at : at + 4] = struct.pack("<I", size)
        path.write_bytes(data)
        assert riff_lengths(path) == (6000, 6000)


@pytest.mark.parametrize("bits", [16, 24])
def test_32_bit_makes_the_same_file_as_64(folder, bits):
    edges = [0, 1, -1, 1 - 2**-24, 2**-24, 3 * 2**-24, -(2**-25), 1.5, -7, 3e38, -3e38]
    sound = np.concatenate([np.random.default_rng(1).normal(0, 0.5, 20_000), edges])
    sound = sound.astype(np.float32).reshape(-1, 1)
    narrow = take(folder / "32.wav", sound, bits=bits)
    assert narrow.read_bytes() == take(folder / "64.wav", sound.astype(np.float64), bits=bits).read_bytes()
