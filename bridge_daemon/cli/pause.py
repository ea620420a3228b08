"""``daw-bridge pause`` and ``daw-bridge resume``."""

from __future__ import annotations

from bridge_daemon.cli import options as o
from bridge_daemon.cli import terminal
from bridge_daemon.cli.connection import talk


def pause(json: o.Json = False) -> None:
    """Stop all sending. Jobs that are paid already go on."""
    answer = talk(lambda bridge: bridge.pause())
    if json:
        terminal.dump(answer)
    else:
        terminal.say("Paused: nothing is sent any more. Jobs that are paid already go on.")
        terminal.say("  Next:  daw-bridge resume")


def resume(json: o.Json = False) -> None:
    """Send again."""
    answer = talk(lambda bridge: bridge.resume())
    if json:
        terminal.dump(answer)
    elif answer.get("was_paused"):
        terminal.say("Sending again.")
    else:
        terminal.say("It was not paused.")
