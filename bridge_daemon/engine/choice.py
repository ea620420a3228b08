"""Which engine is in use, and where the engine of a job is reached.

A job keeps the engine that it was admitted for. What may cost is only sent there; what was paid is followed there,
also after the settings have changed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge_daemon.domain.job import Job
from bridge_daemon.errors import KeyTrouble
from bridge_daemon.home.api_key import Key, KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.loading import load

if TYPE_CHECKING:
    from bridge_daemon.engine.sketch.server import SketchEngine

CLOUD: Final = "empiriolabs"
SKETCH: Final = "sketch"
#: A fact of the journal: a key was there once, so its absence is trouble and never a reason for sketches.
_KEY_SEEN: Final = "key_seen"


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that new requests go to. ``base_url`` of the built-in engine is its name: its port changes."""

    name: str
    base_url: str

    @property
    def paid(self) -> bool:
        """Whether its generations cost money."""
        return self.name != SKETCH

    def made(self, job: Job) -> bool:
        """Return whether a job was admitted for this engine."""
        return (job.engine, job.base_url) == (self.name, self.base_url)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a job is sent and followed."""

    url: str
    key: str | None
    paid: bool

    def __repr__(self) -> str:
        """Return it without the key."""
        return f"Endpoint({self.url!r})"


class Engines:
    """The engines of this daemon."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        keys: KeyStore,
        home: Home,
        journal: Journal,
        *,
        sources: Callable[[], str] | None = None,
    ) -> None:
        """Nothing is started or read yet; ``sources``: where ours are, the only ones of the built-in engine."""
        self._sources = sources
        #: Known to this process alone: another user of this machine finds the port of the engine, and is not let in.
        self._sketch_key = secrets.token_urlsafe(32)
        self._settings = settings
        self._keys = keys
        self._home = home
        self._journal = journal
        self._key: Key | None = None
        self._key_read = False
        self._key_version = 0  # grows with each reload
        self._sketch: SketchEngine | None = None
        self._sketch_starts: asyncio.Task[str] | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> Choice:
        """Return the engine for new requests.

        Raises KeyTrouble if the cloud is meant and its key is missing or cannot be read.
        """
        engine = self._settings().engine
        if engine.name == SKETCH:
            return Choice(SKETCH, SKETCH)
        if await self.key() is not None:
            return Choice(CLOUD, engine.base_url)
        if engine.name == CLOUD:
            raise KeyTrouble("There is no API key for the cloud service. Nothing was sent.")
        if await self._journal.read(lambda tx: tx.fact(_KEY_SEEN)):
            raise KeyTrouble(
                "The API key that was set is gone. Nothing was sent.",
                next='daw-bridge key set, or set [engine] name = "sketch" for the free built-in engine.',
            )
        return Choice(SKETCH, SKETCH)

    async def key(self) -> Key | None:
        """Return the API key, read once and kept until :meth:`reload_key`."""
        async with self._lock:
            while not self._key_read:
                asked = self._key_version
                self._key = await asyncio.to_thread(self._keys.get)
                # a keyring may take long to unlock: a key that was set meanwhile is read again
                self._key_read = asked == self._key_version
                if self._key_read and self._key is not None:
                    await self._journal.write("key_seen", lambda tx: tx.set_fact(_KEY_SEEN, True))
            return self._key

    def reload_key(self) -> None:
        """Read the key again at its next use: it was set, cleared, or refused by the service."""
        self._key_version += 1
        self._key_read = False

    async def endpoint(self, job: Job) -> Endpoint:
        """Return where a job is sent or followed. Raises KeyTrouble."""
        if job.engine == SKETCH:
            return Endpoint(await self.sketch_url(), self._sketch_key, paid=False)
        key = await self.key()
        if key is None:
            raise KeyTrouble("There is no API key for the cloud service.")
        return Endpoint(job.base_url, key.value, paid=True)

    async def sketch_url(self) -> str:
        """Return where the built-in engine listens, starting it at first use."""
        async with self._lock:
            failed = self._sketch_starts is not None and self._sketch_starts.done() and self._sketch_starts.exception()
            if self._sketch is None or failed:
                await load("bridge_daemon.engine.sketch.server")
                from bridge_daemon.engine.sketch.server import SketchEngine

                self._sketch = SketchEngine(self._home.sketch, key=self._sketch_key, sources=self._sources)
                self._sketch_starts = asyncio.create_task(self._sketch.start(), name="sketch engine")
            assert self._sketch_starts is not None
            # whoever asked may be cancelled; a start that is cut in two would leave its socket open
            return await asyncio.shield(self._sketch_starts)

    async def close(self) -> None:
        """Stop the built-in engine."""
        if self._sketch is not None and self._sketch_starts is not None:
            await asyncio.gather(self._sketch_starts, return_exceptions=True)
            await self._sketch.close()
