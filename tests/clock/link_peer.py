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
    stream = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
    sys.stdout.write("joined\n")
    sys.stdout.flush()
    while line := (await stream.readline()).decode().strip():
        if line in ("play", "stop"):
            link.playing = line == "play"
        else:
            link.tempo = float(line)
    link.enabled = False


asyncio.run(main())
