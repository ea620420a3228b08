"""The tree of commands, and what every command has in common: errors, Ctrl-C, ``--version``."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from bridge_daemon import __version__
from bridge_daemon.cli import problems as problems_

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
        if code := problems_.exit_code_of(lambda: super(Commands, self).invoke(ctx)):
            raise typer.Exit(code)

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
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    get_command(build(wanted))(prog_name="daw-bridge", windows_expand_args=False)  # a prompt is no file name
