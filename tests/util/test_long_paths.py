"""Paths that Windows does not take, and files that it marks as read-only: on every system as if it were Windows."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge_daemon.domain.job import Charge
from bridge_daemon.errors import BridgeError, HomeUnsafe
from bridge_daemon.home.paths import Home
from bridge_daemon.util import files, long_paths
from bridge_daemon.util.held_folder import hold
from tests.fakes.service import Service
from tests.support import job_of, press, request, running, tone


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_paths, "is_limited", lambda: True)


def deep(folder: Path, length: int) -> Path:
    """Make a folder whose path has ``length`` characters."""
    while (missing := length - len(str(folder))) > 1:
        step = min(100, missing - 1)
        folder = folder / ("d" * (step if missing - 1 - step != 1 else step - 1))
    folder.mkdir(parents=True)
    return folder


def copied(folder: Path, name: str) -> None:
    with hold(folder) as held, files.open_plain(folder / "a") as source:
        held.copy(source, name, sha256=files.sha256(folder / "a"), point="test")


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    "act",
    [
        lambda folder, name: files.create(folder / name).close(),
        lambda folder, name: files.replace(folder / "a", folder / name),
        lambda folder, name: files.settle(folder / "a", folder / name, point="test"),
        lambda folder, name: files.write_whole(folder / name, b"", point="test"),
        lambda folder, name: files.copy_whole(folder / "a", folder / name, point="test"),
    ],
    ids=["create", "replace", "settle", "write", "copy"],
)
def test_a_path_that_is_too_long_is_said_in_words(tmp_path: Path, act: Callable[[Path, str], None]) -> None:
    folder = deep(tmp_path, 200)
    (folder / "a").write_bytes(b"a")
    with pytest.raises(OSError, match="259 characters") as caught:
        act(folder, "b" * 59)
    assert caught.value.errno == errno.ENAMETOOLONG
    assert [one.name for one in folder.iterdir()] == ["a"]
    files.replace(folder / "a", folder / ("b" * 58))


def test_without_the_limit_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on other systems, and where the person has switched long paths on."""
    monkeypatch.setattr(long_paths, "is_limited", lambda: False)
    folder = deep(tmp_path, 240)
    (folder / "a").write_bytes(b"a")
    copied(folder, "b" * 60)
    assert (folder / ("b" * 60)).read_bytes() == b"a"


@pytest.mark.usefixtures("limited")
def test_a_home_with_too_long_a_path_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    path = deep(tmp_path, 139) / "home"
    with pytest.raises(HomeUnsafe, match="too long"):
        Home(path).prepare()
    assert not path.exists()


@pytest.mark.usefixtures("limited")
async def test_a_library_without_room_for_names_holds_back_what_would_be_paid(tmp_path: Path) -> None:
    library = deep(tmp_path / "l", 130)
    sections = {"audio": {"library": str(library), "read_roots": (str(tmp_path),), "measure": False}}
    async with Service() as service, running(tmp_path / "home", service, **sections) as daemon:
        name = await press(daemon)
        for _ in range(200):
            job = await job_of(daemon, name)
            if job.problem is not None:
                break
        assert job.problem is not None
        assert "259 characters" in job.problem.text
        assert (service.posts, job.charge) == ([], Charge.NONE)


@pytest.mark.usefixtures("limited")
async def test_a_project_and_a_source_that_are_too_deep_are_refused_unpaid(tmp_path: Path) -> None:
    folder = deep(tmp_path / "p", 230)
    (folder / "song.rpp").write_text("", encoding="utf-8")
    source = deep(tmp_path / "s", 240) / "a-sound-that-has-a-long-name.wav"
    tone(source)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        for given in ({"place": {"folder": str(folder)}}, {"action": "transform", "source": {"path": str(source)}}):
            with pytest.raises(BridgeError, match="259 characters") as caught:
                await daemon.actions.admit(request(**given))
            assert (caught.value.code, caught.value.charge) == ("E-PATH", "none")
        assert service.posts == []


@pytest.mark.parametrize("act", ["replace", "remove", "write"])
def test_a_file_that_is_marked_as_read_only_is_replaced_and_removed(tmp_path: Path, act: str) -> None:
    """By Windows alone it is not: a file from a CD, from a zip, or of which somebody set the mark."""
    path, new = tmp_path / "file", tmp_path / "new"
    path.write_bytes(b"old")
    path.chmod(0o444)
    new.write_bytes(b"new")
    if act == "replace":
        files.replace(new, path)
    elif act == "remove":
        files.remove(path)
    else:
        files.write_whole(path, b"new", point="test")
    assert not path.exists() if act == "remove" else path.read_bytes() == b"new"
