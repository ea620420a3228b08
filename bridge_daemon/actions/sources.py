"""Sources that a person gives us as bytes: kept in the home under their content's hash, named in a request by path."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final

from bridge_daemon.domain.sound_files import ENDINGS
from bridge_daemon.errors import DiskTrouble, NotFound, SourceRefused
from bridge_daemon.home.paths import Home
from bridge_daemon.util import files

#: What an added source is called, in the folder of sources.
_NAME: Final = "upload-{sha256}{ending}"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
#: Bytes that stay free on the disk, whatever is sent: takes that are paid for need room.
_ROOM: Final = 1 << 30


class SourceActions:
    """The verbs of added sources."""

    _home: Home

    async def peaks_of(self, file: Path, buckets: int) -> dict[str, Any]:
        """Return the waveform of a file."""
        raise NotImplementedError

    async def add_source(self, body: AsyncIterator[bytes], name: str | None) -> tuple[dict[str, Any], bool]:
        """Keep the bytes of an audio file; return what it is, and whether it is new.

        Raises:
            SourceRefused: it is no audio that can be read.
            DiskTrouble: there is no room for it.
        """
        folder = self._home.sources
        part = files.part_of(folder / "upload")
        try:
            sha256 = await self._write(part, body)
            sound = await self.peaks_of(part, 1)  # decodes all of it: what is kept is audio
            file, new = await asyncio.to_thread(_settle, part, folder, sha256, _ending(name))
        finally:
            await asyncio.to_thread(files.discard, part)
        size = (await asyncio.to_thread(file.stat)).st_size
        return {
            "source": sha256,
            "path": str(file),
            "name": PurePath(name or "").name or file.name,
            "bytes": size,
            "seconds": sound["frames"] / sound["rate"],
            "rate": sound["rate"],
            "channels": sound["channels"],
        }, new

    async def _write(self, part: Path, body: AsyncIterator[bytes]) -> str:
        digest = hashlib.sha256()
        file: BinaryIO = await asyncio.to_thread(files.create, part, mode=0o600)
        try:
            async for chunk in body:
                digest.update(chunk)
                await asyncio.to_thread(_append, file, chunk, part.parent)
        finally:
            await asyncio.to_thread(file.close)
        return digest.hexdigest()

    def added_source(self, source: str) -> Path:
        """Return the file of a source that was added. Raises NotFound."""
        found = _find(self._home.sources, source) if _HASH.fullmatch(source) else None
        if found is None:
            raise NotFound("There is no such source (any more).", next="Add its file again.")
        return found

    async def added_source_peaks(self, source: str, buckets: int) -> dict[str, Any]:
        """Return the waveform of a source that was added."""
        return await self.peaks_of(self.added_source(source), buckets)


def _append(file: BinaryIO, chunk: bytes, folder: Path) -> None:
    try:
        if files.free_bytes(folder) < _ROOM:
            raise DiskTrouble("The disk has no room for this source.")
        file.write(chunk)
    except OSError as error:
        raise DiskTrouble(f"The source cannot be written: {error.strerror or error}.") from error


def _ending(name: str | None) -> str:
    ending = PurePath(name or "").suffix.lower()
    return ending if ending in ENDINGS else ".bin"  # readers look at the content


def _find(folder: Path, sha256: str) -> Path | None:
    return next(iter(sorted(folder.glob(_NAME.format(sha256=sha256, ending=".*")))), None)


def _settle(part: Path, folder: Path, sha256: str, ending: str) -> tuple[Path, bool]:
    """Give a source its name; one that is there already is kept for as long as a new one."""
    if part.stat().st_size == 0:
        raise SourceRefused("The file is empty.")
    there = _find(folder, sha256)
    if there is not None:
        os.utime(there)
        return there, False
    return files.settle(part, folder / _NAME.format(sha256=sha256, ending=ending), point="upload"), True
