"""Admit: the one way by which a request becomes jobs. Checks everything before anything can cost.

Order matters: an id that was accepted before gets its first answer whatever has changed since; every fault of the
request is told at once; and the money is checked last, under the journal's write lock, where two presses cannot both
pass a limit that has room for one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge_daemon.clock.musical import of_request
from bridge_daemon.clock.transport import Clock
from bridge_daemon.domain.job import MICRO, Charge, Job, Parameters, State
from bridge_daemon.domain.request import Place, Request, parse
from bridge_daemon.engine.choice import Choice, Engines
from bridge_daemon.errors import (
    BridgeError,
    DoublePress,
    Fault,
    IdReused,
    InvalidRequest,
)
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.publish.publisher import Publishers
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.limits import check_limits, check_pause, check_price_question, price_now
from bridge_daemon.spending.parameters import Asked, fill, lengths, parameters
from bridge_daemon.util.times import Times

#: The same press again within these seconds, under another id, is taken for a mistake.
DOUBLE_PRESS = 10.0
#: What does not make a press another press. The sound of the source counts, not where it lies.
_NOT_FINGERPRINT: Final = {"id", "version", "confirm_usd", "again", "valid_for", "place", "source"}
#: What makes a place another place. The rest of it is told anew at each press, or follows from these.
_PLACE: Final = ("project", "project_id", "track", "target", "slot", "when", "bars", "position", "length", "folder")
_SAME_TIME: Final = 5  # decimals of a position or length in s: half a frame at 48 kHz
_REMEMBERED: Final = 1000  # presses of this process
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: a job's id is read aloud and typed


#: The kind of a request that was pressed on a pad.
PAD = "pad"
#: Looks, in the transaction that admits a request of so many micro-dollars, whether a pad may spend them.
Guard = Callable[[Transaction, int], None]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A request that may be admitted, but for the money."""

    request: Request
    asked: Asked
    engine: Choice
    variations: list[Parameters]
    notes: tuple[str, ...]
    body: dict[str, Any]
    body_hash: str
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
        #: Fingerprints of presses, and when each was last accepted, by the clock that nobody sets.
        self._pressed: dict[str, float] = {}

    async def admit(
        self,
        data: Mapping[str, Any],
        *,
        retry: Retry | None = None,
        fields: Mapping[str, object] | None = None,
        notes: tuple[str, ...] = (),
        guard: Guard | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """Take a request: return its answer {id, jobs, usd}, and whether its id had been accepted before.

        ``retry`` makes it the retry of a job, ``guard`` the press of a pad, whose spending it watches; ``fields`` are
        for the prompt of its preset, ``notes`` for its jobs. The bars of its place become seconds here, so ``data`` is
        the same each time it is sent. Raises a Refusal; then nothing was written and nothing is spent.
        """
        request, right, faults = parse(data)
        body_hash = hash_of(data)
        try:
            right, heard = of_request(right, self._clock)
            asked, more = fill(right, self._settings(), {**heard.fields, **(fields or {})})
            wrong = {fault.field.partition(".")[0] for fault in faults}
            faults += [fault for fault in more if fault.field.partition(".")[0] not in wrong]
            if request is None or asked is None:
                raise InvalidRequest(faults)
            request = request.model_copy(update={"place": Place.model_validate(right.get("place", {}))})
            plan = await self._plan(request, asked, dict(data), body_hash, (*notes, *heard.notes, *asked.notes))
        except BridgeError:
            before = await self._before(right, faults, body_hash)
            if before is not None:
                return before, True
            raise
        # a person who retries soon after the press has looked; who retries the same job twice at once may have not
        fingerprint = _fingerprint(plan) if retry is None else hash_of({"retry": retry.of})
        answer, repeat = await self._journal.write(
            "admit", lambda tx: self._accept(tx, plan, fingerprint, retry, guard)
        )
        if not repeat:
            self._remember(fingerprint)
        return answer, repeat

    def _remember(self, fingerprint: str) -> None:
        self._pressed.pop(fingerprint, None)
        self._pressed[fingerprint] = self._times.monotonic()
        if len(self._pressed) > _REMEMBERED:
            del self._pressed[next(iter(self._pressed))]

    def _since_pressed(self, tx: Transaction, fingerprint: str, now: float) -> float | None:
        """Return how many seconds ago the same press was accepted, None if that is long ago.

        The wall clock may have been set since, so it counts only for presses that this process does not remember; one
        that seems to lie in the future was accepted before the clock was set back.
        """
        known = self._pressed.get(fingerprint)
        if known is not None:
            passed = self._times.monotonic() - known
            return passed if passed <= DOUBLE_PRESS else None
        pressed = tx.pressed_at(fingerprint, since=now - DOUBLE_PRESS)
        return None if pressed is None else max(0.0, now - pressed)

    async def _before(self, right: dict[str, Any], faults: list[Fault], body_hash: str) -> dict[str, Any] | None:
        """Return what an id was answered that would be refused now. Raises IdReused."""
        if "id" not in right or any(fault.field == "id" for fault in faults):
            return None
        return await self._journal.read(lambda tx: repeated(tx, str(right["id"]).lower(), body_hash))

    async def _plan(
        self, request: Request, asked: Asked, body: dict[str, Any], body_hash: str, said: tuple[str, ...]
    ) -> _Plan:
        """Check what needs files and the engine. Raises a Refusal."""
        engine = await self._engines.current()
        source_seconds, sound, notes = None, None, list(dict.fromkeys(said))
        if request.place.folder is not None:
            await asyncio.to_thread(self._roots().check_folder_for_writing, request.place.folder)
        if asked.action == "transform" and request.source is not None:
            from bridge_daemon.audio.region import check_region  # loads numpy, which no start waits for

            notice = self._publishers.choose(engine).notice()
            notes += [notice] if notice else []
            path = await asyncio.to_thread(self._roots().check, request.source.path)
            region = await asyncio.to_thread(
                check_region, path, request.source.start, request.source.end, longest=asked.model.source_longest
            )
            source_seconds, sound = region.seconds, region.sound
        elif request.strength is not None:
            notes.append("strength counts for transforms only")
        if not engine.paid:
            notes.append("made by the built-in sketch engine, which is not the model")
        duration, cut = lengths(request, asked, source_seconds, self._settings().defaults.duration)
        if cut is not None:
            notes.append(f"the take is cut back to {cut:g} s")
        return _Plan(request, asked, engine, parameters(asked, duration, cut), tuple(notes), body, body_hash, sound)

    def _accept(
        self, tx: Transaction, plan: _Plan, fingerprint: str, retry: Retry | None, guard: Guard | None
    ) -> tuple[dict[str, Any], bool]:
        """Check the money and write the jobs, in one transaction."""
        request, settings, now = plan.request, self._settings(), self._times.now()
        before = repeated(tx, request.id, plan.body_hash)
        if before is not None:
            return before, True
        if retry is not None:
            retry.check(tx)
        check_pause(tx)
        price = price_now(tx, plan.engine, plan.asked.model, plan.asked.steps)
        total = price * len(plan.variations)
        check_price_question(total, settings.spend.confirm_above_micro, request.confirm_usd)
        passed = self._since_pressed(tx, fingerprint, now)
        if passed is not None and not request.again:
            raise DoublePress(f"The same request was accepted {passed:.1f} s ago. Nothing was sent for this one.")
        check_limits(tx, total, settings)
        if guard is not None:
            guard(tx, total)
        new = _jobs(plan, price, now, retry.of if retry is not None else None)
        answer = {"id": request.id, "jobs": [job.id for job in new], "usd": total / MICRO}
        tx.add_request(
            request.id,
            kind="request" if guard is None else PAD,
            client=request.client,
            body_hash=plan.body_hash,
            fingerprint=fingerprint,
            body=plan.body,
            answer=answer,
        )
        tx.add_jobs(new)
        return answer, False


def repeated(tx: Transaction, request_id: str, body_hash: str) -> dict[str, Any] | None:
    """Return what an accepted id was answered, None for a new one. Raises IdReused for another body."""
    before = tx.accepted(request_id)
    if before is None:
        return None
    if before.body_hash != body_hash:
        raise IdReused(f"The id {request_id} was accepted before with another body. Nothing was sent for this one.")
    return before.answer


def _jobs(plan: _Plan, price: int, now: float, retry_of: str | None) -> list[Job]:
    request, asked = plan.request, plan.asked
    return [
        Job(
            id="".join(secrets.choice(_ALPHABET) for _ in range(10)),
            seq=0,  # the journal numbers them
            request_id=request.id,
            client=request.client,
            action=asked.action,
            preset=request.preset,
            engine=plan.engine.name,
            base_url=plan.engine.base_url,
            model=asked.model.name,
            price=price,
            state=State.QUEUED,
            charge=Charge.NONE,
            parameters=each,
            variation=number,
            variations=len(plan.variations),
            place=request.place,
            source=request.source,
            sound=plan.sound,
            notes=plan.notes,
            text="waits to be sent",
            retry_of=retry_of,
            valid_until=now + asked.valid_for,
        )
        for number, each in enumerate(plan.variations, 1)
    ]


def hash_of(data: Mapping[str, Any]) -> str:
    """Return what two bodies have in common only if they say the same."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fingerprint(plan: _Plan) -> str:
    """Return what two presses have in common if they ask for the same, of the same sound, for the same place."""
    asked = {key: value for key, value in plan.request.as_dict().items() if key not in _NOT_FINGERPRINT}
    return hash_of(asked | {"sound": plan.sound, "place": _place_of(plan)})


def _place_of(plan: _Plan) -> dict[str, Any]:
    """Return the place as it was asked for: bars that were found meanwhile differ from press to press."""
    place, given = plan.request.place.as_dict(), plan.body.get("place") or {}
    found = {key: place[key] for key in _PLACE if key in place and key in given}
    return {key: round(value, _SAME_TIME) if isinstance(value, float) else value for key, value in found.items()}


def invalid(field: str, value: Any, allowed: str) -> InvalidRequest:
    """Return an InvalidRequest with one fault."""
    return InvalidRequest([Fault(field, value, allowed)])
