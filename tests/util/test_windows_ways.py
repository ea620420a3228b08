"""What Windows does otherwise, made to happen on every system where that is possible."""

from __future__ import annotations

import ast
import asyncio
import errno
import queue
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from bridge_daemon.cli import problems
from bridge_daemon.frontends.osc import server
from bridge_daemon.util import ourselves, watching
from bridge_daemon.util.console import ConsoleEnd
from tests.support import running


def test_events_are_handed_on_without_a_quiet_time() -> None:
    """watchdog collects until its queue says Empty: here it does after each buffer, however many more there are."""
    buffers = watching.OneAtATime()
    for number in range(3):
        buffers.put(number)
    taken: list[int] = []
    for _ in range(3):
        taken.append(buffers.get(timeout=1))
        with pytest.raises(queue.Empty):
            buffers.get(timeout=1)
    assert taken == [0, 1, 2]


def test_an_event_comes_at_once_also_beside_a_growing_file(tmp_path: Path) -> None:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler

    seen = threading.Event()

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if str(event.src_path).endswith("done.wav"):
                seen.set()

    observer = watching.observer()
    observer.schedule(Handler(), str(tmp_path), recursive=False)
    observer.start()
    end = threading.Event()

    def grow() -> None:
        with (tmp_path / "growing.wav").open("wb", buffering=0) as file:
            while not end.wait(0.02):
                file.write(b"0" * 100)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        time.sleep(0.3)
        (tmp_path / "done.wav").write_bytes(b"1")
        assert seen.wait(1.0)
    finally:
        end.set()
        writer.join()
        observer.stop()
        observer.join()


@pytest.mark.parametrize("lost", ["error", "socket"])
async def test_osc_hears_again_after_its_transport_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """asyncio on Windows reads no more after WSAECONNRESET; anywhere a transport may end by itself."""
    monkeypatch.setattr(server, "DEAF_AFTER_ERROR", True)
    async with running(tmp_path / "home", None) as daemon:
        osc = daemon.osc
        assert osc is not None
        port = osc.port
        before = osc._transports[False]
        if lost == "error":
            osc.error_received(ConnectionResetError(errno.ECONNRESET, "reset"))
        else:
            before._fatal_error(OSError(errno.EIO, "gone"))  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            while not osc.about()["counts"].get("reopened"):
                assert "opened again" in osc.about()["trouble"]
                await asyncio.sleep(0.005)
        assert osc._transports[False] is not before
        assert "trouble" not in osc.about()
        assert osc.about()["counts"]["reopened"] == 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.1", port))
            client.send(b"/bridge/ping\0\0\0\0,\0\0\0")
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1000), 5)
        assert answer.startswith(b"/bridge/pong")


def test_a_pipe_that_was_closed_is_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems.is_closed_pipe(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert not problems.is_closed_pipe(OSError(errno.ENOSPC, "full"))
    monkeypatch.setattr(problems.os, "name", "nt")
    assert problems.is_closed_pipe(OSError(errno.EINVAL, "Invalid argument"))
    assert not problems.is_closed_pipe(OSError(errno.EINVAL, "Invalid argument", "a:b"))


@pytest.mark.parametrize(("event", "ours"), [(0, False), (1, False), (2, True), (5, True), (6, True)])
def test_the_end_of_a_console_ends_us(event: int, ours: bool) -> None:
    ended: list[int] = []
    end = ConsoleEnd(lambda: ended.append(1), wait=0.05)
    began = time.monotonic()
    assert end.handle(event) is ours
    assert bool(ended) is ours
    assert (time.monotonic() - began >= 0.04) is ours  # the system ends the process as soon as the handler returns


def test_a_frozen_build_starts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ourselves.command("run") == [sys.executable, "-P", "-m", "bridge_daemon", "run"]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert ourselves.command("run") == [sys.executable, "run"]
    assert ourselves.supervised("x.py", ["a", "b"]) == [sys.executable, ourselves.SUPERVISE, "a", "b"]


#: The programs that are started for their windows, and the one that imports nothing of ours.
SHOWN = {"util/reveal.py", "install/reaper_check.py", "publish/supervisor.py"}


def test_a_program_in_the_background_opens_no_window() -> None:
    """A daemon in the background has no console on Windows, so each console program it starts would get a window."""
    package = Path(ourselves.__file__).parents[1]
    found = {
        f"{name}: {ast.unparse(node.func)}"
        for file in package.rglob("*.py")
        if (name := file.relative_to(package).as_posix()) not in SHOWN
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith((".Popen", "subprocess.run", "create_subprocess_exec"))
        and not any(one.arg is None and _is_hidden(one.value) for one in node.keywords)
    }
    assert not found


def _is_hidden(more: ast.expr) -> bool:
    return ast.unparse(more).startswith(("ourselves.apart(", "ourselves.hidden(")) or ast.unparse(more) == "low"
