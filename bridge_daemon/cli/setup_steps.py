"""What ``setup`` asks in each step, and does with the answers. Each returns what is so now, or raises SkippedError."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import typer

from bridge_daemon.care import first_run, mac_permissions, steps
from bridge_daemon.cli import background, demo, terminal
from bridge_daemon.cli.connection import tell
from bridge_daemon.cli.setup_answers import Given, SkippedError
from bridge_daemon.errors import Fault, InstallTrouble, InvalidRequest, KeyTrouble, NotRunning
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.load import Settings

_TRIES: Final = 3


def key(home: Home, given: Given) -> str:
    """Check the key at the service, and keep it."""
    if given.key is None and given.yes:
        raise SkippedError("no key was given; --key-stdin reads one")
    for _ in range(_TRIES):
        value = given.key if given.key is not None else _typed_key()
        if not value.strip():
            raise SkippedError("no key was given: the sketch engine makes the takes")
        try:
            text = steps.keep_key(home, value)
        except (InvalidRequest, KeyTrouble) as error:
            if given.key is not None:
                raise
            told = error.faults[0].allowed if isinstance(error, InvalidRequest) else error.message
            terminal.note(f"  {told}", "yellow")
            continue
        tell(lambda bridge: bridge.reload_key())
        return text
    raise KeyTrouble("No key was accepted, and none was kept.")


def _typed_key() -> str:
    return getpass.getpass("  API key (not shown; Enter skips): ", stream=sys.stderr)


def limits(home: Home, given: Given) -> str:
    """Set the limits."""
    spend = Settings.load(home).spend
    options = (
        ("per_day_usd", "Dollars a day", spend.per_day_usd, given.per_day),
        ("per_month_usd", "Dollars a month", spend.per_month_usd, given.per_month),
        ("confirm_above_usd", "Ask before a request above", spend.confirm_above_usd, given.confirm_above),
    )
    wanted: dict[str, float] = {}
    for name, words, now, answer in options:
        value = answer
        if value is None and not given.yes:
            typed = terminal.read(f"  {words} [{now:.2f}]: ").lstrip("$ ")
            value = _number(name, typed) if typed else None
        if value is not None and value != now:
            wanted[name] = value
    if wanted:
        _change(home, {"spend": wanted})
    return first_run.limits_of(Settings.load(home))


def _number(name: str, text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InvalidRequest([Fault(name, text, "must be a number of dollars")]) from None


def start(home: Home, given: Given) -> str:
    """Start the bridge."""
    if not given.yes and not terminal.ask("  Start it?", default=True):
        raise SkippedError("it was not started")
    found, _ = background.ensure(home)
    return f"runs at {found['http_url']}"


def sources(home: Home, given: Given) -> str:
    """Choose the way for sources, and try it."""
    now = first_run.sources_of(Settings.load(home))
    choice = given.sources
    if choice is None and not given.yes:
        choice = _chosen_way(now)
    if choice:
        _change(home, first_run.sources_patch(choice))
    elif now is None:
        raise SkippedError("no way was chosen: text to audio works, transforms with the cloud model are refused")
    way = first_run.sources_of(Settings.load(home))
    terminal.note(f"  Trying {way} (a tunnel may take a minute) ...", "dim")
    told = tell(lambda bridge: bridge.try_sources())
    if told is None:
        raise NotRunning(f"{way} is set, and was not tried: the bridge does not run.")
    return first_run.trial_text(way, told)


def _chosen_way(now: str | None) -> str | None:
    names = [*first_run.TUNNELS, "upload"]
    for number, name in enumerate(names, 1):
        about = "at the service, nobody says how long it is kept" if name == "upload" else first_run.TUNNELS[name]
        there = "installed" if name != "upload" and first_run.is_installed(name) else about
        terminal.note(f"  {number} {name}: {there}")
    terminal.note("  Or an https address that leads to [publish] source_port. A bucket: docs/publishing.md.")
    typed = terminal.read(f"  Number or address [{f'keep {now}' if now else 'skip'}]: ")
    if typed in [str(number) for number in range(1, len(names) + 1)]:
        return names[int(typed) - 1]
    if typed and typed not in names and not typed.startswith("https://"):
        raise InvalidRequest([Fault("sources", typed, f"must be a number of 1 to {len(names)} or an https:// address")])
    return typed or None


def daws(home: Home, given: Given) -> str:
    """Install into each DAW that was found."""
    done: list[str] = []
    refused: list[str] = []
    for one in steps.found_daws(home):
        if not one["places"]:
            terminal.note(f"  {one['title']} was not found. {one['missing']}")
            continue
        titles = ", ".join(one["places"])
        if not given.yes and not terminal.ask(f"  Install into {titles}?", default=True):
            refused.append(titles)
            continue
        for outcome in steps.install(home, [one["key"]]):
            done.append(outcome.place.title)
            terminal.note(f"  {outcome.place.title}: {outcome.next}")
    if not done:
        raise SkippedError("nothing was installed" if refused else "no DAW was found")
    return f"installed in {', '.join(done)}"


def folders(home: Home, given: Given) -> str:
    """Watch a folder."""
    folder, preset = given.folder, given.folder_preset
    if folder is None and not given.yes:
        typed = terminal.read("  Folder of renders (Enter skips): ")
        folder = Path(typed) if typed else None
        if folder is not None:
            preset = _chosen_preset(home, "for what lies there")
    if folder is None:
        raise SkippedError("no folder was named")
    for sentence in mac_permissions.said_before([folder.expanduser()]):
        terminal.note(f"  {sentence}", "yellow")
    _change(home, first_run.folder_patch(home, folder, preset))
    return f"watches {folder}; takes go to a folder beside it, and nothing is sent by itself: daw-bridge folders"


def _chosen_preset(home: Home, what: str) -> str | None:
    names = sorted(Settings.load(home).presets)
    if not names:
        terminal.note("  There is no preset yet ([presets] in config.toml).")
        return None
    return terminal.read(f"  Preset {what} ({', '.join(names)}; Enter: none): ") or None


def midi(home: Home, given: Given) -> str:
    """Learn a pad, or name the port of a clock."""
    from bridge_daemon.cli.midi import learn
    from bridge_daemon.frontends.midi.driver import MidiSystem, NoMidi

    if given.clock_port is not None:
        _change(home, {"midi": {"clock_port": given.clock_port}})
        return f"clock from {given.clock_port}"
    if given.yes:
        raise SkippedError("no pad was named; --clock-port names a clock")
    try:
        system = MidiSystem()
        inputs = list(system.inputs())
        system.close()
    except NoMidi as error:
        raise SkippedError(f"there is no MIDI here: {error}") from error
    if not inputs:
        raise SkippedError("no controller is connected")
    terminal.note(f"  Inputs: {', '.join(inputs)}")
    preset = _chosen_preset(home, "for a pad")
    if preset is None:
        raise SkippedError("no pad was learned")
    try:
        learn(preset, preset=preset)
    except typer.Exit:
        raise SkippedError("no pad was learned") from None
    return f"a pad plays {preset}; daw-bridge midi arm lets pads spend money"


def service(home: Home, given: Given) -> str:
    """Start the bridge at each login."""
    from bridge_daemon.cli.service import put_in

    if not given.yes and not terminal.ask("  Start it at each login?", default=True):
        raise SkippedError("it does not start at login")
    found, _, answer = put_in(home)
    if answer is None:
        raise InstallTrouble(
            f"The service is installed ({found.file}) and does not answer yet. Nothing was spent.",
            next="daw-bridge service status",
        )
    return f"{found.kind}, {found.file}"


def test(home: Home, given: Given) -> str:
    """Make two takes that cannot cost anything."""
    if not given.yes and not terminal.ask("  Make them?", default=True):
        raise SkippedError("no test was made")
    return steps.test_takes(demo.follow)


def _change(home: Home, patch: dict[str, Any]) -> None:
    first_run.change(home, patch)
    tell(lambda bridge: bridge.reload_settings())


STEPS: Final[dict[str, Callable[[Home, Given], str]]] = {
    "key": key,
    "limits": limits,
    "start": start,
    "sources": sources,
    "daws": daws,
    "folders": folders,
    "midi": midi,
    "service": service,
    "test": test,
}
