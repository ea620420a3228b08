"""Which way a source goes out, and the one that needs nothing: a service on this machine fetches from the listener."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from bridge_daemon.engine.choice import Choice
from bridge_daemon.errors import NotPublished
from bridge_daemon.job import Job, Publication
from bridge_daemon.publish.listener import SourceListener, new_capability
from bridge_daemon.settings import Settings
from bridge_daemon.settings_sections import is_loopback
from bridge_daemon.times import Times


class Publisher(Protocol):
    """A way to give the service a URL for a file on this machine."""

    async def publish(self, job: Job, file: Path) -> Publication:
        """Make ``file`` reachable for the service. Raises NotPublished; nothing was spent then."""

    async def withdraw(self, publication: Publication) -> None:
        """Make it unreachable again."""

    def restore(self, publication: Publication) -> None:
        """Go on serving what was published before a restart."""


class LoopbackPublisher:
    """For the sketch engine and for services on this machine."""

    method = "loopback"

    def __init__(self, listener: SourceListener, settings: Callable[[], Settings], times: Times) -> None:
        """Serve through ``listener``."""
        self._listener = listener
        self._settings = settings
        self._times = times

    async def publish(self, job: Job, file: Path) -> Publication:
        """Serve the file under a new name."""
        capability = new_capability()
        publication = Publication(
            method=self.method,
            url=f"{self._listener.url}/source/{capability}",
            capability=capability,
            file=str(file),
        )
        self.restore(publication)
        return publication

    async def withdraw(self, publication: Publication) -> None:
        """Forget the name."""
        if publication.capability is not None:
            self._listener.withdraw(publication.capability)

    def restore(self, publication: Publication) -> None:
        """Serve the file under its name for as long as [publish] ttl_s says, from now."""
        if publication.capability is not None and publication.file is not None:
            until = self._times.now() + self._settings().publish.ttl_s
            self._listener.serve(publication.capability, Path(publication.file), until=until)


class Publishers:
    """Every way that there is."""

    def __init__(self, listener: SourceListener, settings: Callable[[], Settings], times: Times) -> None:
        """Other ways than loopback are made here once there are some."""
        self._loopback = LoopbackPublisher(listener, settings, times)

    def choose(self, engine: Choice) -> Publisher:
        """Return the way for sources of an engine. Raises NotPublished where there is none: nothing was spent."""
        if not engine.paid or is_loopback(urlsplit(engine.base_url).hostname or ""):
            return self._loopback
        raise NotPublished(
            "The cloud service cannot reach files on this machine, and this version has no way to publish them yet. "
            "Nothing was sent and nothing was spent.",
            next='Text-to-audio works; transforms work with [engine] name = "sketch".',
        )

    def of(self, publication: Publication) -> Publisher:
        """Return the way that something was published."""
        return self._loopback
