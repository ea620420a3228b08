"""The library lies on a disk that is not always there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bridge_daemon.domain.job import Charge, State
from bridge_daemon.home.library_mark import MARK, is_there
from bridge_daemon.pipeline import disk
from tests.fakes.service import Service
from tests.support import job_of, press, running, until, until_event


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LOOK", 0.1)


def unmount(library: Path) -> Path:
    """Leave a bare folder in place of a library, as a disk does that is not mounted; return where its content is."""
    away = library.with_name("away")
    library.rename(away)
    library.mkdir()
    return away


def mount(library: Path, away: Path) -> None:
    shutil.rmtree(library)
    away.rename(library)


async def test_nothing_is_sent_while_the_disk_of_the_library_is_not_there(tmp_path: Path) -> None:
    library = tmp_path / "disk"
    async with Service() as service, running(tmp_path / "home", service, audio={"library": str(library)}) as daemon:
        first = await until(daemon, await press(daemon))
        assert first.take is not None and Path(first.take.file).is_relative_to(library)
        away = unmount(library)
        name = await press(daemon, prompt="another")
        await until_event(daemon, name, "problem")
        held = await job_of(daemon, name)
        assert (held.state, held.charge) == (State.QUEUED, Charge.NONE)
        assert held.problem is not None and "its disk is not there" in held.problem.text
        assert list(library.iterdir()) == []
        mount(library, away)
        second = await until(daemon, name)
        assert second.take is not None and Path(second.take.file).is_relative_to(library)
        assert len(service.charges) == 2


@pytest.mark.fault(26)
async def test_a_paid_take_goes_into_the_home_while_its_library_is_not_there(tmp_path: Path) -> None:
    library, home = tmp_path / "disk", tmp_path / "home"
    async with Service(job_seconds=1.0) as service, running(home, service, audio={"library": str(library)}) as daemon:
        name = await press(daemon)
        await until(daemon, name, {State.GENERATING})
        unmount(library)
        job = await until(daemon, name)
        assert job.take is not None and Path(job.take.file).is_relative_to(home / "library")
        assert Path(job.take.file).is_file()
        assert list(library.iterdir()) == []


def test_what_counts_as_the_library(tmp_path: Path) -> None:
    library, home = tmp_path / "disk" / "takes", tmp_path / "home"
    home.mkdir()
    assert is_there(library, home), "a new one is made"
    assert (library / MARK).is_file()
    shutil.rmtree(tmp_path / "disk")
    assert not is_there(library, home) and not library.exists(), "and is not made again"
    library.mkdir(parents=True)
    assert not is_there(library, home)
    (library / "take.wav").write_bytes(b"copied back without hidden files")
    assert is_there(library, home)
    (home / "libraries.json").write_bytes(b"\xff")
    assert is_there(library, home)
    inside = home / "library"
    assert is_there(inside, home) and not (inside / MARK).exists()
