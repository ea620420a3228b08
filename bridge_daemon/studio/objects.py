"""Where the objects of a store lie: in a bucket, or in a folder that all machines of the studio reach.

An object is whole or not there, and was read back once before anybody counts on it. All of them raise StoreAway if the
store cannot be used, and OSError if it is the disk of this machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit

from bridge_daemon.errors import KeyTrouble, StoreAway
from bridge_daemon.home.s3_key import S3KeyStore
from bridge_daemon.publish.bucket import INSTALL, installed
from bridge_daemon.publish.store import Bucket, Learned, Store, StoreRefused
from bridge_daemon.util import files, foreign
from bridge_daemon.util.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge_daemon.home.paths import Home
    from bridge_daemon.settings.sections import StoreSettings

P = ParamSpec("P")
T = TypeVar("T")
#: Lies in each store, and says whose it is: the folder of a share that is not mounted has none.
MARK: Final = "studio.json"
_MOST: Final = 1 << 30  # bytes of an object
_MOST_MARK: Final = 1 << 16
_OLD_PART: Final = 86_400.0  # s after which nobody is still writing it


class Objects(Protocol):
    """Where objects lie."""

    where: str

    async def put(self, name: str, file: Path, sha256: str) -> None:
        """Put a file into the store, and see it come back. Raises StoreAway, OSError."""

    async def get(self, name: str, part: Path, sha256: str) -> bool:
        """Bring an object into a new file. False: it is not there, or another one. Raises StoreAway, OSError."""

    async def delete(self, name: str) -> None:
        """Remove an object; one that is gone already is fine. Raises StoreAway."""

    async def mark(self) -> bytes | None:
        """Return the mark of the store; None if it has none. Raises StoreAway."""

    async def set_mark(self, content: bytes) -> None:
        """Mark the store. Raises StoreAway."""


def mark_of(studio: str) -> bytes:
    """Return the mark of the store of a studio."""
    return json.dumps({"studio": studio}).encode()


def of_settings(settings: StoreSettings, home: Home) -> Objects:
    """Return the store that the settings name."""
    assert settings.url is not None
    if not settings.url.lower().startswith("s3:"):
        return Folder(Path(settings.url).expanduser())
    parts = urlsplit(settings.url)
    bucket = Bucket(parts.netloc, settings.s3_endpoint, settings.s3_region)
    return InBucket(bucket, parts.path.strip("/"), S3KeyStore(home), settings.url)


class _Hashing:
    """Writes what comes into a new file, and hashes it."""

    def __init__(self, part: Path | None) -> None:
        self._file = files.create(part) if part is not None else None
        self._hash = hashlib.sha256()

    def write(self, block: bytes) -> None:
        self._hash.update(block)
        if self._file is not None:
            self._file.write(block)

    def close(self) -> str:
        """Return the hash."""
        if self._file is not None:
            self._file.close()
        return self._hash.hexdigest()


class Folder:
    """A folder of a file server, or of this machine."""

    def __init__(self, root: Path) -> None:
        """Nothing is looked at yet."""
        self._root = root
        self.where = str(root)

    async def put(self, name: str, file: Path, sha256: str) -> None:
        """See :class:`Objects`."""
        with files.open_plain(file):  # what is wrong with it is no fault of the store
            pass
        await self._off(self._put, name, file, sha256)

    def _put(self, name: str, file: Path, sha256: str) -> None:
        self._check_mark()
        target = self._root / name
        target.parent.mkdir(exist_ok=True)
        if not _is(target, sha256):
            part = files.part_of(target)
            try:
                with files.open_plain(file) as reader, files.create(part) as writer:
                    while block := reader.read(1 << 20):
                        writer.write(block)
                    failpoint("store.copy.written")
                    files.flush_to_disk(writer)
                files.replace(part, target)
            except BaseException:
                files.discard(part)
                raise
            failpoint("store.copy.replaced")
        files.flush_folder(target.parent)
        if not _is(target, sha256):
            raise StoreAway(f"What was put into the store {self.where} does not come back as it was: {name}.")

    async def get(self, name: str, part: Path, sha256: str) -> bool:
        """See :class:`Objects`."""
        return await self._off(self._get, name, part, sha256)

    def _get(self, name: str, part: Path, sha256: str) -> bool:
        self._check_mark()
        try:
            reader = files.open_unheld(self._root / name)
        except FileNotFoundError:
            return False
        with reader, _into(part) as target:
            while block := reader.read(1 << 20):
                target.write(block)
        return _proved(target, part, sha256)

    async def delete(self, name: str) -> None:
        """See :class:`Objects`."""
        await self._off(self._delete, name)

    def _delete(self, name: str) -> None:
        self._check_mark()
        target = self._root / name
        files.remove(target, missing_ok=True)
        for part in target.parent.glob(".*.part"):  # of a bridge that died
            with suppress(OSError):
                if part.stat().st_mtime < time.time() - _OLD_PART:
                    files.discard(part)

    async def mark(self) -> bytes | None:
        """See :class:`Objects`."""
        return await self._off(self._mark)

    def _mark(self) -> bytes | None:
        if not self._root.is_dir():
            raise StoreAway(f"The store {self.where} is not there: there is no such folder.")
        try:
            return files.read_shared(self._root / MARK)
        except FileNotFoundError:
            return None

    async def set_mark(self, content: bytes) -> None:
        """See :class:`Objects`."""
        await self._off(lambda: files.write_whole(self._root / MARK, content, point="store_mark", mode=0o666))

    def _check_mark(self) -> None:
        if not (self._root / MARK).is_file():
            raise StoreAway(f"The store {self.where} has no {MARK}: its disk is not there.")

    async def _off(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await foreign.off(self._root, work, *args, **kwargs)
        except OSError as error:
            if files.is_disk_full(error) or error.filename is None or str(error.filename).startswith(self.where):
                raise StoreAway(f"The store {self.where} cannot be used ({error.strerror or error}).") from error
            raise


class InBucket:
    """A bucket of a store that speaks S3."""

    def __init__(self, bucket: Bucket, prefix: str, keys: S3KeyStore, where: str) -> None:
        """Nothing is asked yet."""
        self._bucket, self._keys = bucket, keys
        self._prefix = f"{prefix}/" if prefix else ""
        self._learned = Learned()
        self.where = where

    async def put(self, name: str, file: Path, sha256: str) -> None:
        """See :class:`Objects`."""
        content = await asyncio.to_thread(file.read_bytes)
        with self._explained():
            await (await self._store()).put(self._prefix + name, content)
        if not await self._came(name, None, sha256):
            raise StoreAway(f"What was put into the store {self.where} does not come back as it was: {name}.")

    async def get(self, name: str, part: Path, sha256: str) -> bool:
        """See :class:`Objects`."""
        return await self._came(name, part, sha256)

    async def _came(self, name: str, part: Path | None, sha256: str) -> bool:
        try:
            with self._explained(), _into(part) as target:
                await (await self._store()).get(self._prefix + name, target.write, most=_MOST)
        except _Missing:
            return False
        return await asyncio.to_thread(_proved, target, part, sha256)

    async def delete(self, name: str) -> None:
        """See :class:`Objects`."""
        with self._explained():
            await (await self._store()).delete(self._prefix + name)

    async def mark(self) -> bytes | None:
        """See :class:`Objects`."""
        found = bytearray()
        try:
            with self._explained():
                await (await self._store()).get(self._prefix + MARK, found.extend, most=_MOST_MARK)
        except _Missing:
            return None
        return bytes(found)

    async def set_mark(self, content: bytes) -> None:
        """See :class:`Objects`."""
        with self._explained():
            await (await self._store()).put(self._prefix + MARK, content)

    async def _store(self) -> Store:
        if not installed():
            raise StoreAway("The library for buckets (obstore) is not installed here.", next=INSTALL)
        try:
            key = await asyncio.to_thread(self._keys.get)
        except KeyTrouble as error:
            raise StoreAway(error.message, next=error.next_step) from error
        if key is None:
            raise StoreAway(
                f"There are no credentials for the store {self.where}.",
                next="daw-bridge key s3, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            )
        return Store(self._bucket, key, self._learned)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except StoreRefused as error:
            if error.code == "NoSuchBucket" or not error.missing:
                raise StoreAway(f"The store {self.where} cannot be used now ({error}).") from error
            raise _Missing from error


class _Missing(Exception):
    """There is no such object."""


@contextmanager
def _into(part: Path | None) -> Iterator[_Hashing]:
    """Write into a new file; of what breaks off, nothing is left."""
    target = _Hashing(part)
    try:
        yield target
    except BaseException:
        target.close()
        if part is not None:
            files.discard(part)
        raise
    target.close()


def _proved(target: _Hashing, part: Path | None, sha256: str) -> bool:
    """Return whether what came is what was put, and lies on the medium; else nothing is left of it."""
    if target.close() != sha256:
        if part is not None:
            files.discard(part)
        return False
    if part is not None:
        with files.open_to_flush(part) as file:
            files.flush_to_disk(file)
    return True


def _is(file: Path, sha256: str) -> bool:
    try:
        return files.sha256(file) == sha256
    except FileNotFoundError:
        return False
