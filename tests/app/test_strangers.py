"""Another user may write in a project's folder: no file of the owner is written through a name, and nothing hangs."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bridge_daemon
from bridge_daemon.audio.completeness import fault_of
from bridge_daemon.audio.render import render_facts
from bridge_daemon.audio.wav import read_bext, read_info
from bridge_daemon.domain.job import State
from bridge_daemon.errors import BridgeError, NotFound
from bridge_daemon.frontends.folders import names, sidecar
from bridge_daemon.frontends.folders.sidecar import read_sidecar
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.pipeline import copies, deliver, finish
from bridge_daemon.util import files, foreign
from tests.fakes.service import Service
from tests.support import job_of, press, request, running, tone, until

PACKAGE = Path(bridge_daemon.__file__).parent
pytestmark = pytest.mark.posix("links and named pipes of POSIX")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "song.rpp").touch()
    return folder


def names_once_known(name: str) -> list[str]:
    """Return the names under which version 0.1.0 wrote the parts of a file."""
    return [f".{name}.part", f".{name}.{os.getpid()}.part"]


async def test_a_link_under_the_name_of_a_part_is_not_written_through(tmp_path: Path, project: Path) -> None:
    private = tmp_path / "private"
    private.write_text("mine")
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await press(daemon, place={"folder": str(project)}))
        assert job.take is not None
        copy = project / Path(job.take.file).name
        for name in names_once_known(copy.name):
            (project / name).symlink_to(private)
        copy.unlink()
        await daemon.actions.deliver(job.id)
        await until(daemon, job.id)
        assert private.read_text() == "mine"
        assert copy.read_bytes() == Path(job.take.file).read_bytes()


@pytest.mark.parametrize("kind", ["link", "pipe", "dangling link", "folder"])
async def test_what_lies_under_the_name_of_the_take_is_left_as_it_is(tmp_path: Path, project: Path, kind: str) -> None:
    private = tmp_path / "private"
    if kind != "dangling link":
        private.write_text("mine")
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await press(daemon, place={"folder": str(project)}))
        assert job.take is not None
        copy = project / Path(job.take.file).name
        copy.unlink()
        if kind == "pipe":
            os.mkfifo(copy)
        elif kind == "folder":
            copy.mkdir()
        else:
            copy.symlink_to(private)
        before = copy.lstat()
        await daemon.actions.deliver(job.id)
        assert (await until(daemon, job.id)).state is State.PLACED
        assert copy.lstat() == before
        assert private.exists() == (kind != "dangling link")
        beside = copy.with_name(f"{copy.stem}-2{copy.suffix}")
        assert beside.read_bytes() == Path(job.take.file).read_bytes()


async def test_eight_named_pipes_hold_nothing_up(tmp_path: Path, project: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        jobs = [
            await until(daemon, await press(daemon, prompt=f"rain {n}", place={"folder": str(project)}))
            for n in range(8)
        ]
        for job in jobs:
            assert job.take is not None
            copy = project / Path(job.take.file).name
            copy.unlink()
            for name in names_once_known(copy.name):
                os.mkfifo(project / name)
            await daemon.actions.deliver(job.id)
        assert (await until(daemon, await press(daemon), seconds=10)).state is State.PLACED
        for job in jobs:
            assert (await until(daemon, job.id, seconds=10)).state is State.PLACED


async def test_no_part_has_a_name_that_can_be_known(tmp_path: Path, project: Path, passed: set[str]) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await press(daemon, place={"folder": str(project)}))
        assert job.state is State.PLACED
    parts = [name for name in passed if name.endswith(".part")]
    assert len(parts) >= 3
    for name in parts:
        assert len(set(Path(name).name.split(".")[-2])) > 4, name
        assert len(Path(name).name.split(".")[-2]) >= 16, name


@pytest.fixture
def passed() -> Iterator[set[str]]:
    """Collect what is opened for writing, by Python's own audit of it."""
    seen: set[str] = set()
    on = [True]

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "open" and on and isinstance(given[0], str) and given[2] & (os.O_WRONLY | os.O_RDWR):
            seen.add(given[0])
            if given[0].endswith(".part"):
                assert given[2] & os.O_EXCL, given
                assert given[2] & os.O_NOFOLLOW, given

    sys.addaudithook(hook)
    yield seen
    on.clear()


