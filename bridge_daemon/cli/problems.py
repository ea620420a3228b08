"""How errors look: the code, what happened, what is known of the money, and the next step. Never a traceback."""

from __future__ import annotations

import errno
import os
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from bridge_daemon.cli import terminal
from bridge_daemon.cli.terminal import OutputClosed, leave_pipe
from bridge_daemon.errors import BridgeError, Internal, InvalidRequest, NotRunning, SettingsInvalid

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
NOT_RUNNING: Final = 3
INTERRUPTED: Final = 130

_MONEY: Final = {
    "none": "nothing was spent.",
    "possible": "perhaps spent. It counts against your limits until you say more.",
    "confirmed": "spent.",
}
#: Next steps of the API, in the words of the command line.
_HERE: Final = {
    "E-CONFIRM": "If you agree, the same command with --confirm-usd and that price.",
    "E-DOUBLE-PRESS": "If you mean it, the same command with --again.",
}
_LARGEST_LOG: Final = 1 << 20  # bytes


class CliOutput:
    """Whether this command writes JSON; set by the option ``--json``."""

    json = False


def exit_code(error: BridgeError) -> int:
    """Return the exit code that an error means."""
    if isinstance(error, NotRunning):
        return NOT_RUNNING
    return WRONG_USE if isinstance(error, InvalidRequest | SettingsInvalid) else FAILED


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command, tell what is in its way, and return its exit code."""
    CliOutput.json = False
    try:
        command()
    except BridgeError as error:
        return report(error)
    except OutputClosed:
        return leave_pipe()
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


def report(error: BridgeError) -> int:
    """Show an error the way this command shows things, and return the exit code."""
    if CliOutput.json:
        terminal.dump({"error": error.as_dict()})
    else:
        show(error.code, _message(error), error.charge, _HERE.get(error.code, error.next_step))
    return exit_code(error)


def _message(error: BridgeError) -> str:
    if isinstance(error, InvalidRequest) and error.faults:
        return "\n".join(["The request was not taken:", *(f"  {fault}" for fault in error.faults)])
    return error.message


def show(code: str, message: str, charge: str, next_step: str) -> None:
    """Write an error to stderr."""
    head = terminal.paint(code, "bold red", err=True)
    first, *more = terminal.clean(message).split("\n")
    terminal.note_painted(f"{head}  {first}")
    for line in more:
        terminal.note(line)
    terminal.note(f"  Money: {_MONEY.get(charge, charge)}")
    if next_step:
        terminal.note(f"  Next:  {next_step}")


def show_problem(job: dict[str, Any]) -> None:
    """Write why a job is where it is to stderr."""
    problem = job.get("problem") or {}
    text = problem.get("text") or job.get("text") or ""
    code = problem.get("code") or str(job["state"]).upper()
    step = problem.get("next") or "daw-bridge jobs show JOB"
    show(code, f"Job {job['job']} is {job['state']}: {text}", str(job["charge"]), next_step(step, job["job"]))


def next_step(text: str, job: str) -> str:
    """Return a next step with the id of the job in the place that is left open for it."""
    return text.replace(" JOB", f" {job}")


def unexpected(error: Exception) -> int:
    """Tell a fault of ours in one sentence, and write down the rest of it. A reader that is gone is none."""
    if isinstance(error, OSError) and is_closed_pipe(error):
        return leave_pipe()
    where = _write_down(error)
    kept = f" The details are in {where}" if where else ""
    told = Internal(
        f"Unexpected error ({type(error).__name__}); this is a fault of daw-bridge.{kept}",
        next="daw-bridge jobs list shows where your jobs stand. Please report the fault, with the details.",
    )
    return report(told)


def is_closed_pipe(error: OSError) -> bool:
    """Return whether the reader of our output is gone. Windows' C runtime calls that EINVAL, and names no file."""
    if os.name != "nt":
        return error.errno == errno.EPIPE
    no_code = getattr(error, "winerror", None) is None  # of the C runtime, not of the system
    return error.errno == errno.EPIPE or (error.errno == errno.EINVAL and no_code and error.filename is None)


def _write_down(error: BaseException) -> str | None:
    """Append the traceback to a file in the home, without secrets, if the home is there."""
    with suppress(OSError, BridgeError):
        from bridge_daemon.home.paths import Home
        from bridge_daemon.util.redact import redact

        folder = Home.locate().logs
        file = folder / "commands.log"
        if not folder.is_dir() or (file.exists() and file.stat().st_size > _LARGEST_LOG):
            return None
        text = redact("".join(traceback.format_exception(error)))
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n{text}\n")
        return str(file)
    return None
