"""``daw-bridge service``: the bridge starts at login, and again when it dies."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from bridge_daemon.cli import background, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.errors import InstallTrouble
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from bridge_daemon.install.service import ServiceState

app = typer.Typer(
    help="Start the bridge at login, and again when it dies. No administrator is needed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("install")
def install(json: o.Json = False) -> None:
    """Start the bridge at login, and now. It gets the home, search path and proxies of this terminal.

    Done again, it takes what is set now.
    """
    home = Home.locate()
    home.prepare()
    found, changed, answer = put_in(home)
    if json:
        terminal.dump(found.as_dict() | {"changed": changed, "answers": answer is not None})
        return
    terminal.say(f"The service is {'installed' if changed else 'as it was, and started again'}: {found.file}")
    _tell_answer(home, answer, "It runs: {}, and starts at each login.")


def put_in(home: Home) -> tuple[ServiceState, bool, dict[str, Any] | None]:
    """Install the service of a home and start it: how it is, whether it is another than before, and its status.

    Raises:
        InstallTrouble: the system does not take it; a bridge that ran before runs again.
    """
    from bridge_daemon.install import service

    spec, manager = service.spec_of(home), service.supervisor(home)
    ran = background.end(home)  # two bridges cannot have one home
    try:
        changed = service.install(manager, spec)
    except InstallTrouble:
        if ran:
            background.ensure(home)
        raise
    for name in spec.left_out:
        terminal.note(f"{name} is not written into it: it looks like a secret. See daw-bridge key set.", "yellow")
    if "EMPIRIOLABS_API_KEY" in _environment():
        terminal.note("The key in EMPIRIOLABS_API_KEY is not written into it. Next: daw-bridge key set", "yellow")
    return service.state(manager, spec), changed, background.await_answer(home)


@app.command("uninstall")
def uninstall(json: o.Json = False) -> None:
    """Stop the service and start it no more. Takes, settings and journal stay."""
    from bridge_daemon.install import service

    home = Home.locate()
    manager = service.supervisor(home)
    if not manager.file.exists():
        raise InstallTrouble(
            f"No service is installed for the home {home.path}. Nothing was changed.",
            next="daw-bridge service install makes one.",
        )
    if sys.platform == "win32":
        background.end(home)
    service.uninstall(manager)
    if json:
        terminal.dump({"uninstalled": True, "file": str(manager.file)})
    else:
        terminal.say("The service is removed. Takes, settings and journal stay. Next: daw-bridge start")


@app.command("status")
def status(json: o.Json = False) -> None:
    """Show whether the service is installed, current and running. Exit code 3: it is not installed."""
    from bridge_daemon.install import service

    home = Home.locate()
    found = service.state(service.supervisor(home), service.spec_of(home))
    if json:
        terminal.dump(found.as_dict())
    else:
        _print(found, home)
    if not found.installed:
        raise typer.Exit(3)


@app.command("restart")
def restart(json: o.Json = False) -> None:
    """Stop the service and start it, also after it died too often. A request on the wire is awaited."""
    from bridge_daemon.install import service

    home = Home.locate()
    manager = service.supervisor(home)
    if not manager.file.exists():
        raise InstallTrouble(
            f"No service is installed for the home {home.path}.", next="daw-bridge service install makes one."
        )
    background.end(home)  # by our own way: no supervisor cuts off a request that may cost
    manager.restart()
    answer = background.await_answer(home)
    if json:
        terminal.dump({"restarted": True, "answers": answer is not None})
    else:
        _tell_answer(home, answer, "It runs again: {}")


def _tell_answer(home: Home, answer: dict[str, Any] | None, runs: str) -> None:
    """Say where the service runs, in ``runs``, or that it does not answer yet."""
    if answer is None:
        terminal.note(f"It does not answer yet. Next: daw-bridge status; the log is {home.log_file}", "yellow")
    else:
        terminal.say(runs.format(f"{answer['http_url']} (pid {answer['pid']})"), "bold green")


def _print(found: ServiceState, home: Home) -> None:
    if not found.installed:
        terminal.say(f"No service is installed for the home {home.path}.  Next: daw-bridge service install")
        return
    words = {True: "running", False: "not running", None: "not known"}
    pairs = [("Service", f"{found.kind}, {found.file}"), ("State", f"{words[found.running]} ({found.detail})")]
    terminal.fields([*pairs, ("Home", str(home.path)), ("Log", str(home.log_file))])
    if not found.current:
        terminal.note("It was installed with other settings than this terminal has.", "yellow")
        terminal.note("  Next:  daw-bridge service install takes those of this terminal.")


def _environment() -> set[str]:
    import os

    return {name.upper() for name in os.environ}
