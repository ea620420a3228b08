"""A render that waits in the list and whose file changes: only new content spends by itself, a new time never."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from watchdog.observers import Observer

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.frontends.folders import folder as folder_module
from bridge_daemon.frontends.folders import scan
from bridge_daemon.frontends.folders.watch import CLOSE_EVENTS, FolderWatch, Hint
from tests.fakes.service import Service
from tests.frontends.folders.renders import known, listed, one, render, settled, swept, watched, watching
from tests.waiting import eventually

_later = itertools.count(1)


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
    """A file rests for less than in use; sweeps come when a test asks for one, or late."""
    monkeypatch.setattr(folder_module, "SETTLE", 0.2)
    monkeypatch.setattr(folder_module, "BROKEN", 0.3)
    monkeypatch.setattr("bridge_daemon.frontends.folders.watch.SWEEP", 30.0)


@pytest.fixture
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network folder; macOS and Windows do not tell of closed files either."""

    class NoneLeft(Observer):
        def schedule(self, *_: object, **__: object) -> None:
            raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("bridge_daemon.frontends.folders.watch.SWEEP_ALONE", 0.1)
    monkeypatch.setattr("bridge_daemon.util.watching.observer", NoneLeft)


@pytest_asyncio.fixture
async def service():
    async with Service() as running:
        yield running


def stamp_only(file: Path) -> None:
    """As a backup does."""
    at = 1_500_000_000 + next(_later)
    os.utime(file, (at, at))


def touch(file: Path) -> None:
    """As the program ``touch`` does: it opens for writing, writes nothing, and closes."""
    opened = os.open(file, os.O_WRONLY)
    at = 1_500_000_000 + next(_later)
    os.utime(file if os.name == "nt" else opened, (at, at))
    os.close(opened)


def render_over(file: Path) -> None:
    """As a DAW does: the same name, length and format, another sound; written and closed."""
    data = bytearray(file.read_bytes())
    for place in range(1000, 9000, 2):
        data[place] ^= 0x55
    file.write_bytes(data)


async def seen(daemon: Daemon, file: Path) -> dict[str, Any]:
    """Wait until the file is known as it is now, and return what the list says of it."""
    await swept(daemon)

    def now() -> Any:
        found = known(daemon, file)
        return found if found is not None and found.stamp == scan.stamp(file) else None

    render = await eventually(now, "it is known as it is now")
    await swept(daemon)
    return await listed(daemon, render.id)


