"""Sending a request and waiting for its takes: what ``generate`` and ``transform`` have in common."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.cli.connection import talk
from bridge_daemon.cli.options import REQUEST
from bridge_daemon.cli.problems import CliOutput
from bridge_daemon.cli.progress import Follow
from bridge_daemon.domain.parameters import REGION
from bridge_daemon.errors import DoublePress, PriceChanged, PriceQuestion

if TYPE_CHECKING:
    from bridge_daemon.client.client import BridgeClient

T = TypeVar("T")


def new_id() -> str:
    """Return the id of a new press."""
    return str(uuid.uuid4())


def body_of(action: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Make a request, with an id of its own, from the options of a command: only what was given is in it."""
    _check(options)
    options = dict(options) | _region(options.get("replace"))
    body: dict[str, Any] = {"version": 1, "id": new_id(), "action": action}
    for one in REQUEST:
        value = options.get(one.name)
        if value is None or value is False or one.name == "replace":
            continue
        inside = body.setdefault(one.inside, {}) if one.inside else body
        inside[one.key or one.name] = whole_path(value) if isinstance(value, Path) else value
    return body


def _region(given: str | None) -> dict[str, float]:
    """Return the region that ``--replace`` names."""
    if given is None:
        return {}
    try:
        start, end = (float(edge) for edge in given.split(":"))
    except ValueError:
        raise typer.BadParameter("--replace must be FROM:TO, in seconds, as 4:8") from None
    found = dict(zip(REGION, (start, end), strict=True))
    _check(found)
    return found


def _check(options: Mapping[str, Any]) -> None:
    """Refuse what JSON cannot say."""
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}" if name != "prompt" else "the prompt"
        if isinstance(value, float) and not math.isfinite(value):
            raise typer.BadParameter(f"{option} must be a number, not {value}")
        if isinstance(value, str | Path) and not _is_text(str(value)):
            raise typer.BadParameter(f"{option} is not UTF-8")


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # bytes of the command line that are no text
        return False
    return True


def whole_path(path: Path) -> str:
    """Return a path as the daemon needs it, which runs in another folder than this command."""
    return str(path.expanduser().absolute())


def asking(data: dict[str, Any], send: Callable[[dict[str, Any]], T]) -> T:
    """Send what may cost; questions of price and of a double press are put to the person, if there is one.

    An answered question goes out under the same id. Nothing is asked inside of an event loop: there, the first Ctrl-C
    would not end the question.
    """
    while True:
        try:
            return send(data)
        except (PriceQuestion, PriceChanged, DoublePress) as error:
            changed = None if CliOutput.json or not terminal.is_person() else _ask(error)
            if changed is None:
                raise
            data = data | changed


def _ask(error: PriceQuestion | PriceChanged | DoublePress) -> dict[str, Any] | None:
    terminal.note(error.message, "yellow")
    if isinstance(error, DoublePress):
        return {"again": True} if terminal.ask("Make it once more?") else None
    if error.usd is None:
        return None
    agreed = terminal.ask(f"Spend {format.usd(error.usd)}?")
    return {"confirm_usd": error.usd} if agreed else None


@dataclass
class _Press:
    """How far a press has come; so that Ctrl-C can say what goes on without us."""

    asked: bool = False
    usd: float = 0.0
    jobs: list[str] = field(default_factory=list)
    found: list[dict[str, Any]] = field(default_factory=list)


def press(body: dict[str, Any], *, wait: bool) -> None:
    """Send a request, wait for its takes, print where they are, and end with the right exit code."""
    pressed = _Press()
    try:
        asking(body, lambda data: talk(lambda client: _press(client, data, pressed, wait)))
    except KeyboardInterrupt:
        _say_what_goes_on(pressed)
        raise
    if CliOutput.json:
        terminal.dump(pressed.found)
    elif not wait:
        for job in pressed.jobs:
            terminal.say(job)
    if wait:
        raise typer.Exit(_tell(pressed.found))


async def _press(client: BridgeClient, body: dict[str, Any], pressed: _Press, wait: bool) -> None:
    pressed.asked = True
    answer = await client.submit(body)
    pressed.jobs, pressed.usd = list(answer["jobs"]), float(answer["usd"])
    many = f"{len(pressed.jobs)} jobs" if len(pressed.jobs) > 1 else f"Job {pressed.jobs[0]}"
    terminal.note(f"{many} accepted, {format.usd(answer['usd'])}.", "dim")
    if wait:
        with Follow() as follow:
            pressed.found = await client.wait(pressed.jobs, follow.change)
    elif CliOutput.json:
        pressed.found = [await client.job(job) for job in pressed.jobs]


def _say_what_goes_on(pressed: _Press) -> None:
    if pressed.jobs:
        price = f", for {format.usd(pressed.usd)}" if pressed.usd else ""
        terminal.note(f"\nNot waiting any more; the bridge goes on with it{price}.")
        for job in pressed.jobs:
            terminal.note(f"  daw-bridge jobs show {job}   (or jobs cancel {job})")
    elif pressed.asked:
        terminal.note("\nNot waiting any more. Whether the bridge accepted it is not known: daw-bridge jobs list")


def _tell(jobs: list[dict[str, Any]]) -> int:
    """Print the paths of the takes to stdout and everything else to stderr; return the exit code."""
    code = problems.DONE
    for job in jobs:
        problem = job.get("problem") or {}
        arrived = job["state"] == "placed" or (job["state"] == "stored" and problem.get("code") != "E-UNPLACED")
        if not CliOutput.json:
            if job.get("file"):
                terminal.path(job["file"])
            if job.get("fitted"):
                terminal.note(f"Fitted: {job['fitted']}")
            _tell_of_client(job)
        if not arrived:
            code = problems.FAILED
            problems.show_problem(job)
    for note in dict.fromkeys(note for job in jobs for note in job.get("notes") or ()):
        terminal.note(f"Note: {note}.", "yellow")
    return code


def _tell_of_client(job: dict[str, Any]) -> None:
    if job["state"] == "stored" and not job.get("wanted", True):
        terminal.note("It was cancelled after it was sent, so it is kept and not placed.")
    elif job["state"] == "stored" and job.get("client") and not job.get("problem"):
        terminal.note(f"It is brought to {job['client']} as soon as that asks for it.")
