"""The parts of a daemon, built but not started: what each is given, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.app.awake import Awake
from bridge_daemon.clock.link import LinkSource
from bridge_daemon.clock.transport import Clock
from bridge_daemon.engine.budget import Budget
from bridge_daemon.engine.choice import Engines
from bridge_daemon.engine.client import PollSession
from bridge_daemon.errors import StoreAway
from bridge_daemon.frontends.folders.frontend import Folders
from bridge_daemon.frontends.frontend import Intake
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.server import ApiServer
from bridge_daemon.frontends.mailbox.inbox import Inbox
from bridge_daemon.frontends.midi.frontend import MidiIntake
from bridge_daemon.frontends.osc.announcer import Announcer
from bridge_daemon.frontends.osc.server import OscServer
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline.context import OnWire, StepContext
from bridge_daemon.pipeline.conveyor import Conveyor
from bridge_daemon.pipeline.measure import Measuring
from bridge_daemon.pipeline.ownership import Ownership
from bridge_daemon.pipeline.placement import Placement
from bridge_daemon.pipeline.shared import Shared
from bridge_daemon.publish.listener import SourceListener
from bridge_daemon.publish.publisher import Publishers
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.admit import Admit
from bridge_daemon.spending.catalogue import Catalogue
from bridge_daemon.spending.pause import PauseGate
from bridge_daemon.util.times import Times


class Host(Protocol):
    """What the parts ask of the daemon that they belong to: what changes when the settings are read again."""

    home: Home
    clock: Clock

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        ...

    @property
    def roots(self) -> PathPolicy:
        """The folders that may be read and written now."""
        ...

    def reload(self) -> Awaitable[dict[str, Any]]:
        """Read the settings again."""
        ...

    def about(self) -> dict[str, Any]:
        """Return where the daemon listens and keeps its files."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All parts of a daemon. Which of them tells which is the table in :mod:`bridge_daemon.app.wiring`."""

    journal: Journal
    hub: EventHub
    engines: Engines
    polls: PollSession
    budget: Budget
    listener: SourceListener
    publishers: Publishers
    pause: PauseGate
    context: StepContext
    conveyor: Conveyor
    catalogue: Catalogue
    actions: Actions
    awake: Awake
    api: ApiServer
    osc: OscServer | None  # None: switched off
    announcer: Announcer | None
    link: LinkSource
    midi: MidiIntake
    inbox: Inbox
    folders: Folders

    @property
    def intakes(self) -> list[Intake]:
        """The frontends that heed changed settings, in the order in which they are opened."""
        return [self.link, self.midi, self.inbox, self.folders]


def build(
    host: Host,
    *,
    journal: Journal,
    token: str,
    keys: KeyStore,
    times: Times,
    ownership: Ownership,
    store: Shared | None,
    budget: Budget,
) -> Parts:
    """Return the parts of a daemon whose journal is open. Opens nothing itself."""
    at_start = host.settings

    def settings() -> Settings:
        return host.settings

    def roots() -> PathPolicy:
        return host.roots

    def store_trouble() -> StoreAway | None:
        return store.trouble if store is not None else None

    async def sources_trial() -> dict[str, Any]:
        from bridge_daemon.publish.trial import try_out  # no start waits for it

        return await try_out(publishers, host.settings.engine.base_url, host.home.sources)

    engines = Engines(settings, keys, host.home, journal, sources=lambda: listener.url)
    polls = PollSession()
    listener = SourceListener(at_start.publish.source_port)
    publishers = Publishers(listener, settings, times, journal=journal, engines=engines, budget=budget, home=host.home)
    publishers.name = ownership.name
    pause = PauseGate(journal, times)
    context = StepContext(
        journal=journal,
        settings=settings,
        engines=engines,
        publishers=publishers,
        polls=polls,
        budget=budget,
        roots=roots,
        home=host.home,
        library=lambda: host.home.library(host.settings.audio.library),
        times=times,
        pause=pause,
        on_wire=OnWire(),
        arrivals=Placement(journal, host.clock),
        measuring=Measuring(journal, settings, times),
        ownership=ownership,
        store=store,
    )
    conveyor = Conveyor(context)
    catalogue = Catalogue(journal, engines, polls, budget, settings, times)
    actions = Actions(
        admit=Admit(journal, settings, engines, publishers, roots, times, host.clock, catalogue.meet, store_trouble),
        journal=journal,
        conveyor=conveyor,
        pause=pause,
        engines=engines,
        catalogue=catalogue,
        settings=settings,
        reload_settings=host.reload,
        times=times,
        about=host.about,
        home=host.home,
    )
    hub = EventHub()
    osc, announcer = _osc(host, actions, pause, token=token, times=times)
    folders = Folders(actions, journal, host.home, settings, times)
    midi = MidiIntake(
        actions,
        journal=journal,
        clock=host.clock,
        settings=settings,
        osc=lambda: osc,
        pause=pause,
        times=times,
        whole_render=folders.newest,
    )
    actions.pads, actions.folders = midi, folders
    actions.sources_trial = sources_trial
    return Parts(
        journal=journal,
        hub=hub,
        engines=engines,
        polls=polls,
        budget=budget,
        listener=listener,
        publishers=publishers,
        pause=pause,
        context=context,
        conveyor=conveyor,
        catalogue=catalogue,
        actions=actions,
        awake=Awake(times.now),
        api=ApiServer(
            actions,
            hub,
            token=token,
            host=at_start.http.host,
            port=at_start.http.port,
            sessions=host.home.sessions_file,
        ),
        osc=osc,
        announcer=announcer,
        link=LinkSource(host.clock, settings),
        midi=midi,
        inbox=Inbox(host.home, actions, journal, settings, times),
        folders=folders,
    )


def _osc(
    host: Host, actions: Actions, pause: PauseGate, *, token: str, times: Times
) -> tuple[OscServer, Announcer] | tuple[None, None]:
    at_start = host.settings.osc
    if not at_start.enabled:
        return None, None
    osc = OscServer(actions, host.clock, token=token, host=at_start.host, port=at_start.port, times=times)
    return osc, Announcer(actions, osc.send, silent=lambda: pause.panic)
