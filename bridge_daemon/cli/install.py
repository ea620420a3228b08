"""``daw-bridge install`` and ``uninstall``: the scripts of REAPER and Ardour, and the devices of Ableton Live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge_daemon.cli import options as o
from bridge_daemon.cli import problems, terminal
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from bridge_daemon.install.machine import Machine
    from bridge_daemon.install.target import InstallOutcome, InstallState, Target

app = typer.Typer(
    help="Put the actions into REAPER and Ardour and the devices into Ableton Live, or update them. "
    "Alone: show what is there.",
    rich_markup_mode=None,
)
remove = typer.Typer(
    help="Take the actions out of REAPER or Ardour, or the devices out of Ableton Live.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip

ReaperPath = Annotated[
    Path | None,
    typer.Option("--path", metavar="FOLDER", help="A portable REAPER, or another resource folder of it."),
]
LivePath = Annotated[
    Path | None, typer.Option("--path", metavar="FOLDER", help="The User Library, or any other folder.")
]
ArdourPath = Annotated[Path | None, typer.Option("--path", metavar="FOLDER", help="Another settings folder of Ardour.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be done, and change nothing.")]
ClientName = Annotated[
    str | None,
    typer.Option("--client", help="The name of this DAW at the bridge; left out: it keeps the one it has."),
]
Check = Annotated[
    bool, typer.Option("--check", help="Install nothing: try REAPER itself, with settings of its own, and report.")
]
Program = Annotated[
    Path | None,
    typer.Option("--program", metavar="PATH", help="With --check: where REAPER's program is."),
]
Seconds = Annotated[float, typer.Option("--seconds", min=1.0, help="With --check: how long the report may take.")]


@app.callback(invoke_without_command=True)
def overview(context: typer.Context, json: o.Json = False) -> None:
    """Put the actions into REAPER and Ardour and the devices into Ableton Live, or update them."""
    if context.invoked_subcommand is not None:
        return
    from bridge_daemon import __version__
    from bridge_daemon.install.target import states

    home = Home.locate()
    found = [(target, states(target, _machine(), home)) for target in _targets()]
    if json:
        told = {target.name: [state.as_dict() for state in here] for target, here in found}
        running = home.read_runtime()
        terminal.dump({"version": __version__, "running": running.version if running is not None else None, **told})
        return
    _tell_running(home)
    for target, here in found:
        terminal.say(target.title, "bold")
        if not here:
            error = target.missing(_machine())
            terminal.say(f"  not found. {error.next_step}")
        for state in here:
            _show_state(target, state)


def tell_other_versions() -> None:
    """Say what runs, or is installed in a DAW, in another version than this one. On stderr: stdout is for scripts."""
    from bridge_daemon.install.target import states

    home = Home.locate()
    _tell_running(home)
    for target in _targets():
        for state in states(target, _machine(), home):
            if state.outdated:
                terminal.note(f"{state.place.title} has version {state.version} ({state.place.base}).", "yellow")
                terminal.note(f"  Next:  daw-bridge install {target.name}")


def _tell_running(home: Home) -> None:
    from bridge_daemon import __version__

    running = home.read_runtime()
    if running is not None and running.version != __version__:
        terminal.note(f"The bridge that runs is version {running.version}, and this is {__version__}.", "yellow")
        terminal.note("  Next:  daw-bridge stop, then daw-bridge start")


def _show_state(target: Target, state: InstallState) -> None:
    terminal.say(f"  {state.place.title}: {state.place.base}")
    if state.place.note:
        terminal.say(f"    {state.place.note}", "yellow")
    if state.version is None:
        terminal.say(f"    nothing installed.  Next: daw-bridge install {target.name}")
    elif state.outdated:
        terminal.say(f"    version {state.version} is installed, not this one.  Next: daw-bridge install {target.name}")
    else:
        terminal.say(f"    version {state.version} is installed, and up to date")
    for file in state.changed:
        terminal.say(f"    changed by you: {file} (an update keeps it under another name)", "yellow")


@app.command("reaper")
def install_reaper(
    path: ReaperPath = None,
    client: ClientName = None,
    dry_run: DryRun = False,
    check: Check = False,
    program: Program = None,
    seconds: Seconds = 300.0,
    json: o.Json = False,
) -> None:
    """Copy the actions into REAPER, or update them. It tells the one step that is left.

    With --check nothing is installed: your REAPER is started with settings of its own and tried.
    """
    from bridge_daemon.install.reaper import Reaper

    if check:
        from bridge_daemon.cli import reaper_check

        reaper_check.check(_machine(), program, seconds, as_json=json)
        return
    _install(Reaper(), path, client, dry_run=dry_run, json=json)


@app.command("ardour")
def install_ardour(
    path: ArdourPath = None, client: ClientName = None, dry_run: DryRun = False, json: o.Json = False
) -> None:
    """Copy the actions and the hook into Ardour, or update them. It tells what is left to do in Ardour."""
    from bridge_daemon.install.ardour import Ardour

    _install(Ardour(), path, client, dry_run=dry_run, json=json)


@app.command("live")
def install_live(path: LivePath = None, dry_run: DryRun = False, json: o.Json = False) -> None:
    """Copy the devices into Live's User Library, or update them. It tells what is next."""
    from bridge_daemon.install.live import Live

    _install(Live(), path, None, dry_run=dry_run, json=json)