class TestOnlyTheTime:
    @pytest.mark.parametrize("change", [stamp_only, touch])
    async def test_of_one_that_was_there_before(self, home, folder, service, change) -> None:
        file = render(folder / "old.wav")
        async with watching(home, service, watched(folder)) as daemon:
            await settled(daemon, file, "waiting")
            change(file)
            found = await seen(daemon, file)
            assert (found["state"], found["code"]) == ("waiting", "changed"), "it was never read before"
            assert "send it by hand" in found["text"]
            change(file)
            again = await seen(daemon, file)
            assert (again["state"], again["code"], again["entry"]) == ("waiting", "changed", found["entry"])
            assert service.charges == []
            await daemon.folders.send(found["entry"])
            await settled(daemon, file, "sent")
        assert len(service.charges) == 1

    @pytest.mark.parametrize("change", [stamp_only, touch])
    async def test_of_a_batch_that_waits(self, home, folder, service, change, tmp_path) -> None:
        files = [render(tmp_path / f"stem {n}.wav", pitch=100 + n) for n in range(5)]
        async with watching(home, service, watched(folder)) as daemon:
            moved = [file.rename(folder / file.name) for file in files]
            for file in moved:
                assert (await settled(daemon, file, "waiting"))["code"] == "batch"
        async with watching(home, service, watched(folder)) as daemon:  # no batch is remembered any more
            for file in moved:
                change(file)
                assert (await seen(daemon, file))["state"] == "waiting"
        assert service.charges == []

    @pytest.mark.parametrize("change", [stamp_only, touch])
    async def test_of_one_that_was_refused(self, home, folder, service, change) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            await daemon.actions.pause()
            file = render(folder / "drums.wav")
            assert (await settled(daemon, file, "waiting"))["code"] == "E-PAUSED"
            await daemon.actions.resume()
            change(file)
            assert (await seen(daemon, file))["code"] == "E-PAUSED", "its content was read: it is what it was"
            file.write_bytes(file.read_bytes())  # and written again with the same content
            assert (await seen(daemon, file))["code"] == "E-PAUSED"
        assert service.charges == []

    async def test_of_one_that_was_taken_off_the_list(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            await daemon.actions.pause()
            file = render(folder / "drums.wav")
            found = await settled(daemon, file, "waiting")
            await daemon.actions.resume()
            await daemon.folders.forget(found["entry"])
            touch(file)
            await swept(daemon)
            await eventually(lambda: known(daemon, file).stamp == scan.stamp(file))
            assert await daemon.folders.renders() == []
        assert service.charges == []

    async def test_with_a_sidecar_that_lay_beside_it(self, home, folder, service) -> None:
        file = render(folder / "old.wav")
        (folder / "old.bridge.toml").write_text('prompt = "bells"\n')
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            await settled(daemon, file, "waiting")
            touch(file)
            assert (await seen(daemon, file))["code"] == "changed"
        assert service.charges == []

    async def test_does_not_make_an_old_one_wait_for_a_sidecar(self, home, folder, service) -> None:
        file = render(folder / "old.wav")
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            await settled(daemon, file, "waiting")
            stamp_only(file)
            assert (await seen(daemon, file))["code"] == "before"
            (folder / "old.bridge.toml").write_text('prompt = "bells"\n')
            assert (await seen(daemon, file))["code"] == "before"
        assert service.charges == []

    @pytest.mark.parametrize("events", [True, False])
    async def test_of_many_at_once(self, home, folder, service, events, request, tmp_path) -> None:
        if not events:
            request.getfixturevalue("no_events")
        files = [render(folder / f"old {n}.wav", pitch=100 + n, rate=8000, channels=1) for n in range(12)]
        async with watching(home, service, watched(folder)) as daemon:
            for file in files:
                await settled(daemon, file, "waiting")
            for file in files:
                touch(file)
            await swept(daemon)
            for file in files:
                found = await eventually(
                    lambda file=file: (now := known(daemon, file)) and now.code == "changed" and now
                )
                assert found.sha256 is not None
            new = render(folder / "new.wav", pitch=400)
            await settled(daemon, new, "sent")  # those are no batch
        assert len(service.charges) == 1


class TestNewContent:
    async def test_over_one_that_was_there_before(self, home, folder, service) -> None:
        """The way of REAPER and Live: written and closed while the bridge watches."""
        file = render(folder / "old.wav")
        async with watching(home, service, watched(folder)) as daemon:
            await settled(daemon, file, "waiting")
            render_over(file)
            if not CLOSE_EVENTS:  # what was never read may have had its time stamp changed alone
                assert (await seen(daemon, file))["code"] == "changed"
                return
            await settled(daemon, file, "sent")
            render_over(file)
            await eventually(lambda: (now := known(daemon, file)) is not None and now.request is None)
            await settled(daemon, file, "sent")
            await swept(daemon)
        assert len(service.charges) == 2

    async def test_over_one_that_was_read_before(self, home, folder, service) -> None:
        file = render(folder / "old.wav")
        async with watching(home, service, watched(folder)) as daemon:
            await settled(daemon, file, "waiting")
            touch(file)
            assert (await seen(daemon, file))["code"] == "changed"
            render_over(file)
            await settled(daemon, file, "sent")
        assert len(service.charges) == 1

    async def test_of_another_length(self, home, folder, service, no_events) -> None:
        file = render(folder / "old.wav")
        async with watching(home, service, watched(folder)) as daemon:
            await settled(daemon, file, "waiting")
            render(file, pitch=400)
            await settled(daemon, file, "sent")
        assert len(service.charges) == 1

    async def test_where_nobody_tells_of_closed_files(self, home, folder, service, no_events) -> None:
        file = render(folder / "old.wav")
        async with watching(home, service, watched(folder)) as daemon:
            await settled(daemon, file, "waiting")
            render_over(file)
            assert (await seen(daemon, file))["code"] == "changed", "what it was before is not known"
            assert service.charges == []
            render_over(file)  # now it is
            await settled(daemon, file, "sent")
        assert len(service.charges) == 1

    async def test_renamed_over_one_that_waits(self, home, folder, service, tmp_path) -> None:
        """As sync clients do, whose content is the same: it is not taken for new before it was read once."""
        file = render(folder / "old.wav")
        async with watching(home, service, watched(folder)) as daemon:
            await settled(daemon, file, "waiting")
            for code in ("changed", None):
                other = tmp_path / "other.wav"
                other.write_bytes(file.read_bytes())
                render_over(other)
                other.replace(file)
                if code:
                    assert (await seen(daemon, file))["code"] == code
            await settled(daemon, file, "sent")
        assert len(service.charges) == 1


class TestWhatCannotBeSeenForAMoment:
    async def test_was_there_before_all_the_same(self, home, folder, service, monkeypatch) -> None:
        """A share that fails for a moment while the folder is opened: what it hides is not new when it is back."""
        file, away = render(folder / "old.wav"), [True]
        real = scan._stamp

        def fails(entry: os.DirEntry[str]) -> scan.Stamp:
            if away and entry.name == file.name:
                raise OSError(5, "Input/output error")
            return real(entry)

        lstat = Path.lstat

        def fails_too(path: Path) -> os.stat_result:
            if away and path == file:
                raise OSError(5, "Input/output error")
            return lstat(path)

        monkeypatch.setattr(scan, "_stamp", fails)
        monkeypatch.setattr(Path, "lstat", fails_too)
        async with watching(home, service, watched(folder)) as daemon:
            render(folder / "new.wav", pitch=300)
            await settled(daemon, "new.wav", "sent")
            assert known(daemon, file) is None
            away.clear()
            assert (await settled(daemon, file, "waiting"))["code"] == "before"
            away.append(True)
            assert await one(daemon)._sweep(one(daemon)._watch)
            away.clear()
            assert (await seen(daemon, file))["code"] == "before"
        assert len(service.charges) == 1


@pytest.mark.skipif(not CLOSE_EVENTS, reason="only Linux tells of closed files")
class TestWhatTheSystemTells:
    async def test_content_is_told_from_a_time_stamp(self, folder) -> None:
        file = render(folder / "a.wav")
        watch = FolderWatch(folder, lambda: None)
        watch.open(empty_is_away=False)
        hints: list[tuple[Hint, str]] = []

        async def closed() -> Hint:
            def found() -> Hint | None:
                hints.extend(watch.take(100))
                return next((hint for hint, _ in hints if hint in (Hint.CLOSED, Hint.WRITTEN)), None)

            hint = await eventually(found)
            hints.clear()
            return hint

        try:
            touch(file)
            assert await closed() is Hint.CLOSED
            render_over(file)
            assert await closed() is Hint.WRITTEN
            touch(file)
            assert await closed() is Hint.CLOSED, "what was written before does not count again"
        finally:
            watch.close()
