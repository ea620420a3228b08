"""``daw-bridge status``: the first thing to look at."""

from __future__ import annotations

from typing import Any

import typer

from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.connection import talk
from bridge_daemon.errors import NotRunning, StudioAway
from bridge_daemon.home.paths import Home


def status(json: o.Json = False) -> None:
    """Show how the bridge is and what it spent.

    Also what needs you, with the next step of each.

    Exit code 0: it runs; 1: it waits for the database of its studio; 3: it does not run.
    """
    try:
        found = talk(lambda bridge: bridge.status())
    except NotRunning as error:
        if not json:
            raise
        terminal.dump({"running": False, "error": error.as_dict()})
        raise typer.Exit(problems.exit_code(error)) from error
    except StudioAway as error:
        _tell_waiting(error, json=json)
        raise typer.Exit(problems.exit_code(error)) from error
    if json:
        terminal.dump({"running": True} | found)
    else:
        _print(found)


def _tell_waiting(error: StudioAway, *, json: bool) -> None:
    runtime = Home.locate().read_runtime()
    if json:
        terminal.dump({"running": True, "waiting": error.as_dict()})
        return
    if runtime is not None:
        terminal.say(f"daw-bridge {runtime.version} is running, pid {runtime.pid}, and cannot be used", "yellow")
    problems.report(error)


_HOW = {
    "terminal": ", in a terminal",
    "start": ", in the background (daw-bridge stop ends it)",
    "service": ", as a service (daw-bridge service)",
}


def _print(status: dict[str, Any]) -> None:
    terminal.say(f"daw-bridge {status['version']} is running: {status['http_url']}", "bold green")
    how = _HOW.get(status.get("started_by", ""), "")
    terminal.say(f"pid {status['pid']}{how}, for {format.span(status['uptime_s'])}", "dim")
    terminal.say()
    pairs = [
        *format.engine_lines(status),
        ("Today", _limit(status["spent_today_usd"], status["limit_today_usd"])),
        ("Month", _limit(status["spent_month_usd"], status["limit_month_usd"])),
        ("Asks", f"before a request of more than {format.usd(status['confirm_above_usd'])}"),
        ("Jobs", ", ".join(f"{count} {state}" for state, count in status["jobs"].items()) or "none yet"),
        *_studio_lines(status.get("studio")),
        *_publish_lines(status),
        *_osc_lines(status.get("osc")),
        *_midi_lines(status.get("midi") or {}),
        *_folder_lines(status.get("folders")),
        ("Home", status["home"]),
        ("Library", status["library"]),
        ("Log", status["log"]),
    ]
    if status["reserved_usd"]:
        pairs.insert(-5, ("Reserved", f"{format.usd(status['reserved_usd'])} for jobs that wait"))
    terminal.fields(pairs)
    if status["paused"]:
        since = format.when(status["paused"].get("since"))
        terminal.say()
        terminal.say(f"Paused{f' since {since}' if since else ''}: {status['paused'].get('text', '')}", "yellow")
        terminal.say("  Next:  daw-bridge resume")
    for job in status["problems"]:
        _print_problem(job)


