"""How one job is shown: what was asked, what came, the money, the problem, and all that happened, with local times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.domain.parameters import sent
from bridge_daemon.util.redact import redact

_STYLES: Final = {"placed": "green", "failed": "red", "refused": "red", "unknown": "red", "held": "yellow"}
#: Of what an event tells, this is said by other lines already, or is for --json only.
_SAID: Final = {"from", "body", "sha256", "complete"}


def print_job(job: Mapping[str, Any]) -> None:
    """Write a job, as the daemon tells it, to stdout."""
    state = format.state_of(job)
    text = f": {job['text']}" if job["text"] and job["text"] != job["state"] else ""
    terminal.say(f"{job['job']}  {state}{text}", f"bold {_STYLES.get(str(job['state']), '')}".strip())
    terminal.fields([pair for pair in _pairs(job) if pair[1]])
    _print_problem(job)
    terminal.say()
    _print_events(job)


def _pairs(job: Mapping[str, Any]) -> list[tuple[str, str]]:
    place, source = job["place"] or {}, job["source"]
    region = ""
    if source:
        region = (
            (source.get("path") or "the take of " + " and ".join((source["take"], *source.get("mix", ()))))
            + f"  {source.get('start', 0):g} s to "
            + (f"{source['end']:g} s" if source.get("end") is not None else "the end")
        )
    given = {one: job[one.name] for one in sent() if job.get(one.name) is not None}
    parameters = ", ".join(
        f"{one.name} {value if one.kind == 'whole' else f'{value:g}'}" for one, value in given.items()
    )
    take = ""
    if job["file"]:
        take = f"{job['file']}\n{job['frames'] / job['rate']:.3f} s, {job['rate']} Hz, {job['channels']} channel(s)"
    return [
        ("Money", format.money_of(job)),
        ("Engine", f"{format.engine_of(job['engine'])}, {job['model']}"),
        ("Prompt", job["prompt"]),
        ("Asked", f"{job['action']}, {parameters}"),
        ("Variation", f"{job['variation']} of {job['variations']}" if job["variations"] > 1 else ""),
        ("Source", region),
        ("Place", ", ".join(f"{name} {value}" for name, value in place.items() if name != "token")),
        ("Client", job["client"] or ""),
        ("Take", take),
        ("Measured", _measured(job.get("grid"))),
        ("Fitted", job.get("fitted") or ""),
        ("Retry of", job["retry_of"] or ""),
        ("Notes", "\n".join(job["notes"])),
        ("Request", job["id"]),
        ("At service", job["remote_id"] or ""),
    ]


def _measured(grid: Mapping[str, Any] | None) -> str:
    if not grid:
        return ""
    tempo = f"{grid['tempo']:.2f} BPM from {grid['first_beat']:.3f} s" if grid["tempo"] else ""
    sound = f"{grid['loudness']:.1f} LUFS" if grid.get("loudness") is not None else ""
    key = grid.get("key", "")
    doubt = f"not sure: {grid['why_not']}" if grid["why_not"] else ""
    return ", ".join(part for part in (tempo, key, sound, doubt) if part)


def _print_problem(job: Mapping[str, Any]) -> None:
    problem = job.get("problem")
    if problem:
        terminal.say()
        terminal.say(f"{problem['code']}  {problem['text']}", "red")
        terminal.say(f"  Since: {format.when(problem['since'])}")
        terminal.say(f"  Next:  {problems.next_step(problem['next'], job['job'])}")


def _print_events(job: Mapping[str, Any]) -> None:
    day = ""
    for event in job.get("events") or ():
        moment = format.when(event["at"])
        if moment[:10] != day:
            day = moment[:10]
            terminal.say(day, "dim")
        told = {key: value for key, value in event["data"].items() if key not in _SAID and value is not None}
        if isinstance(told.get("price"), int):
            told["price"] = format.usd(told["price"] / 1_000_000)
        facts = ", ".join(f"{key} {_short(value)}" for key, value in told.items())
        terminal.say(f"  {moment[11:]}  {event['kind']:<12} {facts}".rstrip())


def _short(value: Any, longest: int = 120) -> str:
    text = terminal.one_line(redact(str(value)))  # people show this to others, and signed addresses are in it
    return text if len(text) <= longest else text[: longest - 3] + "..."
