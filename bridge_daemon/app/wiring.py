"""Who is told of what: the one table of listeners between the parts of a daemon."""

from __future__ import annotations

from typing import Any

from bridge_daemon.app.parts import Parts
from bridge_daemon.domain.job import Job


def connect(parts: Parts) -> None:
    """Connect the parts of a daemon. Each list is called in the order in which it stands here."""
    hub, osc, announcer, inbox, midi = parts.hub, parts.osc, parts.announcer, parts.inbox, parts.midi

    def job_event(job: Job) -> None:
        hub.publish("job", job.as_dict())

    def pause_event(fact: dict[str, Any] | None) -> None:
        hub.publish("paused", {"paused": fact})

    def resumed(fact: dict[str, Any] | None) -> None:
        if announcer is not None and fact is None:
            announcer.go_on()

    def hears_osc(client: str) -> bool:
        return osc is not None and osc.clients.port(client) is not None

    def has_outbox(client: str) -> bool:
        return client in inbox.outbox.clients()

    told_by_osc = (announcer.changed,) if announcer is not None else ()
    for listener in (
        parts.conveyor.changed,
        parts.context.measuring.changed,
        job_event,
        parts.awake.changed,
        *told_by_osc,
        midi.job_changed,
        inbox.outbox.changed,
    ):
        parts.journal.listen(listener)

    parts.journal.listen(parts.publishers.changed, of_all=True)  # it may have published the source of another room

    parts.actions.announce = hub.publish
    parts.pause.listeners += [pause_event, resumed, midi.paused]
    parts.publishers.listeners.append(lambda about: hub.publish("publish", about))
    # a take lies whole where it belongs
    parts.context.ready += [*((announcer.ready,) if announcer is not None else ()), inbox.outbox.ready]
    # who reaches a client now
    parts.context.arrivals.reach += [hears_osc, has_outbox]
    if osc is not None and announcer is not None:
        osc.on_hello.append(announcer.hello)
