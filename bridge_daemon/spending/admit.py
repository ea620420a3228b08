"""Admit: the one way by which a request becomes jobs. Checks everything before anything can cost.

Order matters: an id that was accepted before gets its first answer whatever has changed since; every fault of the
request is told at once; and the money is checked last, under the journal's write lock, where two presses cannot both
pass a limit that has room for one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from bridge_daemon.clock.musical import of_request
from bridge_daemon.clock.transport import Clock
from bridge_daemon.domain.job import MICRO, Charge, Job, Parameters, State
from bridge_daemon.domain.request import Request, Source, parse
from bridge_daemon.engine.choice import Choice, Engines
from bridge_daemon.errors import BridgeError, DoublePress, Fault, InvalidRequest, PathRefused, SourceRefused, StoreAway
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.publish.publisher import Publishers
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.chain import COMING, steps_of
from bridge_daemon.spending.limits import PAD, Guard, check_limits, check_pause, check_price_question, prices_of
from bridge_daemon.spending.offers import check_replaced, refuse_stranger, told_of
from bridge_daemon.spending.parameters import Resolved, lengths, parameters, resolve
from bridge_daemon.spending.press import RecentPresses, fingerprint_of, hash_of, repeated
from bridge_daemon.util import foreign
from bridge_daemon.util.loading import load
from bridge_daemon.util.times import Times

P = ParamSpec("P")
T = TypeVar("T")

_NOTHING = "Nothing was sent and nothing was spent."
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: a job's id is read aloud and typed


@dataclass(frozen=True, slots=True)
class _Asked:
    """One preset of a request, or all of it."""

    request: Request
    resolved: Resolved
    of: tuple[int, ...]  # the steps before it whose takes it is made from


@dataclass(frozen=True, slots=True)
class _Step(_Asked):
    """What is asked for, with all that was found out about it."""

    variations: list[Parameters]
    notes: tuple[str, ...]
    sound: str | None  # of the source's region, where it is there already


@dataclass(frozen=True, slots=True)
class _Admissible:
    """A request that may be admitted if the money allows it."""

    body: dict[str, Any]  # as it was sent
    engine: Choice
    steps: list[_Step]

    @property
    def request(self) -> Request:
        return self.steps[-1].request

    @property
    def sound(self) -> str | None:
        return self.steps[-1].sound


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
        meet: Callable[[str], str | None],
        store_trouble: Callable[[], StoreAway | None] = lambda: None,
    ) -> None:
        """``meet`` is told of models that nobody knows: it looks for them, and returns why one cannot be used.

        ``store_trouble`` returns why the store of a studio, which sources go through, cannot be used.

        Nothing is kept between two requests but when they were accepted.
        """
        self._journal = journal
        self._settings = settings
        self._engines = engines
        self._publishers = publishers
        self._roots = roots
        self._times = times
        self._clock = clock
        self._meet = meet
        self._store_trouble = store_trouble
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
            # the prompt of a retry was made then, and stays as it is
            known = {**musical.fields, **(fields or {})} if retry is None else {}
            asked = await self._resolve(request, faults, known)
            engine = await self._engines.current()
            wanted = _Admissible(dict(data), engine, [])
            if (folder := request.place.folder) is not None:
                await self._off(folder, self._roots().check_folder_for_writing, folder)
            for one in asked:
                given = (*notes, *musical.notes, *one.resolved.notes)
                wanted.steps.append(await self._look_at_source(one, wanted, given, musical.fields.get("tempo")))
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

    async def _resolve(self, request: Request, faults: list[Fault], fields: Mapping[str, object]) -> list[_Asked]:
        """Fill in what a request leaves out, for each preset that it makes. Raises InvalidRequest with every fault."""
        settings = self._settings()
        steps = steps_of(request, settings.presets)
        found: list[_Asked] = []
        for index, one in enumerate(steps):
            of = settings.presets[one.preset or ""].of or () if one.source is COMING else ()
            given = one if one.source is not COMING or of else await self._of_the_newest(one)
            resolved, more = resolve(given, settings, fields)
            named = {fault.field.partition(".")[0] for fault in faults}
            if index < len(steps) - 1:
                more = [replace(fault, field=f"presets.{one.preset}.{fault.field}") for fault in more]
            faults += [fault for fault in more if fault.field.partition(".")[0] not in named]
            if resolved is not None:
                before = tuple(number for number, step in enumerate(steps[:index]) if step.preset in of)
                found.append(_Asked(given, resolved, before))
        if faults:
            refuse_stranger(faults, self._meet)
            raise InvalidRequest(faults)
        return found

    async def _of_the_newest(self, request: Request) -> Request:
        """Return a request with the newest take of its client as its source. Raises SourceRefused if there is none."""
        newest = await self._journal.read(lambda tx: tx.newest_take(client=request.client))
        if newest is None:
            raise SourceRefused("There is no take yet that could be the source.", next="Make one first.")
        return request.model_copy(update={"source": Source(take=newest.id)})

    async def _look_at_source(
        self, asked: _Asked, wanted: _Admissible, given: tuple[str, ...], tempo: float | None
    ) -> _Step:
        """Check what needs files and the engine. Raises a Refusal."""
        request, resolved, of, engine = asked.request, asked.resolved, asked.of, wanted.engine
        source_seconds, sound, notes = None, None, list(dict.fromkeys(given))
        after: float | None = None
        if resolved.action == "transform":
            if engine.paid and (trouble := self._store_trouble()) is not None:
                raise StoreAway(f"{trouble.message} {_NOTHING}", next=trouble.next_step)
            notice = self._publishers.choose(engine).notice()
            notes += [notice] if notice else []
        elif request.strength is not None:
            notes.append("strength counts for transforms only")
        last = resolved.continue_from
        if of:
            source_seconds = after = max(wanted.steps[index].variations[0].seconds for index in of)
            if last is not None and last > after:
                raise SourceRefused(f"The take before it is {after:g} s long; its last {last:g} s cannot be continued.")
        elif resolved.action == "transform" and request.source is not None:
            source_seconds, after, sound = await self._region(request.source, resolved.model.source_longest, last)
        if not engine.paid:
            notes.append("made by the built-in sketch engine, which is not the model")
        if last is None or request.place.when is not None:  # then the moment says where it goes
            after = None
        seconds = source_seconds if last is None else last
        region = check_replaced(engine, resolved, seconds, request.duration)
        length = lengths(request, resolved, seconds, self._settings().defaults.duration, tempo=tempo)
        if length.cut is not None:
            notes.append(f"the take is cut back to {length.cut:g} s")
        variations = parameters(resolved, length, press=request.id, tempo=tempo, after=after, region=region)
        notes += told_of(resolved, variations[0])
        return _Step(request, resolved, of, variations, tuple(notes), sound)

    async def _region(self, source: Source, longest: float, last: float | None) -> tuple[float, float, str]:
        """Return how long what is sent of a source is and how long it is, s, and what tells the sound that is sent.

        ``last`` is what is sent of one that is continued, s. Raises SourceRefused.
        """
        await load("bridge_daemon.audio.region")
        from bridge_daemon.audio.region import check_region

        paths = [Path(source.path)] if source.path is not None else await self._takes(source)
        regions = []
        for path in paths:
            checked = await self._off(path.parent, self._roots().check, str(path))
            regions.append(
                await self._off(
                    path.parent, check_region, checked, source.start, source.end, longest=longest, last=last
                )
            )
        sounds = [region.sound for region in regions]
        sound = sounds[0] if len(sounds) == 1 else hash_of({"mix": sounds})
        return max(region.seconds for region in regions), max(region.whole for region in regions), sound

    async def _takes(self, source: Source) -> list[Path]:
        """Return the files of the takes that a source is made of. Raises SourceRefused, NotFound."""
        jobs = await self._journal.read(lambda tx: [tx.job(take) for take in source.takes])
        for job in jobs:
            if job.take is None:
                raise SourceRefused(f"The job {job.id} has no take (it is {job.state}).", next="Choose another take.")
        return [Path(job.take.file) for job in jobs if job.take is not None]

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
        made = [(one.resolved.model, one.resolved.steps, len(one.variations)) for one in wanted.steps]
        prices = prices_of(tx, wanted.engine, made, confirm_usd=request.confirm_usd, now=now)
        total = sum(price * len(one.variations) for price, one in zip(prices, wanted.steps, strict=True))
        check_price_question(total, settings.spend.confirm_above_micro, request.confirm_usd)
        passed = self._presses.since(tx, fingerprint, now)
        if passed is not None and not request.again:
            raise DoublePress(f"The same request was accepted {passed:.1f} s ago. Nothing was sent for this one.")
        check_limits(tx, total, settings, client=request.client)
        if guard is not None:
            guard(tx, total)
        new = _jobs(wanted, prices, now, retry.of if retry is not None else None)
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


def _jobs(wanted: _Admissible, prices: list[int], now: float, retry_of: str | None) -> list[Job]:
    request, steps = wanted.request, wanted.steps
    names = [[_new_id() for _ in step.variations] for step in steps]
    total = sum(map(len, names))
    made: list[Job] = []
    for index, step in enumerate(steps):
        for number, each in enumerate(step.variations):
            source = step.request.source
            if step.of:
                first, *more = (names[before][number] for before in step.of)
                source = Source(take=first, mix=tuple(more) or None)
            job = Job(
                id=names[index][number],
                seq=0,  # the journal numbers them
                request_id=request.id,
                client=request.client,
                action=step.resolved.action,
                preset=step.request.preset,
                engine=wanted.engine.name,
                base_url=wanted.engine.base_url,
                model=step.resolved.model.name,
                price=prices[index],
                state=State.QUEUED,
                charge=Charge.NONE,
                parameters=each,
                variation=len(made) + 1,
                variations=total,
                place=request.place,
                source=source,
                sound=step.sound,
                notes=step.notes,
                text="waits for the take that it is made from" if step.of else "waits to be sent",
                retry_of=retry_of,
                # the takes before it need their time, too
                valid_until=now + step.resolved.valid_for * (index + 1),
            )
            made.append(job)
    return made


def _new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))