@remove.command("reaper")
def uninstall_reaper(path: ReaperPath = None, dry_run: DryRun = False, json: o.Json = False) -> None:
    """Remove the actions from REAPER. Only what the install wrote goes, and nothing that you changed."""
    from bridge_daemon.install.reaper import Reaper

    _uninstall(Reaper(), path, dry_run=dry_run, json=json)


@remove.command("ardour")
def uninstall_ardour(path: ArdourPath = None, dry_run: DryRun = False, json: o.Json = False) -> None:
    """Remove the scripts from Ardour. Only what the install wrote goes, and nothing that you changed."""
    from bridge_daemon.install.ardour import Ardour

    _uninstall(Ardour(), path, dry_run=dry_run, json=json)


@remove.command("live")
def uninstall_live(path: LivePath = None, dry_run: DryRun = False, json: o.Json = False) -> None:
    """Remove the devices from Live. Only what the install wrote goes, and nothing that you changed."""
    from bridge_daemon.install.live import Live

    _uninstall(Live(), path, dry_run=dry_run, json=json)


def _targets() -> list[Target]:
    from bridge_daemon.install import daws

    return daws.targets()


def _machine() -> Machine:
    from bridge_daemon.install.machine import Machine

    return Machine.this()


def _install(target: Target, path: Path | None, client: str | None, *, dry_run: bool, json: bool) -> None:
    from bridge_daemon.install.target import install

    done = install(target, _machine(), Home.locate(), path=path, client=client, dry_run=dry_run)
    _show(done, _installed, dry_run=dry_run, json=json)


def _uninstall(target: Target, path: Path | None, *, dry_run: bool, json: bool) -> None:
    from bridge_daemon.install.target import uninstall

    done = uninstall(target, _machine(), Home.locate(), path=path, dry_run=dry_run)
    _show(done, _uninstalled, dry_run=dry_run, json=json)


def _show(done: list[InstallOutcome], headline: Callable[[InstallOutcome], str], *, dry_run: bool, json: bool) -> None:
    if json or problems.CliOutput.json:  # also where it stands before the name of the DAW
        terminal.dump({"dry_run": dry_run, "places": [outcome.as_dict() for outcome in done]})
        return
    for outcome in done:
        terminal.say(f"{outcome.place.title}: {'what would be done' if dry_run else headline(outcome)}", "bold")
        terminal.say(f"  {outcome.place.base}")
        if outcome.place.note:
            terminal.note(f"  {outcome.place.note}", "yellow")
        _show_files(outcome, dry_run=dry_run)
        if not dry_run:
            terminal.say(f"  Next: {outcome.next}")
    if dry_run:
        terminal.say("A dry run: nothing was changed.", "yellow")


def _installed(outcome: InstallOutcome) -> str:
    before, now = outcome.version_before, outcome.version
    if before is None:
        return f"version {now} is installed"
    if all(step.act == "unchanged" for step in outcome.steps):
        return f"version {now} was there already"
    return f"updated from version {before} to {now}" if before != now else f"version {now} is installed again"


def _uninstalled(outcome: InstallOutcome) -> str:
    return f"version {outcome.version_before} is removed"


def _show_files(outcome: InstallOutcome, *, dry_run: bool) -> None:
    counts: dict[str, int] = {}
    for step in outcome.steps:
        if dry_run and step.act != "unchanged":
            terminal.say(f"    {step.act}: {step.file}{f' -> {step.to}' if step.to else ''}")
        counts[step.act] = counts.get(step.act, 0) + 1
        if step.act == "renamed":
            terminal.say(f"  You had changed {step.file}: your copy is kept as {step.to}", "yellow")
        elif step.act == "kept":
            terminal.say(f"  You had changed {step.file}: it is left where it is", "yellow")
    terminal.say("  " + ", ".join(f"{count} {act}" for act, count in counts.items()))
    for line in outcome.more:
        terminal.say(f"  {line[0].upper()}{line[1:]}")
