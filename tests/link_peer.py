"""A peer in a Link session, in a process of its own: plays until its input ends; a line sets a tempo, play or stop."""

from __future__ import annotations

import asyncio
import sys

import aalink


async def main() -> None:
    """Join, say so, and heed lines."""
    link = aalink.Link(float(sys.argv[1]))
    link.start_stop_sync_enabled = True
    link.enabled = True
    link.playing = True
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: lines.put_nowait(sys.stdin.readline()))
    sys.stdout.write("joined\n")
    sys.stdout.flush()
    while line := await lines.get():
        if line.strip() in ("play", "stop"):
            link.playing = line.strip() == "play"
        else:
            link.tempo = float(line)
    loop.remove_reader(sys.stdin)
    link.enabled = False


asyncio.run(main())
