"""Sending a request and waiting for its takes: what ``generate`` and ``transform`` have in common."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer

from bridge_daemon.cli import problems, terminal, words
from bridge_daemon.cli.problems import Output
from bridge_daemon.cli.progress import Follow
from bridge_daemon.cli.talk import talk
from bridge_daemon.errors import DoublePress, PriceQuestion

if TYPE_CHECKING:
    from bridge_daemon.client import BridgeClient

T = TypeVar("T")
_PLAIN: Final = (
    "prompt", "preset", "model", "duration", "steps", "cfg_scale", "strength", "seed", "variations", "client",
    "confirm_usd", "valid_for",
)  # fmt: skip
_PLACE: Final = ("project", "track", "position", "length", "tempo", "sample_rate")
_PRICE: Final = re.compile(r"\$(\d+\.\d\d)")


def body_of(action: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Make a request, with an id of its own, from the options of a command: only what was given is in it."""
    body: dict[str, Any] = {"version": 1, "id": str(uuid.uuid4()), "action": action}
    body |= {name: options[name] for name in _PLAIN if options.get(name) is not None}
    if options.get("again"):
        body["again"] = True
    place = {name: options[name] for name in _PLACE if options.get(name) is not None}
    if options.get("folder") is not None:
        place["folder"] = whole_path(options["folder"])
    if place:
        body["place"] = place
    if options.get("source") is not None:
        source = {"path": whole_path(options["source"]), "start": options.get("start"), "end": options.get("end")}
        body["source"] = {name: value for name, value in source.items() if value is not None}
    return body


def whole_path(path: Path) -> str:
    """Return a path as the daemon needs it, which runs in another folder than this command."""
    return str(path.expanduser().absolute())


async def asking(data: dict[str, Any], send: Callable[[dict[str, Any]], Awaitable[T]]) -> T:
    """Send what may cost; questions of price and of a double press are put to the person, if there is one.

    An answered question goes out under the same id.
    """
    while True:
        try:
            return await send(data)
        except (PriceQuestion, DoublePress) as error:
            changed = None if Output.json or not terminal.is_person() else await asyncio.to_thread(_ask, error)
            if changed is None:
                raise
            data = data | changed


def _ask(error: PriceQuestion | DoublePress) -> dict[str, Any] | None:
    terminal.note(error.message, "yellow")
    if isinstance(error, DoublePress):
        return {"again": True} if typer.confirm("Make it once more?", err=True) else None
    price = _PRICE.search(error.message)  # a person agrees to what was shown, to the cent
    if price is None:
        return None
    agreed = typer.confirm(f"Spend ${price[1]}?", err=True)
    return {"confirm_usd": float(price[1])} if agreed else None


@dataclass
class _Press:
    """How far a press has come; so that Ctrl-C can say what goes on without us."""

    asked: bool = False
    jobs: list[str] = field(default_factory=list)
    found: list[dict[str, Any]] = field(default_factory=list)


def press(body: dict[str, Any], *, wait: bool) -> None:
    """Send a request, wait for its takes, print where they are, and end with the right exit code."""
    pressed = _Press()
    try:
        talk(lambda client: _press(client, body, pressed, wait))
    except KeyboardInterrupt:
        _say_what_goes_on(pressed)
        raise
    if Output.json:
        terminal.dump(pressed.found)
    elif not wait:
        for job in pressed.jobs:
            terminal.say(job)
    if wait:
        raise typer.Exit(_tell(pressed.found))


async def _press(client: BridgeClient, body: dict[str, Any], pressed: _Press, wait: bool) -> None:
    async def submit(data: dict[str, Any]) -> dict[str, Any]:
        pressed.asked = True
        return await client.submit(data)

    answer = await asking(body, submit)
    pressed.jobs = list(answer["jobs"])
    many = f"{len(pressed.jobs)} jobs" if len(pressed.jobs) > 1 else f"Job {pressed.jobs[0]}"
    terminal.note(f"{many} accepted, {words.usd(answer['usd'])}.", "dim")
    if wait:
        with Follow() as follow:
            pressed.found = await client.wait(pressed.jobs, follow.change)
    elif Output.json:
        pressed.found = [await client.job(job) for job in pressed.jobs]


def _say_what_goes_on(pressed: _Press) -> None:
    if pressed.jobs:
        names = " and ".join(pressed.jobs)
        terminal.note(f"\nNot waiting any more. The bridge goes on with {names}, and it may cost.")
        terminal.note(f"  See it:  daw-bridge jobs show {pressed.jobs[0]}")
        terminal.note(f"  End it:  daw-bridge jobs cancel {pressed.jobs[0]}")
    elif pressed.asked:
        terminal.note("\nNot waiting any more. Whether the bridge accepted it is not known: daw-bridge jobs list")


def _tell(jobs: list[dict[str, Any]]) -> int:
    """Print the paths of the takes to stdout and everything else to stderr; return the exit code."""
    code = problems.DONE
    for job in jobs:
        problem = job.get("problem") or {}
        arrived = job["state"] == "placed" or (job["state"] == "stored" and problem.get("code") != "E-UNPLACED")
        if not Output.json:
            if job.get("file"):
                terminal.path(job["file"])
            _tell_notes(job)
        if not arrived:
            code = problems.FAILED
            problems.show_problem(job)
    return code


def _tell_notes(job: dict[str, Any]) -> None:
    for note in job.get("notes") or ():
        terminal.note(f"Note: {note}.", "yellow")
    if job["state"] == "stored" and not job.get("wanted", True):
        terminal.note("It was cancelled after it was sent, so it is kept and not placed.")
    elif job["state"] == "stored" and job.get("client") and not job.get("problem"):
        terminal.note(f"It is brought to {job['client']} as soon as that asks for it.")
