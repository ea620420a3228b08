"""``daw-bridge start`` and ``stop``: the daemon in the background, and its end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.cli import options as o
from bridge_daemon.cli import terminal
from bridge_daemon.errors import NotRunning, StudioAway
from bridge_daemon.home.paths import AlreadyRunning, Home
from bridge_daemon.util import ourselves
from bridge_daemon.util.files import private

if TYPE_CHECKING:
    from pathlib import Path

_START: Final = 90.0  # s; a first start compiles every module, and a virus scanner reads each
#: A request on the wire is awaited for 30 s; then the daemon ends all the same.
_STOP: Final = 45.0  # s
_WAITS: Final = 5.0  # s, until a bridge that waits for its database is told of
_PAUSE: Final = 0.05  # s between two looks


def start(json: o.Json = False) -> None:
    """Start the bridge in the background, and wait until it can be used.

    It goes on when this terminal is closed. Where it runs already, that is said, and nothing is started.
    """
    home = Home.locate()
    home.prepare()
    found, already = ensure(home)
    if json:
        terminal.dump({"started": not already} | _facts(home, found))
        return
    verb = "is running already" if already else "runs in the background"
    terminal.say(f"daw-bridge {found['version']} {verb}: {found['http_url']} (pid {found['pid']})", "bold green")
    terminal.fields([("Home", str(home.path)), ("Log", str(home.log_file)), ("Next", "daw-bridge stop ends it")])


def stop(json: o.Json = False) -> None:
    """Stop the bridge of this home, and wait until it has ended.

    Jobs that are paid already go on at its next start. Exit code 3: it was not running.
    """
    home = Home.locate()
    found = _there(home)
    if found is None:
        raise _not_running(home)
    _ask(home, found)
    if json:
        terminal.dump({"stopped": True} | _facts(home, found))
    else:
        terminal.say(f"Stopped (pid {found['pid']}, home {home.path}). Paid jobs go on at the next start.")


def ensure(home: Home) -> tuple[dict[str, Any], bool]:
    """Return the status of the daemon of a home, which is started if need be, and whether it ran already.

    Raises StudioAway if it waits for the database of its studio.
    """
    found = asyncio.run(ask(home))
    return (found, True) if found is not None else (_start(home), False)


def end(home: Home) -> bool:
    """Stop the daemon of a home and wait until it has ended; tell whether one ran. Raises NotRunning if it goes on."""
    found = _there(home)
    if found is not None:
        _ask(home, found)
    return found is not None


def await_answer(home: Home) -> dict[str, Any] | None:
    """Return the status of the daemon of a home once it answers; None if it does not in time."""
    deadline = time.monotonic() + _START
    while (found := asyncio.run(answer(home))) is None and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return found


def _ask(home: Home, found: dict[str, Any]) -> None:
    from bridge_daemon.util.stopping import ask_to_stop

    try:
        ask_to_stop(found["pid"], home.path)
    except ProcessLookupError:
        pass  # it ended by itself just now
    except OSError as error:
        raise NotRunning(
            f"The bridge (pid {found['pid']}) could not be asked to stop: {error.strerror or error}. It goes on.",
            next="Stop it as the user, and in the session, that started it.",
        ) from error
    if not _await_free(home):
        raise NotRunning(
            f"The bridge (pid {found['pid']}) was asked to stop and still runs after {_STOP:.0f} s. "
            "Nothing was sent a second time.",
            next="daw-bridge logs shows what it waits for.",
        )


def _facts(home: Home, status: dict[str, Any]) -> dict[str, Any]:
    told = {key: status[key] for key in ("pid", "version", "http_url")}
    return told | {"home": str(home.path), "log": str(home.log_file)}


async def answer(home: Home) -> dict[str, Any] | None:
    """Return the status of the daemon of this home; None: none answers that can be used."""
    try:
        return await ask(home)
    except StudioAway:
        return None


def _there(home: Home) -> dict[str, Any] | None:
    """Return pid and version of the daemon of this home, also of one that waits; None: none answers."""
    try:
        return asyncio.run(ask(home))
    except StudioAway:
        runtime = home.read_runtime()
        return asdict(runtime) if runtime is not None else None


async def ask(home: Home) -> dict[str, Any] | None:
    """Return the status of the daemon of this home; None: none answers. Raises StudioAway if it waits for that."""
    if home.read_runtime() is None:
        return None
    from bridge_daemon.client.client import BridgeClient

    async with BridgeClient(home) as client:
        try:
            return await client.status()
        except NotRunning:
            return None


def _not_running(home: Home) -> NotRunning:
    if not home.lock_file.exists() or _is_free(home):
        return NotRunning(f"The bridge is not running (home: {home.path}).", next="daw-bridge start")
    return NotRunning(
        f"A bridge holds the home {home.path}, and does not answer: it is starting, ending, or stuck.",
        next="Try again in some seconds; daw-bridge logs shows what it does.",
    )


def _is_free(home: Home) -> bool:
    try:
        home.lock().release()
    except AlreadyRunning:
        return False
    return True


def _await_free(home: Home) -> bool:
    deadline = time.monotonic() + _STOP
    while not _is_free(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def _start(home: Home) -> dict[str, Any]:
    """Start a daemon and return its status once it answers.

    Of two that are started at once, one gets the home; the other says that it runs already, and ends.
    """
    output = home.logs / "start.log"
    descriptor = private(str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        process = subprocess.Popen(
            ourselves.command("run", "--by", "start"),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            cwd=home.path,  # not where it is called: that folder could then not be moved or removed
            **ourselves.apart("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP"),
        )
    finally:
        os.close(descriptor)
    deadline, passes = time.monotonic() + _START, time.monotonic() + _WAITS
    while time.monotonic() < deadline:
        if process.poll():
            raise NotRunning(f"The bridge could not start:\n{_said(output)}", next="Mend what is named, then again.")
        try:
            found = asyncio.run(ask(home))
        except StudioAway:
            if time.monotonic() > passes:
                raise
            found = None  # its database may be just starting, too
        if found is not None:
            process.returncode = process.poll() or 0  # it is not ours to wait for any more
            return found
        time.sleep(_PAUSE)
    raise NotRunning(
        f"The bridge was started (pid {process.pid}) and does not answer after {_START:.0f} s. Nothing was spent.",
        next=f"daw-bridge status shows whether it is there by now; what it said is in {output}",
    )


def _said(output: Path) -> str:
    return output.read_text("utf-8", errors="replace")[-2000:].strip() or f"exit without a word ({sys.executable})"
