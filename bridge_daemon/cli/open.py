"""``daw-bridge open``: the page of the bridge, in the browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from bridge_daemon.cli import options as o
from bridge_daemon.cli import terminal
from bridge_daemon.cli.connection import talk


def open_page(
    show: Annotated[bool, typer.Option("--print", help="Print the address, and open nothing.")] = False,
    json: o.Json = False,
) -> None:
    """Open the page of the bridge in the browser, signed in.

    The address is good once, within a minute: whoever has it may spend what you may.
    """
    url = talk(lambda bridge: bridge.page_url())
    if json:
        terminal.dump({"url": url})
    elif show:
        terminal.say(url)
    elif webbrowser.open(url):
        terminal.note("The page opens in your browser.")
    else:
        terminal.note("No browser could be started. Open this address in one on this machine, within a minute:")
        terminal.say(url)
