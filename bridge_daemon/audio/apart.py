"""Opening an audio file that somebody named, and decoding it in another process: see workers.py for why.

What is made of the samples, and every file that is written, stays in this process.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import TypeAdapter

from bridge_daemon.audio.decoders import Samples, Undecoded, sample_type
from bridge_daemon.audio.opening import Found, OpenAudio, SourceInfo
from bridge_daemon.audio.workers import WORKERS, Died, Worker
from bridge_daemon.errors import SourceRefused

_AHEAD: Final = 4  # blocks that are decoded while one is worked on


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a worker says of a file that it has opened."""

    info: SourceInfo
    missing: str | None
    doubt: str | None
    notes: tuple[str, ...]
    delay_cut: int
    delay_known: bool


_OPENED: Final = TypeAdapter(_Opened)


class _Remote:
    """A decoder in another process."""

    def __init__(self, worker: Worker, opened: _Opened) -> None:
        info = opened.info
        self.container, self.subtype = info.container, info.subtype
        self.rate, self.channels, self.frames = info.rate, info.channels, info.frames
        self._type = np.dtype(sample_type(self.subtype))
        self._worker = worker
        self._reading: Generator[Samples] | None = None

    def read(self, first: int) -> Iterator[Samples]:
        """Decode from the frame ``first`` to the end."""
        self._stop()
        self._reading = self._blocks(first)
        return self._reading

    def close(self) -> None:
        """Let go of the file."""
        self._stop()
        self._worker.say(b"{}")

    def _stop(self) -> None:
        if self._reading is not None:
            self._reading.close()

    def _blocks(self, first: int) -> Generator[Samples]:
        worker, is_over = self._worker, False
        frame = self._type.itemsize * self.channels
        worker.say(json.dumps({"read": first}).encode() + b"\n+" * _AHEAD)
        try:
            while True:
                kind, content = worker.hear()
                if kind == b"b" and len(content) % frame == 0:
                    worker.say(b"+")
                    yield np.frombuffer(content, self._type).reshape(-1, self.channels)
                    continue
                is_over = True
                if kind == b"u":
                    raise Undecoded(content.decode("utf-8", "replace"))
                if kind != b"e":
                    raise worker.end("its decoder does not answer as it should")
                return
        finally:
            if not is_over and worker.is_alive:
                worker.say(b".")
                while worker.hear()[0] == b"b":
                    pass


@contextmanager
def open_audio(path: Path, *, cut_delay: bool = False) -> Iterator[OpenAudio]:
    """Open the file at ``path`` as :func:`bridge_daemon.audio.opening.open_audio` does, in another process.

    Raises SourceRefused for all that is not audio that can be read; Died, one of those, if the process came to its end.
    """
    worker = WORKERS.take()
    try:
        kind, content = _ask(worker, path, cut_delay=cut_delay)
        if kind is None:  # it may have died of the sleep of the machine, or been ended by somebody
            WORKERS.give_back(worker)
            worker = WORKERS.take()
            kind, content = _ask(worker, path, cut_delay=cut_delay)
        if kind == b"r":
            raise SourceRefused(content.decode("utf-8", "surrogatepass"))
        if kind == b"d":
            raise OSError(*json.loads(content))
        opened = _opened(worker, kind, content, path)
        remote = _Remote(worker, opened)
        try:
            yield OpenAudio(opened.info, _found(remote, opened))
        finally:
            remote.close()
    except Died as death:
        raise Died(f'"{path.name}" could not be decoded: {death.message}.') from death
    finally:
        WORKERS.give_back(worker)


def probe(path: Path, *, name: str | None = None) -> SourceInfo:
    """Return what the header of the file says, without decoding. ``name`` is for messages. Raises SourceRefused."""
    try:
        with open_audio(path) as audio:
            return audio.info
    except SourceRefused as error:
        if name is not None:
            error.message = error.message.replace(f'"{path.name}"', f'"{name}"')
        raise


def _ask(worker: Worker, path: Path, *, cut_delay: bool) -> tuple[bytes | None, bytearray]:
    """Return the answer to "open this"; no kind if one that was warm crashed before it said a word."""
    try:
        worker.say(json.dumps({"open": str(path), "cut_delay": cut_delay}).encode())
        return worker.hear()
    except Died:
        if worker.used and not worker.was_ended:
            return None, bytearray()
        raise


def _opened(worker: Worker, kind: bytes | None, content: bytearray, path: Path) -> _Opened:
    try:
        if kind != b"o":
            raise ValueError
        told = json.loads(content)
        told["info"]["path"] = "."  # its name may be none that is UTF-8
        opened = _OPENED.validate_python(told)
    except (ValueError, LookupError, TypeError) as error:
        raise worker.end("its decoder does not answer as it should") from error
    return replace(opened, info=replace(opened.info, path=path))


def _found(remote: _Remote, opened: _Opened) -> Found:
    return Found(
        remote,
        opened.info.layout,
        opened.missing,
        opened.doubt,
        opened.notes,
        opened.delay_cut,
        opened.delay_known,
        opened.info.time_reference,
        opened.info.tempo,
    )
