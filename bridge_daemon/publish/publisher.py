"""Which way a source goes out, and the one that needs nothing: a service on this machine fetches from the listener."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from bridge_daemon.domain.job import SERVED, Job, Publication
from bridge_daemon.engine.budget import Budget
from bridge_daemon.engine.choice import CLOUD, Choice, Engines
from bridge_daemon.errors import NotPublished, PortTaken
from bridge_daemon.home.paths import Home
from bridge_daemon.home.s3_key import S3KeyStore
from bridge_daemon.journal import Journal
from bridge_daemon.publish.bucket import BucketPublisher, installed, not_installed
from bridge_daemon.publish.listener import SourceListener, new_capability
from bridge_daemon.publish.probe import check_for_cloud
from bridge_daemon.publish.public_url import PublicUrlPublisher
from bridge_daemon.publish.tunnel import Tunnel
from bridge_daemon.publish.tunnel_command import tunnel_command
from bridge_daemon.publish.upload import UploadPublisher
from bridge_daemon.settings.load import Settings
from bridge_daemon.settings.sections import Publish, is_loopback
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)
_NOTHING: Final = "Nothing was sent and nothing was spent."
_HOW: Final = (
    'Easiest: install cloudflared and write tunnel_command = "cloudflared" under [publish] in config.toml. '
    "docs/publishing.md has the other ways."
)


class Publisher(Protocol):
    """A way to give the service a URL for a file on this machine."""

    method: str

    def notice(self) -> str | None:
        """Return what a person should know of this way, as a note of each job; None: nothing."""

    async def publish(self, job: Job, file: Path) -> Publication:
        """Make ``file`` reachable for the service. Raises NotPublished; nothing was spent then."""

    async def holds(self, publication: Publication) -> bool:
        """Return whether the service could fetch it now. Asked right before money is spent."""

    def withdraw(self, publication: Publication) -> None:
        """Make it unreachable again, in the background where that takes time."""

    def restore(self, publication: Publication) -> None:
        """Go on serving what was published before a restart; its time runs from now if it can."""


class LoopbackPublisher:
    """For the sketch engine and for services on this machine."""

    method = "loopback"

    def __init__(self, listener: SourceListener, settings: Callable[[], Publish], times: Times) -> None:
        """Serve through ``listener``."""
        self._listener = listener
        self._settings = settings
        self._times = times

    def notice(self) -> str | None:
        """Nothing leaves this machine."""
        return None

    async def publish(self, job: Job, file: Path) -> Publication:
        """Serve the file under a new name. Raises NotPublished if the port is taken."""
        await self._listener.open()
        capability = new_capability()
        publication = Publication(
            method=self.method,
            url=f"{self._listener.url}/source/{capability}",
            capability=capability,
            file=str(file),
        )
        self.restore(publication)
        return publication

    async def holds(self, publication: Publication) -> bool:
        """The listener is part of this process; after a restart its port may belong to another one."""
        try:
            await self._listener.open()
        except NotPublished:
            return False
        return True

    def withdraw(self, publication: Publication) -> None:
        """Forget the name."""
        if publication.capability is not None:
            self._listener.withdraw(publication.capability)

    def restore(self, publication: Publication) -> None:
        """Serve the file under its name for as long as [publish] ttl_s says, from now."""
        if publication.capability is not None and publication.file is not None:
            until = self._times.now() + self._settings().ttl_s
            self._listener.serve(publication.capability, Path(publication.file), until=until)


class Publishers:
    """Every way that there is."""

    def __init__(
        self,
        listener: SourceListener,
        settings: Callable[[], Settings],
        times: Times,
        *,
        journal: Journal,
        engines: Engines,
        budget: Budget,
        home: Home,
    ) -> None:
        """Nothing is started or asked for yet."""

        def publish() -> Publish:
            return settings().publish

        self._settings = settings
        self._listener = listener
        #: The name of this bridge in a studio; what was published by others is theirs.
        self.name: str | None = None
        self._ours: dict[str, Publication] = {}  # in a studio, by the job that names it
        #: Called with :meth:`about` when a tunnel opens or closes.
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        self._tunnel = Tunnel(listener, publish, times, lambda _: self._tell())
        self._loopback = LoopbackPublisher(listener, publish, times)
        self._public_url = PublicUrlPublisher(listener, self._tunnel, publish, times)
        self._bucket = BucketPublisher(journal, S3KeyStore(home), publish, times)
        upload = UploadPublisher(engines, budget, publish, times)
        ways: list[Publisher] = [self._loopback, self._public_url, self._bucket, upload]
        self._ways = {way.method: way for way in ways}

    def choose(self, engine: Choice) -> Publisher:
        """Return the way for sources of an engine, as far as settings and installed programs tell.

        Raises NotPublished if there is none: nothing was sent and nothing was spent.
        """
        name = self._method(engine)
        self._check(name, engine.base_url)
        return self._ways[name]

    def of(self, publication: Publication) -> Publisher:
        """Return the way that something was published."""
        return self._ways[publication.method]

    async def holds(self, publication: Publication) -> bool:
        """Return whether the service could fetch it now."""
        return await self.of(publication).holds(publication)

    def changed(self, job: Job) -> None:
        """Withdraw the source of a job that needs it no more, whatever brought the job there.

        In a studio another bridge may have taken the job over, and published its source anew.
        """
        named, served = job.publication, job.state in SERVED
        ours = self._ours.pop(job.id, None)
        if ours is not None and ours != named:
            self.of(ours).withdraw(ours)
        if named is None or named.by != self.name:
            return
        if not served:
            self.of(named).withdraw(named)
            return
        if self.name is not None:
            self._ours[job.id] = named
        if named.method == self._bucket.method:
            self._bucket.taken(named)

    async def recover(self) -> None:
        """Go on with what the last process published. The jobs must have been recovered.

        Where the port for sources is taken, those of before cannot be fetched; everything else runs.
        """
        if self._listener.serves:
            try:
                await self._listener.start()
            except PortTaken as error:
                log.warning("Sources of before the restart cannot be fetched. %s %s", error.message, error.next_step)
        await self._bucket.recover()

    async def close(self) -> None:
        """Close the tunnel; what lies in a bucket stays until the next start, or the end of its time."""
        await self._tunnel.close()
        await self._bucket.close()

    def about(self) -> dict[str, Any]:
        """Return the way for sources of the cloud service, and whether it is ready, for ``status``."""
        settings = self._settings()
        engine = Choice(CLOUD, settings.engine.base_url)
        found: dict[str, Any] = {"method": None, "ready": False, "tunnel": None, "problem": None}
        if (left := self._bucket.left()) is not None:
            found["left"] = left
        try:
            way = self.choose(engine)
            found |= {"method": way.method, "ready": True, "text": way.notice() or "sources stay on this machine"}
        except NotPublished as error:
            found |= {"method": _configured(settings.publish), "problem": error.as_dict()}
            return found
        if found["method"] == self._public_url.method and settings.publish.tunnel_command:
            trouble = self._tunnel.trouble
            found["tunnel"] = {"url": self._tunnel.base, "open_sources": self._tunnel.open_sources}
            if self._tunnel.base is None and trouble is not None:
                found |= {"ready": False, "problem": trouble.as_dict()}
        return found

    def _tell(self) -> None:
        for listener in self.listeners:
            listener(self.about())

    def _method(self, engine: Choice) -> str:
        """Return the name of the way. Raises NotPublished if none is configured."""
        settings = self._settings().publish
        local = is_loopback(urlsplit(engine.base_url).hostname or "")
        if not engine.paid or (local and settings.method == "auto"):
            return self._loopback.method
        name = _configured(settings)
        if name is None:
            raise NotPublished(
                "The cloud service cannot reach files on this machine, and [publish] does not say how to publish "
                f"a source. {_NOTHING} Text-to-audio works without.",
                next=_HOW,
            )
        return name

    def _check(self, name: str, base_url: str) -> None:
        """Look at what can be known without asking anybody. Raises NotPublished."""
        settings = self._settings().publish
        if name == "public_url":
            if settings.public_base_url:
                check_for_cloud(settings.public_base_url, base_url)
            if settings.tunnel_command:
                tunnel_command(settings.tunnel_command, self._listener.port)
            elif not settings.public_base_url:
                raise NotPublished(
                    '[publish] method is "public_url", and neither tunnel_command nor public_base_url is set. '
                    + _NOTHING,
                    next=_HOW,
                )
        elif name == "s3":
            if not settings.s3_bucket:
                raise NotPublished(f'[publish] method is "s3", and s3_bucket is not set. {_NOTHING}', next=_HOW)
            if settings.s3_endpoint:
                check_for_cloud(settings.s3_endpoint, base_url)
            if not installed():
                raise not_installed()


def _configured(settings: Publish) -> str | None:
    """Return the way that is set, or the first that is configured; never the upload unless it is named."""
    if settings.method != "auto":
        return settings.method
    if settings.s3_bucket:
        return "s3"
    return "public_url" if settings.tunnel_command or settings.public_base_url else None
