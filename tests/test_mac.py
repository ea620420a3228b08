"""What is otherwise on a Mac: names that are spelled in two ways, folders behind links, and the events of FSEvents."""

from __future__ import annotations

import asyncio
import shutil
import sys
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bridge_daemon.errors import PathRefused
from bridge_daemon.frontends.folders.watch import FolderWatch, Hint
from bridge_daemon.frontends.mailbox.watch import InboxWatch
from bridge_daemon.home.path_policy import PathPolicy
from tests.fakes.fsevents import CREATED, FOLDER, REMOVED, RENAMED, fsevents
from tests.fakes.service import Service
from tests.frontends.folders.renders import job_placed, one, render, settled, swept, watched, watching
from tests.macfs import mac_disk
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="FUSE of Linux, and FSEvents that are made up")
NAME = "Größe é"
APART = unicodedata.normalize("NFD", NAME)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose end nobody told of need not rest for as long as in use."""
    monkeypatch.setattr("bridge_daemon.frontends.folders.folder.SETTLE", 0.2)
    monkeypatch.setattr("bridge_daemon.frontends.folders.watch.SWEEP", 0.5)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    async with Service() as running:
        yield running


class TestEvents:
    """As FSEvents tells them: paths lead through all links, and have the letters of the disk."""

    async def test_of_an_inbox_behind_a_link(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """/tmp and /var are links on a Mac."""
        (tmp_path / "private" / "tmp" / "home" / "inbox" / "reaper").mkdir(parents=True)
        (tmp_path / "tmp").symlink_to(tmp_path / "private" / "tmp")
        seen: list[str] = []
        with fsevents(monkeypatch) as streams:
            watch = InboxWatch(tmp_path / "tmp" / "home" / "inbox", seen.append)
            assert watch.start(asyncio.get_running_loop()) == ""
            try:
                file = tmp_path / "private" / "tmp" / "home" / "inbox" / "reaper" / "1.json"
                file.touch()
                streams[0].tell((file, CREATED))
                await eventually(lambda: seen, "the event")
            finally:
                watch.stop()
        assert set(seen) == {"reaper"}

    @pytest.mark.parametrize("kind", ["apfs", "hfs"])
    async def test_of_a_watched_folder_in_other_letters(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        with mac_disk(kind, tmp_path) as disk, fsevents(monkeypatch) as streams:
            (disk / APART).mkdir()
            (tmp_path / "Volumes").symlink_to(disk)
            watch = FolderWatch(tmp_path / "Volumes" / NAME.upper().replace("SS", "ß"), lambda: None)
            watch.open(empty_is_away=False)
            try:
                folder = disk / APART  # as the system names it
                (folder / "sub").mkdir()
                for name in ("é.wav", "sub/b.wav", "c.wav"):
                    (folder / name).touch()
                    streams[0].tell((folder / name, CREATED))
                await eventually(lambda: len(watch._hints) >= 2, "two events")
                composed, apart = "é.wav", unicodedata.normalize("NFD", "é.wav")
                first = composed if kind == "apfs" else apart
                streams[0].tell((folder / "sub" / "b.wav", RENAMED), (folder / "b.wav", RENAMED))
                streams[0].tell((folder, REMOVED | FOLDER))
                await eventually(lambda: any(hint is Hint.FOLDER for hint, _ in watch._hints), "the folder's own")
                names = [name for _, name in watch.take(99)]
                assert unicodedata.normalize("NFC", names[0]) == unicodedata.normalize("NFC", first)
                assert [name for name in names if name.isascii()][:1] == ["c.wav"]
            finally:
                watch.close()


class TestReadingAndWriting:
    @pytest.mark.parametrize("kind", ["apfs", "hfs"])
    def test_a_path_in_other_letters_than_its_root(self, tmp_path: Path, kind: str) -> None:
        with mac_disk(kind, tmp_path) as disk:
            for name in (f"{NAME}/deep/a.wav", f"{NAME}/.hidden/a.wav", "other/a.wav", "System/a.wav"):
                (disk / name).parent.mkdir(parents=True, exist_ok=True)
                (disk / name).write_bytes(b"x")
            policy = PathPolicy([disk / NAME], writable=[disk / NAME])
            for spelled in (NAME, APART, NAME.upper().replace("SS", "ß"), APART.swapcase().replace("SS", "ß")):
                assert policy.check(f"{disk}/{spelled}/DEEP/a.wav").read_bytes() == b"x"
                assert policy.check_folder_for_writing(f"{disk}/{spelled}/deep").is_dir()
                with pytest.raises(PathRefused):
                    policy.check(f"{disk}/{spelled}/.HIDDEN/a.wav")
            with pytest.raises(PathRefused):
                policy.check(f"{disk}/Other/a.wav")


class TestFolders:
    @pytest.mark.parametrize("kind", ["apfs", "hfs"])
    async def test_one_file_is_one_render_whatever_tells_of_it(
        self, tmp_path: Path, home: Path, service: Service, kind: str
    ) -> None:
        """Linux tells the letters of the writer, and the list of the folder has those of the disk."""
        with mac_disk(kind, tmp_path) as disk:
            folder = disk / "Renders"
            folder.mkdir()
            async with watching(home, service, watched(folder)) as daemon:
                listed = NAME if kind == "apfs" else APART
                shutil.move(render(tmp_path / "r.wav"), folder / f"{NAME}.wav")
                await job_placed(daemon, await settled(daemon, f"{listed}.wav", "sent"))
                await swept(daemon)
                assert list(one(daemon).known.files) == [f"{listed}.wav"]
                assert len(await daemon.folders.renders()) == 1
            assert len(service.charges) == 1

    async def test_another_case_is_the_same_render(self, tmp_path: Path, home: Path, service: Service) -> None:
        with mac_disk("apfs", tmp_path) as disk:
            folder = disk / "Renders"
            folder.mkdir()
            async with watching(home, service, watched(folder, spend=False)) as daemon:
                shutil.move(render(tmp_path / "r.wav"), folder / "drums.wav")
                before = await settled(daemon, "drums.wav", "waiting")
                (folder / "drums.wav").rename(folder / "Drums.wav")
                after = await settled(daemon, "Drums.wav", "waiting")
                await swept(daemon)
                assert list(one(daemon).known.files) == ["Drums.wav"]
                assert after["entry"] == before["entry"]

    async def test_a_folder_in_the_library_is_not_watched_in_other_letters(
        self, tmp_path: Path, home: Path, service: Service
    ) -> None:
        with mac_disk("apfs", tmp_path) as disk:
            (disk / "Takes" / "deep").mkdir(parents=True)
            inside = watched(disk / "tAKES" / "deep")
            async with watching(home, service, inside, wait=False, audio={"library": str(disk / "Takes")}) as daemon:
                [about] = daemon.folders.about()["folders"]
            assert "lies in the library" in about["problem"]
