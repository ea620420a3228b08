"""Files that another program holds open (Windows): waited for, and never a reason not to start or to stop."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import bridge_daemon
from bridge_daemon.home.paths import Home
from bridge_daemon.home.runtime import Runtime
from bridge_daemon.util import files
from tests.support import running
from tests.util.held import Holder, SharingViolation

PACKAGE = Path(bridge_daemon.__file__).parent
RUNTIME = Runtime(pid=1, http_url="http://127.0.0.1:1", osc_port=None, version="0", started_at=0.0)


def let_go_soon(holder: Holder) -> threading.Timer:
    timer = threading.Timer(0.3, holder.let_go)
    timer.start()
    return timer


def replaced(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(b"new")
    files.replace(new, path)


@pytest.mark.parametrize(
    "act",
    [
        replaced,
        files.remove,
        files.discard,
        lambda path: files.replace(path, path.with_name("elsewhere")),
        lambda path: files.write_whole(path, b"new", point="test"),
    ],
    ids=["replace over it", "remove", "discard", "rename it", "write it"],
)
def test_what_is_held_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], None]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with Holder(path, monkeypatch) as holder:
        timer = let_go_soon(holder)
        act(path)
        timer.join()
    assert holder.refused > 1
    assert not path.exists() or path.read_bytes() == b"new"


def test_what_is_held_for_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with Holder(path, monkeypatch):
        began = time.monotonic()
        with pytest.raises(PermissionError):
            files.remove(path)
        assert 0.9 < time.monotonic() - began < 5
        files.discard(path)  # of no use to anybody: it stays, and nothing fails for it
    assert path.read_bytes() == b"old"


def test_other_errors_are_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(FileNotFoundError):
        files.remove(tmp_path / "not there")
    assert time.monotonic() - began < 0.5


def test_a_file_that_is_being_replaced_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows: the name of a file whose removal is pending cannot be opened."""
    home = Home(tmp_path)
    home.write_runtime(RUNTIME)
    real, times = Path.read_bytes, 0

    def read(path: Path) -> bytes:
        nonlocal times
        times += 1
        if times < 3:
            raise SharingViolation(path)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    assert home.read_runtime() == RUNTIME


async def test_a_reader_of_runtime_json_hinders_no_start_and_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.write_runtime(RUNTIME)
    with Holder(home.runtime_file, monkeypatch) as holder:
        home.remove_runtime()  # what `run` begins with
        async with running(home.path, None) as daemon:
            told = home.read_runtime()
            assert told is not None
            assert told.http_url == daemon.http_url
        assert holder.refused > 1
    assert home.read_runtime() is not None  # as after a kill: who asks there gets no answer


def test_a_script_that_polls_never_makes_a_write_fail(tmp_path: Path) -> None:
    """Two readers that open, read and close it, each a thousand times a second. Tells something on Windows only."""
    path = tmp_path / "status.json"
    path.write_bytes(b"0" * 2000)
    end = threading.Event()
    seen: set[int] = set()

    def poll() -> None:
        while not end.wait(0.001):
            try:
                with path.open("rb") as file:
                    seen.add(len(file.read()))
            except OSError:  # it is being replaced at this moment
                continue

    readers = [threading.Thread(target=poll) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(60):
            files.write_whole(path, str(number % 10).encode() * 2000, point="status", durable=False)
    finally:
        end.set()
        for reader in readers:
            reader.join()
    assert seen == {2000}


def test_every_rename_and_removal_of_the_package_goes_through_one_place() -> None:
    """So that none is without its patience, whoever adds one."""
    own = ("util/files.py", "util/secret_file.py", "util/held_folder.py")  # the last by descriptors: not on Windows
    found = [
        f"{name}: {node.attr}"
        for file in PACKAGE.rglob("*.py")
        if (name := file.relative_to(PACKAGE).as_posix()) not in own
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and _renames_or_removes(node)
    ]
    # throw-away folders; errors are ignored
    assert sorted(found) == ["care/steps.py: rmtree", "cli/demo.py: rmtree"]


def _renames_or_removes(node: ast.Attribute) -> bool:
    of = node.value.id if isinstance(node.value, ast.Name) else ""
    return node.attr in ("unlink", "rename", "renames", "rmtree") or (
        (of, node.attr) in (("os", "replace"), ("os", "remove"), ("shutil", "move"))
    )