class TestATake:
    """What is brought, and served, is what was stored, and lies where it was allowed."""

    @pytest.mark.parametrize("change", ["link", "hard link", "bytes", "appended", "pipe", "folder"])
    @pytest.mark.parametrize("to_project", [True, False])
    async def test_another_file_under_its_name_is_not_brought(
        self, tmp_path: Path, project: Path, change: str, to_project: bool
    ) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            place = {"folder": str(project)} if to_project else {}
            job = await until(daemon, await press(daemon, place=place))
            assert job.take is not None
            take, token = Path(job.take.file), daemon.home.token_file
            (project / take.name).unlink(missing_ok=True)
            changed(take, token, change)
            told: list[Path] = []
            daemon.parts.context.ready.append(lambda job, file: told.append(file))
            await daemon.actions.deliver(job.id)
            async with asyncio.timeout(10):
                while (found := await job_of(daemon, job.id)).problem is None:
                    await asyncio.sleep(0.02)
            assert (found.state, found.problem.code) == (State.STORED, "E-UNPLACED")
            assert [path.name for path in project.iterdir()] == ["song.rpp"]
            assert told == []

    @pytest.mark.parametrize("change", ["link", "hard link", "bytes", "appended", "pipe", "folder"])
    async def test_another_file_under_the_name_of_the_original_makes_no_take(self, tmp_path: Path, change: str) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            job = await until(daemon, await press(daemon))
            assert job.take is not None
            assert job.original is not None
            take = Path(job.take.file)
            take.unlink()
            changed(Path(job.original), daemon.home.token_file, change)
            back = job.evolve(state=State.FETCHING, take=None)
            assert finish._make(back, daemon.parts.context) is None
            assert not take.exists()

    @pytest.mark.parametrize("part", ["the folder", "the one above"])
    async def test_a_folder_that_is_swapped_for_a_link_gets_nothing(
        self, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, part: str
    ) -> None:
        elsewhere, media = tmp_path / "elsewhere", project / "Media"
        media.mkdir()
        (elsewhere / "Media").mkdir(parents=True)
        check = PathPolicy.check_folder_for_writing

        def swap(policy: PathPolicy, text: str) -> Path:
            found = check(policy, text)
            if swapping:
                folder, to = (media, elsewhere / "Media") if part == "the folder" else (project, elsewhere)
                folder.rename(tmp_path / "away")
                folder.symlink_to(to)
            return found

        swapping: list[bool] = []
        monkeypatch.setattr(PathPolicy, "check_folder_for_writing", swap)
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            answer, _ = await daemon.actions._admit.admit(request(place={"folder": str(media)}))
            swapping.append(True)
            daemon.actions._drive(answer["jobs"])
            async with asyncio.timeout(10):
                while (found := await job_of(daemon, answer["jobs"][0])).problem is None:
                    await asyncio.sleep(0.02)
            assert found.problem.code == "E-UNPLACED"
        assert not [path for path in elsewhere.rglob("*") if path.is_file()]


def changed(file: Path, token: Path, change: str) -> None:
    data = file.read_bytes()
    if change == "appended":
        file.write_bytes(data + b"x")
    elif change == "bytes":
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        file.unlink()
        if change == "link":
            file.symlink_to(token)
        elif change == "hard link":
            os.link(token, file)
        elif change == "pipe":
            os.mkfifo(file)
        else:
            file.mkdir()


