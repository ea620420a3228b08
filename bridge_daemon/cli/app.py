"""The tree of commands, and what every command has in common: errors, Ctrl-C, ``--version``."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from bridge_daemon import __version__
from bridge_daemon.cli import (
    background,
    care,
    config,
    demo,
    fit,
    folders,
    generate,
    install,
    jobs,
    key,
    logs,
    midi,
    open,
    pause,
    price,
    run,
    service,
    setup,
    sketch_engine,
    status,
    studio,
)
from bridge_daemon.cli import problems as problems_
from bridge_daemon.cli import transform as transform_
from bridge_daemon.cli.problems import INTERRUPTED
from bridge_daemon.cli.terminal import OutputClosed, leave_pipe
from bridge_daemon.errors import BridgeError


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
        install.tell_other_versions()
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


def build() -> typer.Typer:
    """Return the whole tree."""
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
    app.command("demo")(demo.demo)
    app.command("setup")(setup.setup)
    app.command("run")(run.run)
    app.command("start")(background.start)
    app.command("stop")(background.stop)
    app.add_typer(service.app, name="service")
    app.command("status")(status.status)
    app.command("open")(open.open_page)
    app.command("generate")(generate.generate)
    app.command("transform")(transform_.transform)
    app.add_typer(jobs.app, name="jobs")
    app.command("fit")(fit.fit)
    app.add_typer(folders.app, name="folders")
    app.command("pause")(pause.pause)
    app.command("resume")(pause.resume)
    app.add_typer(price.app, name="price")
    app.add_typer(key.app, name="key")
    app.add_typer(config.app, name="config")
    app.add_typer(studio.app, name="studio")
    app.command("keeper")(run.keeper)
    app.add_typer(install.app, name="install")
    app.add_typer(install.remove, name="uninstall")
    app.add_typer(midi.app, name="midi")
    app.command("doctor")(care.doctor)
    app.command("logs")(logs.logs)
    app.command("support-bundle")(care.support_bundle)
    app.command("completion")(care.completion)
    app.command("sketch-engine")(sketch_engine.sketch_engine)
    return app


def run_command() -> None:
    """Run the command that the command line names, and end the process."""
    try:
        get_command(build())(prog_name="daw-bridge", windows_expand_args=False)  # a prompt is no file name
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