def _publish_lines(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Return how sources of transforms get to the service, and whether that is ready."""
    publish = status.get("publish")
    if publish is None or (status["engine"]["name"] == "sketch" and not publish.get("left")):
        return []
    if left := publish.get("left"):
        text = f"{left['objects']} source(s) could not be deleted: {left['text']}\nIt is tried again by itself."
        return [("In a bucket", text), *_publish_lines(status | {"publish": publish | {"left": None}})]
    if publish["problem"]:
        problem = publish["problem"]
        name = publish["method"] or "no way to publish them"
        return [("Sources", f"{name}: {problem['code']} {problem['message']}\nNext: {problem['next']}")]
    tunnel = publish["tunnel"]
    if tunnel is None:
        return [("Sources", f"{publish['method']}, ready")]
    if tunnel["url"] is None:
        return [("Sources", f"{publish['method']}, ready; a tunnel is opened when a transform needs it")]
    count = tunnel["open_sources"]
    reach = f"{count} source(s) can be fetched there, each by a secret URL" if count else "no source is open"
    return [("Sources", f"{publish['method']}, tunnel {tunnel['url']}; {reach}")]


def _osc_lines(osc: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return where OSC listens, and which clients are there."""
    if osc is None:
        return []
    here = [client["client"] for client in osc["clients"] if client["connected"]]
    return [("OSC", f"port {osc['port']}, " + (", ".join(here) if here else "no client connected"))]


def _midi_lines(midi: dict[str, Any]) -> list[tuple[str, str]]:
    """Return which controllers are open, whether pads may spend, and what became of presses that did nothing."""
    if not midi.get("bindings") and not midi.get("clock_port"):
        return []
    stage, missed = midi["stage"], midi["presses"]["not_taken"]
    opened = ", ".join(midi["open"]) or (f"none: {midi['problem']}" if midi["problem"] else "no controller attached")
    lines = [("MIDI", opened), *(("", line) for line in format.port_troubles(midi))]
    if midi["open"] and midi["problem"]:
        lines.append(("", f"{midi['problem']}."))
    if stage["armed"]:
        money = f"{format.usd(stage['spent_usd'])} of {format.usd(stage['budget_usd'])} spent"
        lines.append(("Pads", f"armed for {stage['minutes_left']:g} min more, {money}"))
    else:
        lines.append(("Pads", f"not armed: {stage['why']}"))
    if missed:
        lines.append(("", "not taken: " + ", ".join(f"{count} ({reason})" for reason, count in missed.items())))
    return lines


def _folder_lines(told: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return each watched folder, with what waits in it and what is in the way."""
    lines = []
    for folder in (told or {}).get("folders", ()):
        spends = "spends by itself" if folder.get("spend") else "does not spend by itself"
        text = (
            f"{folder['name']}: {spends}"
            if folder["watching"]
            else f"{folder['name']}: not watched. {folder['problem']}"
        )
        if folder.get("unsafe"):
            text += f"; nothing is sent by itself: {folder['unsafe']}"
        if folder["waiting"]:
            text += f"; {folder['waiting']} waiting (daw-bridge folders)"
        lines.append(("Folder", text))
    return lines


def _studio_lines(studio: dict[str, Any] | None) -> list[tuple[str, str]]:
    if studio is None:
        return []
    mine = f"{studio['kind']} {studio['room']}"
    if studio["rooms"] is None:
        return [("Studio", f"{mine}; {studio['problem']}"), *_store_lines(studio.get("store"))]
    others = [
        f"{one['kind']} {one['room']} on {one['host']}" + ("" if one["alive"] else ", not there")
        for one in studio["rooms"]
        if (one["kind"], one["room"]) != (studio["kind"], studio["room"])
    ]
    return [("Studio", "; ".join([mine, *others])), *_studio_sums(studio), *_store_lines(studio.get("store"))]


def _store_lines(store: dict[str, Any] | None) -> list[tuple[str, str]]:
    if store is None:
        return []
    if store["problem"] is not None:
        return [("Store", f"{store['problem']['message']} {store['problem']['next']}")]
    owed = f"; {store['owed']} take(s) of other rooms wait to be put there" if store["owed"] else ""
    return [("Store", f"{store['url']}{owed}")]


def _studio_sums(studio: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the minute and the money of all rooms, and how long the database takes to answer."""
    limits = studio["limits"] or {}
    sums = [
        f"{format.usd(studio[f'spent_{name}_usd'])}{f' of {format.usd(limits[key])}' if key in limits else ''} {when}"
        for name, key, when in (("today", "per_day_usd", "today"), ("month", "per_month_usd", "this month"))
    ]
    requests = f"{studio['requests_this_minute']} of {studio['requests_per_minute']} requests in this minute"
    return [("", f"all rooms: {', '.join(sums)}; {requests}; the database answers in {studio['lag_ms']:.0f} ms")]


def _limit(spent: float, limit: float) -> str:
    return f"{terminal.bar(spent / limit if limit else 1.0)} {format.usd(spent)} of {format.usd(limit)} spent"


def _print_problem(job: dict[str, Any]) -> None:
    problem = job.get("problem") or {}
    terminal.say()
    text = problem.get("text") or job["text"]
    terminal.say(f"{job['job']} is {job['state']}, {format.money_of(job)}: {problem.get('code', '')} {text}", "yellow")
    step = problem.get("next") or "daw-bridge jobs show JOB"
    terminal.say(f"  Next:  {problems.next_step(step, job['job'])}")
