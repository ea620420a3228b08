"""A process that decodes files for another: ``python -m bridge_daemon.audio.worker``.

It is told what to do by lines on stdin, and answers on stdout by messages: a kind of one byte, a length, a content.

    {"open": PATH, "cut_delay": BOOL}   o what was found, JSON; r why it is refused; d an error of the disk, JSON
    {"read": FRAME}                     b samples, one for each line "+" that follows; at the end e, or u: it breaks off
    +                                   one more message of samples
    .                                   no more of them
    {}                                  closes the file

Before all that it sends h, with its number: it is ready.

It ends when its stdin does, so it never outlives its daemon for long.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from bridge_daemon.audio.decoders import Decoder, Undecoded
from bridge_daemon.audio.opening import open_audio
from bridge_daemon.audio.workers import HEAD, OUT_OF_MEMORY
from bridge_daemon.errors import SourceRefused

_MEMORY: Final = 4 << 30  # bytes of address space; of what is really used our owner allows less
_FILE: Final = 3 << 30  # bytes: what ffmpeg decodes is kept in a file without a name
_FACTS: Final = ("missing", "doubt", "notes", "delay_cut", "delay_known")


def confine() -> None:
    """Set the limits that the system holds this process to, where it has such limits."""
    if sys.platform != "win32":
        import resource

        wanted = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: _FILE}
        if sys.platform == "linux":  # macOS takes it and does not hold to it
            wanted[resource.RLIMIT_AS] = _MEMORY
        for limit, most in wanted.items():
            _, hard = resource.getrlimit(limit)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (most, most))


class _Server:
    """Answers one owner."""

    def __init__(self, lines: BinaryIO, answers: BinaryIO) -> None:
        self._lines = lines
        self._answers = answers

    def serve(self) -> None:
        """Say that it is ready, and open what is asked for until there are no more lines."""
        self._say(b"h", str(os.getpid()).encode())
        while asked := self._command():
            self._open(Path(asked["open"]), cut_delay=asked["cut_delay"])

    def _command(self) -> dict[str, Any] | None:
        while line := self._lines.readline():
            if line not in (b"+\n", b".\n"):  # of what was read to its end before
                return json.loads(line) or None
        sys.exit()

    def _open(self, path: Path, *, cut_delay: bool) -> None:
        try:
            with open_audio(path, cut_delay=cut_delay) as audio:
                told = {name: getattr(audio, name) for name in _FACTS} | {"info": asdict(audio.info)}
                self._say(b"o", json.dumps(told, default=str).encode())
                while asked := self._command():
                    self._read(audio.decoder, asked["read"])
        except SourceRefused as error:
            self._say(b"r", error.message.encode("utf-8", "surrogatepass"))
        except OSError as error:
            self._say(b"d", json.dumps([error.errno, error.strerror]).encode())

    def _read(self, decoder: Decoder, first: int) -> None:
        try:
            for block in decoder.read(first):
                if self._lines.readline() != b"+\n":
                    break
                self._say(b"b", np.ascontiguousarray(block).data)
        except Undecoded as error:
            self._say(b"u", str(error).encode())
        else:
            self._say(b"e", b"")

    def _say(self, kind: bytes, content: bytes | memoryview) -> None:
        whole = content.cast("B") if isinstance(content, memoryview) else memoryview(content)
        self._answers.write(HEAD.pack(kind, len(whole)))
        at = 0
        while at < len(whole):  # it is not buffered
            at += self._answers.write(whole[at:])


def main() -> int:
    """Serve whoever started this process."""
    confine()
    with os.fdopen(os.dup(1), "wb", buffering=0) as answers:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
        try:
            _Server(sys.stdin.buffer, answers).serve()
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except BrokenPipeError:
            return 0  # its owner has gone
    return 0


if __name__ == "__main__":
    sys.exit(main())
