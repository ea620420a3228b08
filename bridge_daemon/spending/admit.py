"""Admit: the one way by which a request becomes jobs. Checks everything before anything can cost.

Order matters: an id that was accepted before gets its first answer whatever has changed since; every fault of the
request is told at once; and the money is checked last, under the journal's write lock, where two presses cannot both
pass a limit that has room for one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from bridge_daemon.clock.musical import of_request
from bridge_daemon.clock.transport import Clock
from bridge_daemon.domain.job import MICRO, Charge, Job, Parameters, State
from bridge_daemon.domain.request import Request, parse
from bridge_daemon.engine.choice import Choice, Engines
from bridge_daemon.errors import BridgeError, DoublePress, Fault, InvalidRequest, PathRefused
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.publish.publisher import Publishers
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.limits import PAD, Guard, check_limits, check_pause, check_price_question, price_now
from bridge_daemon.spending.parameters import Resolved, lengths, parameters, resolve
from bridge_daemon.spending.press import RecentPresses, fingerprint_of, hash_of, repeated
from bridge_daemon.util import foreign
from bridge_daemon.util.loading import load
from bridge_daemon.util.times import Times

P = ParamSpec("P")
T = TypeVar("T")

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: a job's id is read aloud and typed


@dataclass(frozen=True, slots=True)
class _Admissible:
    """A request that may be admitted if the money allows it."""

    request: Request
    body: dict[str, Any]  # as it was sent
    resolved: Resolved
    engine: Choice
    variations: list[Parameters]
    notes: tuple[str, ...]
    sound: str | None  # of the source's region


@dataclass(frozen=True, slots=True)
class Retry:
    """That a request asks again for what a job asked for."""

    of: str
    #: Called in the transaction that admits it: looks whether this may still be retried, and closes what it replaces.
    check: Callable[[Transaction], None]


class Admit:
    """The door between what is asked and what may cost."""

    def __init__(
        self,
        journal: Journal,
        settings: Callable[[], Settings],
        engines: Engines,
        publishers: Publishers,
        roots: Callable[[], PathPolicy],
        times: Times,
        clock: Clock,
    ) -> None:
        """Nothing is kept between two requests but when they were accepted."""
        self._journal = journal
        self._settings = settings
        self._engines = engines
        self._publishers = publishers
        self._roots = roots
        self._times = times
        self._clock = clock
        self._presses = RecentPresses(times)

    async def admit(
        self,
        data: Mapping[str, Any],
        *,
        retry: Retry | None = None,
        fields: Mapping[str, object] | None = None,
        notes: tuple[str, ...] = (),
        guard: Guard | None = None,
        first: Callable[[Transaction, Job], None] | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """Admit a request: return its answer {id, jobs, usd}, and whether its id had been accepted before.

        ``retry`` makes it the retry of a job, ``guard`` the press of a pad, whose spending it watches; ``fields`` are
        for the prompt of its preset, ``notes`` for its jobs; ``first`` is called with its first job in the transaction
        that admits it. The bars of its place become seconds here, so ``data`` is
        the same each time it is sent. Raises a Refusal; then nothing was written and nothing is spent.
        """
        request, faults = parse(data)
        body_hash = hash_of(data)
        try:
            request, musical = of_request(request, self._clock)
            resolved, more = resolve(request, self._settings(), {**musical.fields, **(fields or {})})
            named = {fault.field.partition(".")[0] for fault in faults}
            faults += [fault for fault in more if fault.field.partition(".")[0] not in named]
            if faults or resolved is None:
                raise InvalidRequest(faults)
            given = (*notes, *musical.notes, *resolved.notes)
            wanted = await self._look_at_source(request, resolved, dict(data), given, musical.fields.get("tempo"))
        except BridgeError:
            before = await self._journal.read(lambda tx: repeated(tx, request.id, body_hash)) if request.id else None
            if before is not None:
                return before, True
            raise
        # a person who retries soon after the press has looked; who retries the same job twice at once may have not
        fingerprint = (
            fingerprint_of(request, wanted.body, wanted.sound) if retry is None else hash_of({"retry": retry.of})
        )
        answer, repeat = await self._journal.write(
            "admit", lambda tx: self._accept(tx, wanted, body_hash, fingerprint, retry, guard, first)
        )
        if not repeat:
            self._presses.remember(fingerprint)
        return answer, repeat

    async def _look_at_source(
        self,
        request: Request,
        resolved: Resolved,
        body: dict[str, Any],
        given: tuple[str, ...],
        tempo: float | None,
    ) -> _Admissible:
        """Check what needs files and the engine. Raises a Refusal."""
        engine = await self._engines.current()
        source_seconds, sound, notes = None, None, list(dict.fromkeys(given))
        if request.place.folder is not None:
            folder = request.place.folder
            await self._off(folder, self._roots().check_folder_for_writing, folder)
        if resolved.action == "transform" and request.source is not None:
            await load("bridge_daemon.audio.region")
            from bridge_daemon.audio.region import check_region

            notice = self._publishers.choose(engine).notice()
            notes += [notice] if notice else []
            source = request.source
            where = Path(source.path).parent
            path = await self._off(where, self._roots().check, source.path)
            region = await self._off(
                where, check_region, path, source.start, source.end, longest=resolved.model.source_longest
            )
            source_seconds, sound = region.seconds, region.sound
        elif request.strength is not None:
            notes.append("strength counts for transforms only")
        if not engine.paid:
            notes.append("made by the built-in sketch engine, which is not the model")
        duration, cut = lengths(request, resolved, source_seconds, self._settings().defaults.duration)
        if cut is not None:
            notes.append(f"the take is cut back to {cut:g} s")
        variations = parameters(resolved, duration, cut, press=request.id, tempo=tempo)
        return _Admissible(request, body, resolved, engine, variations, tuple(notes), sound)

    @staticmethod
    async def _off(folder: Path | str, look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Look at a file or folder of others. Raises PathRefused if its disk does not answer."""
        try:
            return await foreign.off(folder, look, *args, **kwargs)
        except foreign.NoAnswer:
            raise PathRefused(f"The disk of {folder} does not answer. Nothing was sent.") from None

    def _accept(
        self,
        tx: Transaction,
        wanted: _Admissible,
        body_hash: str,
        fingerprint: str,
        retry: Retry | None,
        guard: Guard | None,
        first: Callable[[Transaction, Job], None] | None,
    ) -> tuple[dict[str, Any], bool]:
        """Check the money and write the jobs, in one transaction."""
        request, settings, now = wanted.request, self._settings(), self._times.now()
        before = repeated(tx, request.id, body_hash)
        if before is not None:
            return before, True
        if retry is not None:
            retry.check(tx)
        check_pause(tx)
        price = price_now(tx, wanted.engine, wanted.resolved.model, wanted.resolved.steps)
        total = price * len(wanted.variations)
        check_price_question(total, settings.spend.confirm_above_micro, request.confirm_usd)
        passed = self._presses.since(tx, fingerprint, now)
        if passed is not None and not request.again:
            raise DoublePress(f"The same request was accepted {passed:.1f} s ago. Nothing was sent for this one.")
        check_limits(tx, total, settings)
        if guard is not None:
            guard(tx, total)
        new = _jobs(wanted, price, now, retry.of if retry is not None else None)
        answer = {"id": request.id, "jobs": [job.id for job in new], "usd": total / MICRO}
        tx.add_request(
            request.id,
            kind="request" if guard is None else PAD,
            client=request.client,
            body_hash=body_hash,
            fingerprint=fingerprint,
            body=wanted.body,
            answer=answer,
        )
        tx.add_jobs(new)
        if first is not None:
            first(tx, new[0])
        return answer, False


def _jobs(wanted: _Admissible, price: int, now: float, retry_of: str | None) -> list[Job]:
    request, resolved = wanted.request, wanted.resolved
    return [
        Job(
            id="".join(secrets.choice(_ALPHABET) for _ in range(10)),
            seq=0,  # the journal numbers them
            request_id=request.id,
            client=request.client,
            action=resolved.action,
            preset=request.preset,
            engine=wanted.engine.name,
            base_url=wanted.engine.base_url,
            model=resolved.model.name,
            price=price,
            state=State.QUEUED,
            charge=Charge.NONE,
            parameters=each,
            variation=number,
            variations=len(wanted.variations),
            place=request.place,
            source=request.source,
            sound=wanted.sound,
            notes=wanted.notes,
            text="waits to be sent",
            retry_of=retry_of,
            valid_until=now + resolved.valid_for,
        )
        for number, each in enumerate(wanted.variations, 1)
    ]


def invalid(field: str, value: Any, allowed: str) -> InvalidRequest:
    """Return an InvalidRequest with one fault."""
    return InvalidRequest([Fault(field, value, allowed)])
