"""Our own listener, reached from the world: by a tunnel that is started for it, or by a proxy of the person's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bridge_daemon.domain.job import Job, Publication
from bridge_daemon.errors import NotPublished
from bridge_daemon.publish.listener import SourceListener, new_capability
from bridge_daemon.publish.probe import check_for_cloud, fetch_back
from bridge_daemon.publish.tunnel import Tunnel
from bridge_daemon.settings.sections import Publish
from bridge_daemon.util.redact import redact
from bridge_daemon.util.times import Times

#: A source that came back by its URL so short a time ago is not asked for again, s.
FRESH: Final = 10.0
_FAULTS: Final = 2  # checks in a row that failed through a tunnel whose program runs


class PublicUrlPublisher:
    """Serves sources under unguessable names at a public URL."""

    method = "public_url"

    def __init__(self, listener: SourceListener, tunnel: Tunnel, settings: Callable[[], Publish], times: Times) -> None:
        """``tunnel`` is used where [publish] tunnel_command is set."""
        self._listener = listener
        self._tunnel = tunnel
        self._settings = settings
        self._times = times
        self._checked: dict[str, float] = {}  # capability → when it came back by its URL (monotonic)
        self._faults = 0

    def notice(self) -> str:
        """Return what a person should know of it."""
        hours = self._settings().ttl_s / 3600
        return f"its source can be fetched by a secret URL until the take is there, {hours:.3g} h at most"

    async def publish(self, job: Job, file: Path) -> Publication:
        """Serve the file under a new name, and see it come back by its public URL. Raises NotPublished."""
        await self._listener.open()
        base = await self._base()
        check_for_cloud(base, job.base_url)
        capability = new_capability()
        url = f"{base}/source/{capability}"
        publication = Publication(method=self.method, url=url, capability=capability, file=str(file))
        self.restore(publication)
        try:
            wrong = await fetch_back(url, file)
        except BaseException:
            self.withdraw(publication)
            raise
        if wrong is None:
            self._faults = 0
            self._checked[capability] = self._times.monotonic()
            return publication
        self.withdraw(publication)
        await self._fault()
        raise NotPublished(
            f"The source does not come back by its public URL at {redact(base)}: {wrong}. "
            "Nothing was sent and nothing was spent.",
            next="Is the tunnel or proxy up, and does it lead to [publish] source_port? docs/publishing.md.",
            passing=True,
        )

    async def holds(self, publication: Publication) -> bool:
        """Return whether the service could fetch it now; asked right before money is spent."""
        name, file = publication.capability, publication.file
        if name is None or file is None or not await asyncio.to_thread(Path(file).is_file):
            return False
        if self._settings().tunnel_command and self._tunnel.base != publication.url.rpartition("/source/")[0]:
            return False
        try:
            await self._listener.open()
        except NotPublished:
            return False
        if self._times.monotonic() - self._checked.get(name, -FRESH) < FRESH:
            return True
        if await fetch_back(publication.url, Path(file)) is not None:
            await self._fault()
            return False
        self._checked[name] = self._times.monotonic()
        return True

    def withdraw(self, publication: Publication) -> None:
        """Forget the name; the tunnel closes when it has rested for a while."""
        if publication.capability is not None:
            self._listener.withdraw(publication.capability)
            self._tunnel.release(publication.capability)
            self._checked.pop(publication.capability, None)

    def restore(self, publication: Publication) -> None:
        """Serve the file under its name for as long as [publish] ttl_s says, from now.

        After a restart the tunnel is opened again: where its URL is always the same, the service can go on fetching.
        """
        if publication.capability is None or publication.file is None:
            return
        until = self._times.now() + self._settings().ttl_s
        self._listener.serve(publication.capability, Path(publication.file), until=until)
        base = publication.url.rpartition("/source/")[0]
        if self._settings().tunnel_command:
            self._tunnel.hold(publication.capability, base, until)
            if self._tunnel.base is None:
                self._tunnel.keep()

    async def _base(self) -> str:
        settings = self._settings()
        if settings.tunnel_command:
            return await self._tunnel.url()
        if settings.public_base_url:
            return settings.public_base_url
        raise NotPublished(
            '[publish] method is "public_url", and neither tunnel_command nor public_base_url is set. '
            "Nothing was sent and nothing was spent."
        )

    async def _fault(self) -> None:
        """Open a new tunnel where one keeps failing although its program runs."""
        self._faults += 1
        if self._faults >= _FAULTS and self._tunnel.base is not None:
            self._faults = 0
            await self._tunnel.renew()
