"""Every kind of file that ffprobe, sox or libsndfile read without complaint, held against what it was made of."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge_daemon.audio.completeness import fault_of, proves_its_end
from bridge_daemon.audio.region import check_region, extract, open_audio
from bridge_daemon.errors import SourceRefused
from tests.audio.sounds import integers, lag, noise, run, write

FRAMES, RATE = 30_017, 44_100
SOUND = np.round(noise(FRAMES, level=0.2) * 32_768) / 32_768
ID3 = b"ID3\x04\0\0\0\0\x08\0" + bytes(1024)
GUID = bytes.fromhex("0100000000001000800000aa00389b71")
AMBISONIC = bytes.fromhex("01000000210 7d3118644c8c1ca000000".replace(" ", ""))


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks: bytes, head: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return head + struct.pack("<I", len(body)) + body


def pcm(sound: np.ndarray = SOUND, order: str = "<") -> bytes:
    return (sound * 32_768).astype(f"{order}i2").tobytes()


def fmt(channels: int = 2, mask: int | None = None, guid: bytes = GUID) -> bytes:
    frame = 2 * channels
    if mask is None:
        return struct.pack("<HHIIHH", 1, channels, RATE, RATE * frame, frame, 16)
    return struct.pack("<HHIIHHHHI", 0xFFFE, channels, RATE, RATE * frame, frame, 16, 22, 16, mask) + guid


def wav(riff_more: int = 0, data: int | None = None, riff_size: int | None = None) -> bytes:
    made = bytearray(riff(chunk(b"fmt ", fmt()), chunk(b"data", pcm())))
    size = len(made) - 8 + riff_more if riff_size is None else riff_size
    made[4:8] = struct.pack("<I", size & 0xFFFFFFFF)
    if data is not None:
        made[40:44] = struct.pack("<I", data & 0xFFFFFFFF)
    return bytes(made)


def wide(head: bytes, told: bool) -> bytes:
    data = pcm()
    ds64 = chunk(b"ds64", struct.pack("<QQQI", len(data) + 80, len(data), FRAMES, 0))
    body = b"WAVE" + ds64 + chunk(b"fmt ", fmt()) + b"data"
    return head + b"\xff" * 4 + body + (b"\xff" * 4 if not told else struct.pack("<I", len(data))) + data


def rifx() -> bytes:
    header = struct.pack(">IHHIIHH", 16, 1, 2, RATE, RATE * 4, 4, 16)
    body = b"WAVEfmt " + header + b"data" + struct.pack(">I", 4 * FRAMES) + pcm(order=">")
    return b"RIFX" + struct.pack(">I", len(body)) + body


def aifc(coding: bytes, data: bytes, bits: int) -> bytes:
    rate = struct.pack(">HQ", 16383 + 15, RATE << 48)
    comm = struct.pack(">hIh", 2, FRAMES, bits) + rate + coding + b"\0\0"
    sound = bytes(8) + data
    body = b"AIFC" + b"COMM" + struct.pack(">I", len(comm)) + comm + b"SSND" + struct.pack(">I", len(sound)) + sound
    body += b"\0" * (len(sound) % 2)
    return b"FORM" + struct.pack(">I", len(body)) + body


def by_soundfile(folder: Path, form: str, subtype: str = "PCM_16") -> bytearray:
    return bytearray(write(folder / "whole", SOUND, RATE, form, subtype).read_bytes())


def whole32(order: str, low: int = 0, high: int = 4) -> bytes:
    wide32 = (SOUND * 2.0**31).astype(f"{order}i4").reshape(-1)
    return wide32.view(np.uint8).reshape(-1, 4)[:, low:high].tobytes()


def caf_without_length(folder: Path) -> bytes:
    made = by_soundfile(folder, "CAF")
    at = made.index(b"data") + 4
    made[at : at + 8] = b"\xff" * 8
    return bytes(made)


def flac_without_length(folder: Path) -> bytes:
    made = by_soundfile(folder, "FLAC")
    made[18:26] = (int.from_bytes(made[18:26], "big") & ~((1 << 36) - 1)).to_bytes(8, "big")
    return bytes(made)


def w64_without_length(folder: Path, length: bytes) -> bytes:
    made = by_soundfile(folder, "W64")
    at = made.index(b"data") + 16
    made[at : at + 8] = length
    return bytes(made)


LOSSLESS = {
    "ID3 before RIFF": lambda _: ID3 + wav(),
    "ID3 before FLAC": lambda folder: ID3 + by_soundfile(folder, "FLAC"),
    "ID3 before AIFF": lambda folder: ID3 + by_soundfile(folder, "AIFF"),
    "data 0, RIFF right": lambda _: wav(data=0),
    "data 0, RIFF 0": lambda _: wav(data=0, riff_size=0),
    "data -1, RIFF right": lambda _: wav(data=-1),
    "data too large, RIFF right": lambda _: wav(data=0x01000000),
    "RIFF 8 too large": lambda _: wav(riff_more=8),
    "RIFF 1 too large": lambda _: wav(riff_more=1),
    "RIFF 8 too small": lambda _: wav(riff_more=-8),
    "data 8 too large": lambda _: wav(data=len(pcm()) + 8, riff_more=8),
    "BW64": lambda _: wide(b"BW64", told=False),
    "BW64, length told": lambda _: wide(b"BW64", told=True),
    "RF64": lambda _: wide(b"RF64", told=False),
    "RIFX": lambda _: rifx(),
    "chunks before fmt": lambda _: riff(
        chunk(b"LIST", b"INFO"), chunk(b"junk", bytes(33)), chunk(b"fmt ", fmt()), chunk(b"data", pcm())
    ),
    "fmt of 18": lambda _: riff(chunk(b"fmt ", fmt() + b"\0\0"), chunk(b"data", pcm())),
    "an empty data first": lambda _: riff(chunk(b"fmt ", fmt()), chunk(b"data", b""), chunk(b"data", pcm())),
    "42ni": lambda _: aifc(b"42ni", whole32("<", 1), 24),
    "23ni": lambda _: aifc(b"23ni", whole32("<"), 32),
    "in16": lambda _: aifc(b"in16", pcm(order=">"), 16),
    "in24": lambda _: aifc(b"in24", whole32(">", 0, 3), 24),
    "in32": lambda _: aifc(b"in32", whole32(">"), 32),
    "sowt": lambda _: aifc(b"sowt", pcm(), 16),
    "fl64": lambda _: aifc(b"fl64", SOUND.astype(">f8").tobytes(), 64),
    "CAF -1": caf_without_length,
    "W64 0": lambda folder: w64_without_length(folder, bytes(8)),
    "W64 -1": lambda folder: w64_without_length(folder, b"\xff" * 8),
    "AU": lambda folder: by_soundfile(folder, "AU"),
    "AU -1": lambda folder: (made := by_soundfile(folder, "AU"))[:8] + b"\xff" * 4 + made[12:],
    "float64 WAV": lambda folder: by_soundfile(folder, "WAV", "DOUBLE"),
    "FLAC without a length": flac_without_length,
}  # fmt: skip


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_give_every_sample(folder, kind):
    path = folder / "x.sound"
    path.write_bytes(LOSSLESS[kind](folder))
    with open_audio(path) as audio:
        assert (audio.info.rate, audio.info.channels, audio.info.frames) == (RATE, 2, FRAMES)
        assert audio.missing is None
        assert np.array_equal(np.concatenate(list(audio.blocks())), SOUND)
        part = np.concatenate(list(audio.blocks(12_345, 5000)))
    assert np.array_equal(part, SOUND[12_345:17_345])
    assert fault_of(path) is None  # the folders take what the API takes
    extract(check_region(path, None, None, longest=9), folder / "out.wav")
    assert np.abs(integers(folder / "out.wav") / 32_768 - SOUND).max() <= 2 / 32_768


@pytest.mark.parametrize("subtype", ["ALAW", "ULAW", "IMA_ADPCM", "MS_ADPCM", "PCM_U8"])
def test_wav_that_is_not_exact(folder, subtype):
    path = write(folder / "x.wav", SOUND, RATE, "WAV", subtype)
    with open_audio(path) as audio:
        assert FRAMES <= audio.info.frames < FRAMES + 2048
        found = np.concatenate(list(audio.blocks()))
    assert lag(SOUND[:, 0], found[:, 0]) == 0


FFMPEG = {
    "ALAC in m4a": ("x.m4a", "-c:a alac"),
    "ALAC in CAF": ("x.caf", "-c:a alac"),
    "PCM in MOV": ("x.mov", "-c:a pcm_s16le"),
    "FLAC in Ogg": ("x.oga", "-c:a flac"),
    "FLAC in Matroska": ("x.mka", "-c:a flac"),
    "WavPack": ("x.wv", "-c:a wavpack"),
}


@pytest.mark.needs("ffmpeg", "ffmpeg")
@pytest.mark.parametrize("kind", FFMPEG)
def test_lossless_files_of_ffmpeg(folder, kind):
    name, options = FFMPEG[kind]
    write(folder / "a.wav", SOUND, RATE)
    run("ffmpeg", "-v", "error", "-i", folder / "a.wav", *options.split(), folder / name)
    with open_audio(folder / name) as audio:
        assert np.array_equal(np.concatenate(list(audio.blocks())), SOUND)
        assert np.array_equal(np.concatenate(list(audio.blocks(20_000))), SOUND[20_000:])
    assert fault_of(folder / name) is None


@pytest.mark.needs("ffmpeg", "ffmpeg")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.m4a", "-c:a aac"),
        ("x.aac", "-c:a aac"),
        ("f.m4a", "-c:a aac -movflags frag_keyframe+empty_moov"),
        ("x.mp2", "-c:a mp2"),
        ("x.webm", "-c:a libopus -ar 48000"),
        ("x.wav", "-c:a libmp3lame"),
    ],
)
def test_lossy_files_have_as_many_frames_as_ffmpeg_decodes(folder, name, options):
    write(folder / "a.wav", SOUND, RATE)
    run("ffmpeg", "-v", "error", "-i", folder / "a.wav", *options.split(), folder / name)
    decoded = run("ffmpeg", "-v", "error", "-i", folder / name, "-f", "s16le", "-")
    with open_audio(folder / name) as audio:
        # ffmpeg since 7, as in PyAV 19, leaves out the padding at the end; mp4 tells its length in milliseconds
        assert audio.info.frames == len(decoded) // 4 or 0 <= len(SOUND) - audio.info.frames < RATE / 1000
        found = np.concatenate(list(audio.blocks()))
    theirs = np.frombuffer(decoded, "<i2").reshape(-1, 2)[: len(found)] / 32_768
    assert lag(theirs[:, 0], found[:, 0]) == 0
    assert fault_of(folder / name) is None


@pytest.mark.needs("ffmpeg", "ffmpeg")
def test_an_m4a_that_is_cut_off_is_refused_before_anything_is_spent(folder):
    write(folder / "a.wav", SOUND, RATE)
    run("ffmpeg", "-v", "error", "-i", folder / "a.wav", "-movflags", "+faststart", folder / "x.m4a")
    data = (folder / "x.m4a").read_bytes()
    (folder / "x.m4a").write_bytes(data[: len(data) // 2])
    assert "bytes" in str(fault_of(folder / "x.m4a"))
    with pytest.raises(SourceRefused, match="cut off"):
        check_region(folder / "x.m4a", None, None, longest=9)


def reserial(data: bytes, serial: int) -> bytes:
    """Give the pages of an Ogg file another serial number."""
    table = []
    for number in range(256):
        value = number << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if value & 0x80000000 else value << 1
        table.append(value)
    made, at = b"", 0
    while at < len(data):
        length = 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        page = bytearray(data[at : at + length])
        page[14:18], page[22:26] = struct.pack("<I", serial), bytes(4)
        check = 0
        for byte in page:
            check = (check << 8 & 0xFFFFFFFF) ^ table[check >> 24 ^ byte]
        page[22:26] = struct.pack("<I", check)
        made, at = made + page, at + length
    return made


@pytest.mark.parametrize(("subtype", "rate"), [("VORBIS", 44_100), ("OPUS", 48_000)])
def test_chained_ogg(folder, subtype, rate):
    one = write(folder / "one", SOUND, rate, "OGG", subtype).read_bytes()
    path = folder / "x.ogg"
    path.write_bytes(reserial(one, 1) + reserial(one, 2) + reserial(one, 3))
    with open_audio(folder / "one") as audio:
        single = np.concatenate(list(audio.blocks()))
    with open_audio(path) as audio:
        assert audio.info.frames == 3 * len(single)
        assert "3 streams" in audio.notes[0]
        found = np.concatenate(list(audio.blocks()))
        across = np.concatenate(list(audio.blocks(len(single) - 100, 200)))
    assert np.abs(found - np.concatenate([single] * 3)).max() < 1e-6
    assert np.abs(across - found[len(single) - 100 : len(single) + 100]).max() < 1e-6
    assert proves_its_end(path)


@pytest.mark.parametrize("frames", [16_384 + 40, 2 * 16_384 + 200, 30_017])
def test_the_last_packet_of_opus(folder, frames):
    path = write(folder / "x.opus", noise(frames), 48_000, "OGG", "OPUS")
    with soundfile.SoundFile(path) as file:
        whole = file.read(always_2d=True)
    with open_audio(path) as audio:
        for first in (0, frames - 16_384, frames - 10_000, frames - 100):
            found = np.concatenate(list(audio.blocks(first)))
            assert np.abs(found - whole[first:]).max() < 1e-6


class TestMp3:
    """Foreign bytes are found, left out and told; what is missing is refused before anything is spent."""

    @pytest.fixture
    def tagged(self, folder: Path) -> bytes:
        return write(folder / "whole", SOUND, RATE, "MP3", "MPEG_LAYER_III").read_bytes()

    @pytest.fixture
    def plain(self, tagged: bytes) -> bytes:
        from io import BytesIO

        from bridge_daemon.audio import mp3

        [(start, end)] = mp3.scan(BytesIO(tagged), len(tagged)).spans
        return tagged[start:end]

    def sound(self, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
        region = check_region(path, None, None, longest=9)
        with open_audio(path) as audio:
            return np.concatenate(list(audio.blocks())), region.notes

    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 112, 1, 0xA0000000) + bytes(8) + b"ABCD" * 20
    ape += b"APETAGEX" + struct.pack("<IIII", 2000, 112, 1, 0x80000000) + bytes(8)

    @pytest.mark.parametrize(
        "front",
        [ID3 + bytes(300_000), ape, ID3 + ape, b"ID3\x04\0\0\0\x12\x27\x60" + bytes(300_000), b"?" * 500],
        ids=["padding", "APE", "ID3 and APE", "large ID3", "junk"],
    )
    def test_in_front(self, folder, tagged, front):
        (folder / "x.mp3").write_bytes(front + tagged)
        found, _ = self.sound(folder / "x.mp3")
        assert len(found) == FRAMES
        assert lag(SOUND[:, 0], found[:, 0]) == 0
        assert fault_of(folder / "x.mp3") is None

    def test_joined_files(self, folder, tagged):
        (folder / "x.mp3").write_bytes(tagged + tagged)
        found, notes = self.sound(folder / "x.mp3")
        assert 2 * FRAMES <= len(found) < 2 * FRAMES + 4000
        assert "2 MP3 files, joined end to end" in notes[0]

    @pytest.mark.parametrize("between", [b"hello world" * 300, bytes(5000), ID3, os.urandom(2000)])
    def test_in_the_middle(self, folder, plain, between):
        half = len(plain) // 2
        (folder / "x.mp3").write_bytes(plain[:half] + between + plain[half:])
        (folder / "y.mp3").write_bytes(plain)
        found, notes = self.sound(folder / "x.mp3")
        with open_audio(folder / "y.mp3") as audio:
            assert audio.info.frames - 2 * 1152 <= len(found) <= audio.info.frames + 1152
        assert between == ID3 or "no MPEG frames were left out, at 0.3" in notes[0]

    def test_cut_off(self, folder, tagged):
        (folder / "x.mp3").write_bytes(tagged[:-3000])
        with pytest.raises(SourceRefused, match=r"MPEG frames.* say where it ends"):
            check_region(folder / "x.mp3", None, None, longest=9)
        check_region(folder / "x.mp3", 0.1, 0.4, longest=9)

    def test_another_rate_behind(self, folder, plain):
        other = write(folder / "o", SOUND, 48_000, "MP3", "MPEG_LAYER_III").read_bytes()
        (folder / "x.mp3").write_bytes(plain + other)
        with pytest.raises(SourceRefused, match="changes its sample rate"):
            check_region(folder / "x.mp3", None, None, longest=9)

    def test_what_proves_its_end(self, folder, tagged, plain):
        for name, data, proved in (("a", tagged, True), ("b", plain, False), ("c", tagged[:-3000], False)):
            (folder / name).write_bytes(data)
            assert proves_its_end(folder / name) is proved


class TestChannels:
    def sent(self, folder: Path, data: bytes) -> tuple[list[float], str]:
        (folder / "x.wav").write_bytes(data)
        found = extract(check_region(folder / "x.wav", None, None, longest=9), folder / "out.wav")
        level = np.abs(integers(folder / "out.wav")).mean(axis=0) / 32_768
        return [round(float(value), 2) for value in level], found.notes[0]

    def tone(self, channels: int, active: int) -> bytes:
        sound = np.zeros((RATE, channels))
        sound[:, active] = 0.4
        return chunk(b"data", pcm(sound))

    @pytest.mark.parametrize(
        ("channels", "mask", "active", "level", "words"),
        [
            (6, 0, 3, [0, 0.23], "separate tracks"),
            (4, 0x107, 2, [0.28, 0.28], "FL FR FC BC"),
            (4, 0x107, 3, [0.2, 0.2], "FL FR FC BC"),
            (4, 0x33, 2, [0.28, 0], "FL FR BL BR"),
            (6, 0x60F, 4, [0.28, 0], "SL SR"),
            (3, 0xB, 1, [0, 0.4], "FL FR LFE"),
            (6, 0x3, 3, [0, 0.28], "FL FR ?"),
            (12, 0x2D63F, 8, [0.28, 0], "TFL"),
            (2, 0x5, 1, [0.28, 0.28], "FL FC"),
        ],
    )
    def test_by_mask(self, folder, channels, mask, active, level, words):
        found, note = self.sent(folder, riff(chunk(b"fmt ", fmt(channels, mask)), self.tone(channels, active)))
        assert found == level
        assert words in note

    @pytest.mark.parametrize(("active", "level"), [(0, [0.28, 0.28]), (2, [0.2, 0.2])])
    def test_ambisonic(self, folder, active, level):
        data = riff(chunk(b"fmt ", fmt(4, 0, AMBISONIC)), self.tone(4, active))
        found, note = self.sent(folder, data)
        assert found == level
        assert "ambisonic sound of order 1" in note

    def test_another_sub_format_is_refused(self, folder):
        (folder / "x.wav").write_bytes(riff(chunk(b"fmt ", fmt(2, 3, bytes(16))), self.tone(2, 0)))
        with pytest.raises(SourceRefused, match="sub-format"):
            check_region(folder / "x.wav", None, None, longest=9)

    @pytest.mark.parametrize("tag", [123 << 16 | 6, 147 << 16 | 6, 107 << 16 | 4, 190 << 16 | 4])
    def test_caf(self, folder, tag):
        channels = tag & 0xFFFF
        words = {123: "FL FC FR SL SR LFE", 147: "separate", 107: "ambisonic", 190: "ambisonic"}[tag >> 16]
        made = write(folder / "a", np.full((RATE, channels), 0.2), RATE, "CAF").read_bytes()
        at = made.index(b"data")
        layout = b"chan" + struct.pack(">qIII", 12, tag, 0, 0)
        (folder / "x.caf").write_bytes(made[:at] + layout + made[at:])
        with open_audio(folder / "x.caf") as audio:
            assert words in audio.info.layout.what


class TestSilence:
    """It is judged on what is sent, after the mix and the change of rate, for the region that is sent."""

    def refused(self, path: Path, **limits: float) -> str:
        with pytest.raises(SourceRefused, match="silent") as caught:
            check_region(path, limits.get("start"), limits.get("end"), longest=9)
        return caught.value.message

    def test_what_the_mix_leaves_out(self, folder):
        sound = np.zeros((RATE, 6))
        sound[:, 3] = 0.5
        path = write(folder / "x.wav", sound, RATE, "WAVEX")
        assert "LFE, the bass, is left out" in self.refused(path)

    def test_what_the_mix_cancels(self, folder):
        sound = noise(RATE, 4)
        sound[:, 2:] = -sound[:, :2]
        write(folder / "a.wav", sound, RATE, "WAVEX")
        (folder / "x.wav").write_bytes(riff(chunk(b"fmt ", fmt(4, 0)), chunk(b"data", pcm(sound))))
        self.refused(folder / "x.wav")

    def test_what_lies_above_the_new_rate(self, folder):
        tone = 0.5 * np.sin(2 * np.pi * 40_000 * np.arange(96_000 * 2) / 192_000) * np.hanning(96_000 * 2)
        self.refused(write(folder / "x.wav", tone[:, None], 192_000, subtype="PCM_24"))

    def test_the_region(self, folder):
        sound = noise(2 * RATE)
        sound[:RATE] = 0
        path = write(folder / "x.wav", sound, RATE)
        self.refused(path, start=0, end=0.9)
        check_region(path, 0.9, 1.1, longest=9)


def test_a_bomb_is_refused_before_it_is_decoded(folder, monkeypatch):
    path = write(folder / "x.flac", np.zeros((655_350, 8)), 96_000, "FLAC")
    monkeypatch.setattr("bridge_daemon.audio.region.MOST_SAMPLES", 1 << 20)
    with pytest.raises(SourceRefused, match="too much to decode"):
        check_region(path, None, None, longest=9)
