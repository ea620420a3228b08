"""The command line. One file for each command; whatever is slow to load is loaded inside of the command that needs it.

What a script can use goes to stdout, what is for a person's eyes goes to stderr. Exit codes: 0 done, 1 failed, refused
or unknown, 2 wrong use, 3 the daemon is not running, 130 interrupted.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command that the command line names; the entry point ``daw-bridge``. Ends the process."""
    import gc
    import os
    import sys

    # pydantic would look for plugins in all that is installed
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if sys.argv[1:2] == ["run"]:
        gc.disable()  # nothing that a start loads is garbage; it is switched on once everything is there

    from bridge_daemon.util import ourselves

    if sys.argv[1:2] == [ourselves.SUPERVISE] and ourselves.is_frozen():
        from bridge_daemon.publish import supervisor

        sys.exit(supervisor.main(sys.argv[2:]))
    if sys.argv[1:2] == [ourselves.DECODE] and ourselves.is_frozen():
        from bridge_daemon.audio import worker

        sys.exit(worker.main())
    from bridge_daemon.cli import problems, terminal

    terminal.make_safe()
    try:
        _run_command(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - told in one sentence, and written down
        sys.exit(problems.unexpected(error))


def _run_command(arguments: list[str]) -> None:
    """Run a command, and end the process. The daemon's own, as most people start it, needs no tree of commands."""
    import sys

    if arguments[:1] == ["run"]:
        from bridge_daemon.cli import foreground, problems

        by = foreground.plain(arguments[1:])
        if by is not None:
            sys.exit(problems.exit_code_of(lambda: foreground.until_ended(by)))
    from bridge_daemon.cli.app import run_command

    run_command()
