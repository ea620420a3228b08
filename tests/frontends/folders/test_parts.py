"""The parts of watched folders that decide alone: names, batches, whole files, sidecars' places."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from bridge_daemon.audio.completeness import fault_of, proves_its_end
from bridge_daemon.audio.render import render_facts
from bridge_daemon.frontends.folders import names as names
from bridge_daemon.frontends.folders.batch_limit import WINDOW, BatchLimiter
from tests.support import tone


class TestNames:
    @pytest.mark.parametrize(
        "name", ["a.wav", "A.WAV", "Klänge 1.aiff", "x.y.flac", "take.mp3", "tmp.wav", "parts.wav"]
    )
    def test_taken(self, name: str) -> None:
        assert names.is_render(name)

    @pytest.mark.parametrize(
        "name",
        [
            "a.wav.tmp",
            "a.tmp.wav",
            "a.part.wav",
            ".a.wav",
            "~a.wav",
            "$a.wav",
            "a.txt",
            "a.wav.asd",
            "a.reapeaks",
            "wav",
            "a.wav.crdownload",
            "._a.wav",
            "a.bridge.toml",
            "a.wav.bridge.error.txt",
        ],
    )
    def test_left_alone(self, name: str) -> None:
        assert not names.is_render(name)

    def test_sidecars(self) -> None:
        assert names.sidecar_of("drums.bridge.toml") == "drums"
        assert names.sidecar_of("drums.wav.bridge.JSON") == "drums.wav"
        for name in ("drums.toml", ".bridge.toml", ".x.bridge.toml", "drums.bridge.error.txt"):
            assert names.sidecar_of(name) is None, name


class TestBatches:
    def burst(self) -> tuple[BatchLimiter, list[float]]:
        clock = [100.0]
        return BatchLimiter(lambda: clock[0]), clock

    def sends(self, burst: BatchLimiter, name: str, most: int = 3) -> bool:
        burst.came(name)
        burst.settled(name)
        if burst.is_over(most):
            return False
        burst.spent()
        return not burst.is_broken(most)

    def test_as_many_as_are_allowed(self) -> None:
        burst, clock = self.burst()
        assert [self.sends(burst, str(n)) for n in range(5)] == [True, True, True, False, False]
        clock[0] += WINDOW - 0.1
        assert not self.sends(burst, "5"), "what follows belongs to the batch"
        clock[0] += WINDOW + 0.1
        assert self.sends(burst, "6"), "after ten quiet seconds"

    def test_of_more_that_come_together_none(self) -> None:
        burst, _ = self.burst()
        for n in range(4):
            burst.came(str(n))
        assert burst.is_over(3)

    def test_what_is_being_written_for_long_counts(self) -> None:
        burst, clock = self.burst()
        for n in range(4):
            burst.came(str(n))
        clock[0] += 100
        burst.settled("0")
        assert burst.is_over(3)

    def test_what_turned_out_to_be_nothing_does_not_count(self) -> None:
        burst, _ = self.burst()
        for n in range(8):
            burst.came(str(n))
            burst.dropped(str(n))
        assert self.sends(burst, "real")

    def test_one_that_is_rendered_again_and_again(self) -> None:
        burst, _ = self.burst()
        assert [self.sends(burst, "same") for _ in range(4)] == [True, True, True, False]


class TestWholeFiles:
    @pytest.mark.parametrize("ending", ["wav", "aiff", "flac", "ogg", "w64", "caf", "rf64"])
    def test_whole(self, tmp_path: Path, ending: str) -> None:
        kinds = {"ogg": "VORBIS", "flac": "PCM_16"}
        file = tone(tmp_path / f"a.{ending}", seconds=0.5, subtype=kinds.get(ending, "PCM_24"))
        assert fault_of(file) is None

    @pytest.mark.parametrize("ending", ["wav", "aiff", "w64", "caf", "rf64"])
    def test_cut_off(self, tmp_path: Path, ending: str) -> None:
        file = tone(tmp_path / f"a.{ending}", seconds=0.5)
        file.write_bytes(file.read_bytes()[:-100])
        assert "bytes of sound" in (fault_of(file) or "")

    def test_a_chunk_behind_the_sound_may_be_on_its_way(self, tmp_path: Path) -> None:
        file = tone(tmp_path / "a.wav", seconds=0.5)
        data = file.read_bytes() + b"iXML" + struct.pack("<I", 100) + b"x" * 100
        file.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:-40])
        assert fault_of(file) is None  # others read it; but only time can tell that no more of it comes
        assert not proves_its_end(file)

    def test_no_audio(self, tmp_path: Path) -> None:
        file = tmp_path / "a.wav"
        for data, said in ((b"", "empty"), (b"<html>", "web page"), (b"RIFF\0\0\0\0WAVE", "no sound")):
            file.write_bytes(data)
            assert said in (fault_of(file) or "")


class TestTempo:
    @pytest.mark.parametrize(
        ("name", "body", "tempo"),
        [
            (b"acid", struct.pack("<IHHfIHHf", 0, 60, 0, 0.0, 8, 4, 4, 120.5), 120.5),
            (b"acid", struct.pack("<IHHfIHHf", 1, 60, 0, 0.0, 8, 4, 4, 120.5), None),  # a one-shot
            (b"acid", struct.pack("<IHHfIHHf", 0, 60, 0, 0.0, 8, 4, 4, float("nan")), None),
            (b"acid", b"short", None),
            (b"iXML", b"<?xml?><BWFXML><TEMPO>87.25</TEMPO></BWFXML>", 87.25),
            (b"iXML", b"<TEMPO>0</TEMPO>", None),
        ],
    )
    def test_is_read_from_the_file(self, tmp_path: Path, name: bytes, body: bytes, tempo: float | None) -> None:
        file = tone(tmp_path / "a.wav", seconds=0.5)
        file.write_bytes(file.read_bytes() + name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2))
        assert render_facts(file).tempo == tempo

    def test_a_file_without_any(self, tmp_path: Path) -> None:
        facts = render_facts(tone(tmp_path / "a.flac", seconds=0.5))
        assert (facts.tempo, facts.position) == (None, None)