class TestAFolderThatDoesNotAnswer:
    @pytest.fixture
    def hangs(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
        """Let each copy to a project's folder hang, as on a network disk whose server is gone."""
        freed = threading.Event()
        monkeypatch.setattr(foreign, "SECONDS", 0.5)
        monkeypatch.setattr(deliver, "_AGAIN", 0.5)
        bring = copies.bring

        def hang(*given: Any) -> Any:
            freed.wait(60)
            return bring(*given)

        monkeypatch.setattr(copies, "bring", hang)
        yield freed
        freed.set()

    async def test_holds_up_nothing_else(self, tmp_path: Path, project: Path, hangs: threading.Event) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            for number in range(12):
                await press(daemon, prompt=f"rain {number}", place={"folder": str(project)})
            found = None
            async with asyncio.timeout(20):
                while found is None or found.problem is None:
                    found = (await daemon.journal.read(lambda tx: tx.find(states=["stored"])) or [None])[0]
                    await asyncio.sleep(0.05)
            assert found.problem.code == "E-UNPLACED"
            async with asyncio.timeout(20):
                while (await daemon.journal.read(lambda tx: tx.count())).get("stored") != 12:
                    await asyncio.sleep(0.05)
            hangs.set()
            for job in await daemon.journal.read(lambda tx: tx.find()):
                assert (await until(daemon, job.id, seconds=20)).state is State.PLACED
            assert len(list(project.glob("*.wav"))) == 12

    async def test_the_end_does_not_wait_for_it(self, tmp_path: Path, project: Path, hangs: threading.Event) -> None:
        async with Service() as service:
            async with running(tmp_path / "home", service) as daemon:
                job = await press(daemon, place={"folder": str(project)})
                await until(daemon, job, {State.STORED})
                await asyncio.sleep(0.2)
                began = time.monotonic()
            assert time.monotonic() - began < 5
            hangs.set()


def test_every_file_is_made_by_the_one_helper() -> None:
    """Whoever makes files otherwise says here why a link in the way does no harm."""
    allowed = {
        "util/files.py": "the helper",
        "util/failpoints.py": "for tests only",
        "home/logs.py": "in the home, which is closed to others",
        "journal/record.py": "in the home; it does not follow links",
        "cli/problems.py": "the log in the home",
        "publish/trial.py": "in memory, then by the helper",
        "care/trial_daemon.py": "in a new folder of its own",
        "cli/background.py": "the log in the home",
        "install/reaper_check.py": "in a new folder of its own",
    }
    made = re.compile(r"""open\([^)\n]*"[rb]*[wax+][b+]*"|O_CREAT|O_TRUNC|\.write_(bytes|text)\(""")
    offenders = {
        name
        for path in PACKAGE.rglob("*.py")
        if made.search(path.read_text(encoding="utf-8"))
        and (name := path.relative_to(PACKAGE).as_posix()) not in allowed
    }
    assert offenders == {"engine/sketch/store.py"}, "it opens what it has made, to flush it"


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_note_of_an_error_is_written_through_no_name(tmp_path: Path, kind: str) -> None:
    private, render = tmp_path / "private", tmp_path / "renders" / "a.wav"
    render.parent.mkdir()
    private.write_text("mine")
    note = render.with_name(names.error_note(render.name))
    for name in (note.name, *names_once_known(note.name)):
        if kind == "pipe":
            os.mkfifo(render.with_name(name))
        else:
            render.with_name(name).symlink_to(private)
    sidecar.note_error(render, NotFound("There is no such preset."))
    assert private.read_text() == "mine"
    assert "no such preset" in note.read_text()
    assert not note.is_symlink()


@pytest.mark.parametrize(
    "read", [files.sha256, fault_of, read_bext, read_info, render_facts, read_sidecar, files.open_plain]
)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_read_is_a_plain_file(tmp_path: Path, read: Callable[[Path], Any], kind: str) -> None:
    file = tmp_path / "a.wav"
    made = file if read is not read_sidecar else tmp_path / names.sidecars(file.name)[0]
    if kind == "pipe":
        os.mkfifo(made)
    elif kind == "folder":
        made.mkdir()
    else:
        made.symlink_to(tone(tmp_path / "b.wav"))
    began = time.monotonic()
    with pytest.raises((OSError, BridgeError)):
        read(file)
    assert time.monotonic() - began < 5


async def test_a_pool_whose_threads_hang_ends(tmp_path: Path) -> None:
    """Python joins the threads of its own pools at the end of the process."""
    code = (
        "import asyncio, threading\\n"
        "from bridge_daemon.util.threads import DaemonPool\\n"
        "async def main():\\n"
        "    loop = asyncio.get_running_loop()\\n"
        "    loop.set_default_executor(DaemonPool(2, 'x'))\\n"
        "    print(await asyncio.to_thread(lambda: 'done'))\\n"
        "    hangs = asyncio.create_task(asyncio.to_thread(threading.Event().wait))\\n"
        "    await asyncio.sleep(0.1)\\n"
        "    hangs.cancel()\\n"
        "asyncio.run(main())\\n"
    ).replace("\\n", "\n")
    done = await asyncio.to_thread(
        lambda: subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
