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
    sys.stdout.write("joined\n")
    sys.stdout.flush()
    # in a thread: Windows cannot wait for a pipe like this one together with other things
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if line in ("play", "stop"):
            link.playing = line == "play"
        else:
            link.tempo = float(line)
    link.enabled = False


asyncio.run(main())
