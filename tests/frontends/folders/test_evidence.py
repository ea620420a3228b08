"""A file is whole on evidence only, and what it is is its content: what rests is not whole, nor what looks the same."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from bridge_daemon.frontends.folders import folder as folder_module
from bridge_daemon.util.held import is_held_for_writing
from tests.audio.sounds import noise, write
from tests.fakes.service import Service
from tests.frontends.folders.renders import known, render, settled, swept, watched, watching
from tests.waiting import eventually

SETTLE = 0.2


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "music" / "Renders"
    path.mkdir(parents=True)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "SETTLE", SETTLE)
    monkeypatch.setattr("bridge_daemon.frontends.folders.watch.SWEEP", 0.3)


@pytest_asyncio.fixture
async def service():
    async with Service() as running:
        yield running


def mp3(path: Path, seconds: float = 8.0) -> bytes:
    """Return an MP3 without a tag, so of no told length."""
    from io import BytesIO

    from bridge_daemon.audio import mp3 as frames

    sound = np.sin(np.arange(round(44_100 * seconds)) / 9)[:, None] * 0.3
    data = write(path, sound, 44_100, "MP3", "MPEG_LAYER_III").read_bytes()
    path.unlink()
    [(start, end)] = frames.scan(BytesIO(data), len(data)).spans
    return data[start:end]


def edge(data: bytes, share: float) -> int:
    """Return where a frame ends: what is cut in the middle of one is refused as cut off anyway."""
    from io import BytesIO

    from bridge_daemon.audio import mp3 as frames

    cut = data[: int(len(data) * share)]
    return frames.scan(BytesIO(cut), len(cut)).end


class TestGrowing:
    @pytest.mark.skipif(sys.platform != "linux", reason="asks Linux who writes")
    async def test_what_is_held_open_is_not_whole_however_long_it_rests(self, home, folder, service, tmp_path) -> None:
        data = mp3(tmp_path / "x.mp3")
        async with watching(home, service, watched(folder)) as daemon:
            with (folder / "drums.mp3").open("wb") as file:
                for part in range(4):
                    file.write(data[part * len(data) // 4 : (part + 1) * len(data) // 4])
                    file.flush()
                    await asyncio.sleep(8 * SETTLE)
                assert not service.charges
            await settled(daemon, "drums.mp3", "sent")
        assert len(service.charges) == 1

    async def test_what_is_opened_and_closed_for_each_part(self, home, folder, service, tmp_path) -> None:
        data = mp3(tmp_path / "x.mp3")
        async with watching(home, service, watched(folder)) as daemon:
            for part in range(4):
                with (folder / "drums.mp3").open("ab") as file:
                    file.write(data[part * len(data) // 4 : (part + 1) * len(data) // 4])
                await asyncio.sleep(2 * SETTLE)
                assert not service.charges
            await settled(daemon, "drums.mp3", "sent")
        assert len(service.charges) == 1

    async def test_what_grows_on_after_it_was_sent_is_told_and_not_sent_again(
        self, home, folder, service, tmp_path
    ) -> None:
        data = mp3(tmp_path / "x.mp3", 14)
        async with watching(home, service, watched(folder)) as daemon:
            file = folder / "drums.mp3"
            file.write_bytes(data[: edge(data, 0.5)])
            sent = await settled(daemon, file, "sent")
            for share in (0.75, 1):
                with file.open("r+b") as writer:
                    writer.seek(0, os.SEEK_END)
                    writer.write(data[file.stat().st_size : edge(data, share)])
                size = file.stat().st_size
                await eventually(lambda size=size: (now := known(daemon, file)) and now.size == size)
                early = await settled(daemon, file, "waiting")
                assert (early["code"], early["same_as"]) == ("early", sent["entry"])
                assert "sent too early" in early["text"]
            assert len(service.charges) == 1
            await daemon.folders.send(early["entry"])
            await eventually(lambda: len(service.charges) == 2)

    async def test_a_longer_render_over_one_that_was_whole_is_a_new_one(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            sound, file = noise(48_000 * 16), folder / "drums.wav"
            write(file, sound[: 48_000 * 7], 48_000)
            old = await settled(daemon, file, "sent")
            write(file, sound, 48_000)
            await eventually(lambda: (now := known(daemon, "drums.wav")) and now.id != old["entry"])
            await settled(daemon, file, "sent")
        assert len(service.charges) == 2

    @pytest.mark.parametrize("more", [8, 1, -8])
    async def test_a_riff_length_that_is_a_little_wrong(self, home, folder, service, more) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            file = write(folder / ".a", noise(48_000 * 7), 48_000)
            data = bytearray(file.read_bytes())
            data[4:8] = (len(data) - 8 + more).to_bytes(4, "little")
            (folder / "drums.wav").write_bytes(data)
            await settled(daemon, "drums.wav", "sent")


class TestContent:
    """Size and time say nothing: loops of one archive have both alike."""

    def other(self, path: Path, like: os.stat_result, pitch: float) -> None:
        render(path, pitch=220)
        data = bytearray(path.read_bytes())
        body = np.frombuffer(bytes(data[100:-100]), "u1") ^ int(pitch)
        data[100:-100] = body.tobytes()
        path.write_bytes(data)
        os.utime(path, ns=(like.st_atime_ns, like.st_mtime_ns))
        assert path.stat().st_size == like.st_size

    async def test_another_render_of_the_size_and_the_time_of_one_that_is_gone(
        self, home, folder, service, tmp_path
    ) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            first = render(folder / "a.wav")
            status = first.stat()
            await settled(daemon, first, "sent")
            first.unlink()
            await eventually(lambda: known(daemon, "a.wav") is None)
            self.other(tmp_path / "b.wav", status, 1)
            (tmp_path / "b.wav").rename(folder / "b.wav")
            found = await settled(daemon, "b.wav", "sent")
            assert found["jobs"]
        assert len(service.charges) == 2

    async def test_another_render_put_over_one_that_was_sent(self, home, folder, service, tmp_path) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            first = render(folder / "a.wav")
            status = first.stat()
            old = await settled(daemon, first, "sent")
            self.other(tmp_path / "b.wav", status, 1)
            (tmp_path / "b.wav").replace(first)
            await eventually(lambda: (now := known(daemon, "a.wav")) and now.id != old["entry"])
            await settled(daemon, "a.wav", "sent")
        assert len(service.charges) == 2

    async def test_renamed_is_the_same(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            first = render(folder / "a.wav")
            old = await settled(daemon, first, "sent")
            first.rename(folder / "b.wav")
            assert (await settled(daemon, "b.wav", "sent"))["entry"] == old["entry"]
            await swept(daemon)
        assert len(service.charges) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux who writes")
def test_who_holds_a_file(tmp_path: Path) -> None:
    file = tmp_path / "x"
    with file.open("wb"):
        assert is_held_for_writing(file) is True
    with file.open("rb"):
        assert is_held_for_writing(file) is False
    assert is_held_for_writing(file) is False
    with pytest.raises(FileNotFoundError):
        is_held_for_writing(tmp_path / "y")
