"""The tree of commands, and what every command has in common: errors, Ctrl-C, ``--version``."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from bridge_daemon import __version__
from bridge_daemon.cli import problems as problems_
from bridge_daemon.cli.problems import INTERRUPTED
from bridge_daemon.cli.terminal import OutputClosed, leave_pipe
from bridge_daemon.errors import BridgeError

#: Each command, in the order in which a person meets them: the module in this room, and what it is called there.
_COMMANDS: Final = {
    "demo": ("demo", "demo"),
    "setup": ("setup", "setup"),
    "run": ("run", "run"),
    "start": ("background", "start"),
    "stop": ("background", "stop"),
    "service": ("service", "app"),
    "status": ("status", "status"),
    "open": ("open", "open_page"),
    "generate": ("generate", "generate"),
    "transform": ("transform", "transform"),
    "jobs": ("jobs", "app"),
    "fit": ("fit", "fit"),
    "folders": ("folders", "app"),
    "pause": ("pause", "pause"),
    "resume": ("pause", "resume"),
    "price": ("price", "app"),
    "key": ("key", "app"),
    "config": ("config", "app"),
    "studio": ("studio", "app"),
    "keeper": ("run", "keeper"),
    "install": ("install", "app"),
    "uninstall": ("install", "remove"),
    "midi": ("midi", "app"),
    "doctor": ("care", "doctor"),
    "logs": ("logs", "logs"),
    "support-bundle": ("care", "support_bundle"),
    "completion": ("care", "completion"),
    "sketch-engine": ("sketch_engine", "sketch_engine"),
}


class Commands(TyperGroup):
    """The root of the tree: every command runs inside of :meth:`invoke`."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; its errors become one clean message and an exit code."""
        problems_.CliOutput.json = False
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            raise typer.Exit(problems_.report(error)) from error
        except OutputClosed as closed:
            raise typer.Exit(leave_pipe()) from closed
        except KeyboardInterrupt as stop:
            raise typer.Exit(INTERRUPTED) from stop

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order in which a person meets them."""
        return list(self.commands)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"daw-bridge {__version__}")
        from bridge_daemon.cli.install import tell_other_versions

        tell_other_versions()
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version, and what is of another one, and exit.",
            callback=_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Bring generated audio to the timeline of a DAW.

    One press, one paid generation, one take at the right place. Start with: daw-bridge demo
    """


def build(only: str = "") -> typer.Typer:
    """Return the whole tree, or, a tree with the command ``only``: the others take time to load."""
    app = typer.Typer(
        name="daw-bridge",
        cls=Commands,
        callback=_root,
        no_args_is_help=True,
        # plain help: it fits every console, and the other one takes 0.2 s more to load
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, (module, called) in _COMMANDS.items():
        if only in _COMMANDS and name != only:
            continue
        command = getattr(importlib.import_module(f"bridge_daemon.cli.{module}"), called)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def run_command() -> None:
    """Run the command that the command line names, and end the process."""
    try:
        wanted = sys.argv[1] if len(sys.argv) > 1 else ""
        get_command(build(wanted))(prog_name="daw-bridge", windows_expand_args=False)  # a prompt is no file name
    except Exception as error:  # noqa: BLE001 - told in one sentence, and written down
        if isinstance(error, OSError) and is_closed_pipe(error):
            sys.exit(leave_pipe())
        sys.exit(problems_.unexpected(error))


def is_closed_pipe(error: OSError) -> bool:
    """Return whether the reader of our output is gone. Windows' C runtime calls that EINVAL, and names no file."""
    if os.name != "nt":
        return error.errno == errno.EPIPE
    no_code = getattr(error, "winerror", None) is None  # of the C runtime, not of the system
    return error.errno == errno.EPIPE or (error.errno == errno.EINVAL and no_code and error.filename is None)
