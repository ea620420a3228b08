"""What a person or a script can do, whatever way in they use: the HTTP API, OSC, MIDI and inboxes all end here."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bridge_daemon import __version__
from bridge_daemon.admit import (
    Admit,
    Retry,
    check_limits,
    check_pause,
    check_price,
    check_price_question,
    hash_of,
    invalid,
    repeated,
)
from bridge_daemon.audio.peaks import peaks
from bridge_daemon.catalogue import Catalogue
from bridge_daemon.delivery import confirm
from bridge_daemon.engine.choice import Engines
from bridge_daemon.engine.protocol import MAX_ID
from bridge_daemon.errors import KeyTrouble, NotFound, OtherEngine, WrongState
from bridge_daemon.job import MICRO, OPEN, RESERVED, Charge, Job, State
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.models import models
from bridge_daemon.pipeline.conveyor import Conveyor
from bridge_daemon.pipeline.tools import PauseGate
from bridge_daemon.prices import dollars, price_facts
from bridge_daemon.settings import Settings
from bridge_daemon.times import Times

#: What a retry takes over from the job that it repeats.
_REPEATED = ("prompt", "steps", "cfg_scale", "strength", "seed")
_PAUSE_TEXTS = {"person": "paused by you", "panic": "panic: everything was stopped"}


class Actions:
    """The daemon's verbs. Each raises a BridgeError that says what happened, and whether money was spent."""

    def __init__(
        self,
        *,
        admit: Admit,
        journal: Journal,
        conveyor: Conveyor,
        pause: PauseGate,
        engines: Engines,
        catalogue: Catalogue,
        settings: Callable[[], Settings],
        reload_settings: Callable[[], dict[str, Any]],
        times: Times,
        about: Callable[[], dict[str, Any]],
    ) -> None:
        """``about`` tells where this daemon listens and keeps its files."""
        self._admit = admit
        self._journal = journal
        self._conveyor = conveyor
        self._pause = pause
        self._engines = engines
        self._catalogue = catalogue
        self._settings = settings
        self._reload = reload_settings
        self._times = times
        self._about = about
        self._started = time.monotonic()

    # Requests and jobs

    async def admit(self, data: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Take a request: {id, jobs, usd}, and whether its id had been accepted before."""
        answer, again = await self._admit.admit(data)
        self._drive(answer["jobs"])
        return answer, again

    def _drive(self, jobs: list[str]) -> None:
        # also those admitted before: whoever asked first may have been cut off between the commit and this line
        for job in jobs:
            self._conveyor.drive(job)

    async def jobs(
        self, *, states: list[str], q: str | None, client: str | None, before: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return jobs, newest first; ``before`` is the job that the last page ended with."""

        def look(tx: Transaction) -> list[Job]:
            seq = tx.job(before).seq if before else None
            return tx.find(states=states, text=q, client=client, before=seq, limit=limit)

        return [job.as_dict() for job in await self._journal.read(look)]

    async def job(self, job: str) -> dict[str, Any]:
        """Return a job with everything that happened to it."""
        found, events = await self._journal.read(lambda tx: (tx.job(job), tx.events_of(job)))
        return found.as_dict() | {"events": events}

    async def cancel(self, job: str) -> dict[str, Any]:
        """Cancel: before the submit nothing is spent; from then on the take is kept and not placed."""

        def write(tx: Transaction) -> tuple[Job, str]:
            found = tx.job(job)
            if found.state in RESERVED or found.state is State.HELD:
                moved = tx.move(found, State.CANCELLED, text="cancelled by you", problem=None)
                return moved, "Cancelled before it was sent. Nothing was spent."
            if found.terminal:
                raise WrongState(f"The job is {found.state} already; there is nothing to cancel.", charge=found.charge)
            kept = tx.note(found, "not_wanted", {}, wanted=False)
            spent = "may be spent" if found.charge is Charge.POSSIBLE else "is spent"
            return kept, (
                f"It was sent already, so ${found.price / MICRO:.2f} {spent}: the service documents no way to cancel. "
                "Its take is fetched and kept, and not placed."
            )

        return await self._act("cancel", write)

    async def deliver(self, job: str) -> dict[str, Any]:
        """Bring the take once more; costs nothing."""
        return await self._act("deliver", lambda tx: _deliver(tx.job(job), tx))

    async def retry(self, job: str, data: dict[str, Any]) -> dict[str, Any]:
        """Try again, as cheaply as the state of the job allows: see rule of money 2."""
        found, sent = await self._journal.read(lambda tx: (tx.job(job), _sent_before(tx, job, data)))
        if sent:  # whatever has become of it since: to deliver it, or to pay for another, would be something new
            self._conveyor.drive(job)
            return _said(found, "This retry was accepted before.")
        if found.state is State.HELD:
            return await self._retry_held(found, data)
        if found.state in (State.STORED, State.PLACED):
            return await self.deliver(job)
        if found.state in OPEN:
            return self._nudge(found)
        if found.state in (State.FAILED, State.REFUSED, State.UNKNOWN, State.CANCELLED, State.DISMISSED):
            return await self._again(found, data)
        raise WrongState(f"The job is {found.state}: it is on its way already.", charge=found.charge)

    def _nudge(self, job: Job) -> dict[str, Any]:
        self._conveyor.drive(job.job)
        if job.state is State.SUBMITTING:
            return _said(job, "It is on the wire; its answer is awaited.")
        return _said(job, "It is tried at once. It is charged already, so this costs nothing.")

    async def _retry_held(self, job: Job, data: Mapping[str, Any]) -> dict[str, Any]:
        """Send a held job: that same job, through the checks of the money again, on the engine it was admitted for."""
        request_id, confirm_usd = _request_id(data), _confirm_usd(data)
        body = {"retry": job.job}
        engine = await self._engines.current()

        def write(tx: Transaction) -> tuple[Job, str]:
            held = tx.job(job.job)
            if repeated(tx, request_id, hash_of(body)) is not None:
                return held, "This retry was accepted before."
            if not engine.made(held):
                raise OtherEngine(f"The job was admitted for {held.engine} at {held.base_url}. Nothing was sent.")
            check_pause(tx)
            settings = self._settings()
            check_price(tx, held)
            check_price_question(held.price, settings.spend.confirm_above_micro, confirm_usd)
            check_limits(tx, held.price, settings)
            tx.add_request(
                request_id,
                kind="retry",
                client=held.client,
                body_hash=hash_of(body),
                fingerprint=hash_of(body),
                body=body,
                answer={"id": request_id, "jobs": [held.job], "usd": held.price / MICRO},
            )
            valid_until = self._times.now() + settings.defaults.valid_for
            sent = tx.move(
                held, State.QUEUED, problem=None, publication=None, valid_until=valid_until, text="waits to be sent"
            )
            return sent, f"It is sent now; it costs ${held.price / MICRO:.2f}."

        return await self._act("retry", write)

    async def _again(self, job: Job, data: Mapping[str, Any]) -> dict[str, Any]:
        """Make a new job that asks for the same as this one. It is admitted like any request, and costs again.

        An unknown job is closed by that, in one transaction, so that nobody attaches it and pays for another one too.
        """

        def check(tx: Transaction) -> None:
            now = tx.job(job.job)
            if now.state is not job.state:
                raise WrongState(f"The job is {now.state} now. Nothing was sent.", charge=now.charge)
            if now.state is State.UNKNOWN:
                _close(tx, now, charge=Charge.POSSIBLE, how="submitted again")

        answer, _ = await self._admit.admit(_body_again(job, _request_id(data), data), retry=Retry(job.job, check))
        self._drive(answer["jobs"])
        new = await self._journal.read(lambda tx: tx.job(answer["jobs"][0]))
        return _said(new, f"A new job asks for the same; it costs ${new.price / MICRO:.2f}.") | {"retry_of": job.job}

    async def resolve(self, job: str, data: dict[str, Any]) -> dict[str, Any]:
        """Decide about an unknown job: submit_again, attach (remote_id) or dismiss (charged)."""
        action = data.get("action")
        if action == "submit_again":
            found, accepted = await self._journal.read(lambda tx: (tx.job(job), tx.accepted(_request_id(data))))
            if accepted is None and found.state is not State.UNKNOWN:
                raise _nothing_to_resolve(found)
            return await self._again(found, data)
        if action == "attach":
            return await self._attach(job, data.get("remote_id"))
        if action == "dismiss":
            return await self._dismiss(job, data.get("charged"))
        raise invalid("action", action, "must be submit_again, attach or dismiss")

    async def _attach(self, job: str, remote_id: Any) -> dict[str, Any]:
        if not isinstance(remote_id, str) or not 0 < len(remote_id.strip()) <= MAX_ID:
            raise invalid("remote_id", remote_id, "must be the id of the job at the service")
        name = remote_id.strip()
        text = "It is followed now; its take is fetched as soon as it is done."

        def write(tx: Transaction) -> tuple[Job, str]:
            found, attached = tx.job(job), {"attached": name}
            if not _resolvable(found) or found.state is State.FETCHING:
                raise _nothing_to_resolve(found)
            if tx.remote_id_taken(found.base_url, name):
                raise WrongState(
                    f"The service's job {name[:60]} belongs to a job of the bridge already.", charge=found.charge
                )
            changes: dict[str, Any] = {"remote_id": name, "charge": Charge.CONFIRMED, "problem": None}
            if found.state is State.GENERATING:
                return tx.note(found, "attached", attached, **changes), text
            moved = tx.move(found, State.GENERATING, event=attached, text="the service makes it", **changes)
            return moved, text

        return await self._act("attach", write)

    async def _dismiss(self, job: str, charged: Any) -> dict[str, Any]:
        if not isinstance(charged, bool):
            raise invalid("charged", charged, "must be true or false: what your account at the service says")
        charge = Charge.CONFIRMED if charged else Charge.NONE
        freed = "counts as spent" if charged else "is free again"

        def write(tx: Transaction) -> tuple[Job, str]:
            found = tx.job(job)
            if not _resolvable(found):
                raise _nothing_to_resolve(found)
            closed = _close(tx, found, charge=charge, how="dismissed by you")
            return closed, f"Closed; ${found.price / MICRO:.2f} {freed}."

        return await self._act("dismiss", write)

    async def _act(self, name: str, write: Callable[[Transaction], tuple[Job, str]]) -> dict[str, Any]:
        """Write what a person decided, and let the job go on from there."""
        job, text = await self._journal.write(name, write)
        self._conveyor.drive(job.job)
        return _said(job, text)

    # Deliveries

    async def placed(self, job: str, delivery: int) -> dict[str, Any]:
        """Take a client's word that a take stands where it belongs; said again, it changes nothing."""
        return _said(*await self._journal.write("confirm", lambda tx: confirm.placed(tx, job, delivery)))

    async def unplaced(self, job: str, delivery: int, code: str, message: str) -> dict[str, Any]:
        """Take a client's word that it could not place a take: it is kept, and not brought again by itself."""
        now = self._times.now()
        return _said(
            *await self._journal.write("confirm", lambda tx: confirm.unplaced(tx, job, delivery, code, message, now))
        )

    async def undelivered(self, client: str) -> list[Job]:
        """Return the jobs whose take a client has not confirmed, oldest first."""
        found = await self._journal.read(lambda tx: tx.undelivered(client))
        return [job for job in found if confirm.is_due(job)]

    def bring(self, job: str) -> None:
        """Bring a take to its folder, if need be, and have it announced."""
        self._conveyor.drive(job)

    # Files of a job

    async def take_file(self, job: str) -> Path:
        """Return the file of a job's take."""
        found = await self._journal.read(lambda tx: tx.job(job))
        return _file(found.take.file if found.take else None, "take", job)

    async def source_file(self, job: str) -> Path:
        """Return the file of the source as it was sent."""
        found = await self._journal.read(lambda tx: tx.job(job))
        return _file(found.source_file, "source", job)

    async def peaks(self, job: str, buckets: int) -> dict[str, Any]:
        """Return the waveform of a job's take."""
        file = await self.take_file(job)
        return (await asyncio.to_thread(peaks, file, buckets)).as_dict()

    # The whole

    async def pause(self, reason: str = "person") -> dict[str, Any]:
        """Stop all sending; what is charged already goes on."""
        kind = reason if reason in _PAUSE_TEXTS else "person"  # no words of a person name a pause that ends by itself
        return {"paused": await self._pause.close(kind, _PAUSE_TEXTS.get(reason, f"paused by you: {reason}"))}

    async def resume(self) -> dict[str, Any]:
        """Send again, whatever the reason of the pause was."""
        self._engines.reload_key()
        return {"paused": None, "was_paused": await self._pause.open()}

    async def spend(self) -> dict[str, Any]:
        """Return what is spent and what the limits are."""
        spend = self._settings().spend
        spent = await self._journal.read(lambda tx: tx.spent())
        return {
            "spent_today_usd": spent.day / MICRO,
            "spent_month_usd": spent.month / MICRO,
            "reserved_usd": spent.reserved / MICRO,
            "limit_today_usd": spend.per_day_usd,
            "limit_month_usd": spend.per_month_usd,
            "confirm_above_usd": spend.confirm_above_usd,
        }

    def presets(self) -> dict[str, Any]:
        """Return the presets."""
        return {name: preset.model_dump(exclude_none=True) for name, preset in self._settings().presets.items()}

    async def status(self) -> dict[str, Any]:
        """Return how the daemon is: the first thing to look at."""
        counts, problems = await self._journal.read(lambda tx: (tx.count(), tx.with_problems(limit=20)))
        engine = await self._engine_status()
        return {
            "version": __version__,
            **self._about(),
            "uptime_s": round(time.monotonic() - self._started, 1),
            "engine": engine,
            "price_usd": await self._price(engine["name"]),
            "paused": self._pause.current,
            **await self.spend(),
            "jobs": counts,
            "problems": [job.as_dict() for job in problems],
        }

    async def _engine_status(self) -> dict[str, Any]:
        settings = self._settings().engine
        try:
            choice = await self._engines.current()
        except KeyTrouble as error:
            return {"name": settings.name, "base_url": settings.base_url, "model": settings.model, "ready": False} | {
                "problem": error.as_dict()
            }
        return {"name": choice.name, "base_url": choice.base_url, "model": settings.model, "ready": True}

    async def _price(self, engine: str) -> float:
        """Return what one generation of the default model costs, in dollars."""
        if engine == "sketch":
            return 0.0
        settings = self._settings().engine
        model = models()[settings.model]
        facts = await self._journal.read(lambda tx: price_facts(tx, settings.base_url, model))
        return facts.price(None) / MICRO

    async def prices(self) -> list[dict[str, Any]]:
        """Return the table's, the catalogue's and the agreed price of each model."""
        return await self._catalogue.prices()

    async def agree_price(self, data: dict[str, Any]) -> dict[str, Any]:
        """Agree to what the service's catalogue says a model costs now."""
        model = data.get("model", self._settings().engine.model)
        if not isinstance(model, str) or model not in models():
            raise invalid("model", model, f"must be one of {', '.join(models())}")
        return await self._catalogue.agree(model, data.get("usd"))

    async def reload_key(self) -> dict[str, Any]:
        """Read the API key again; a pause for its sake ends."""
        self._engines.reload_key()
        key = await self._engines.key()
        ended = await self._pause.open(only="401") if key is not None else False
        self._catalogue.look_again()
        return {"key": key is not None, "resumed": ended}

    async def check_key(self) -> dict[str, Any]:
        """Ask the service, free of charge, whether it accepts the key."""
        return await self._catalogue.check_key()

    async def reload_settings(self) -> dict[str, Any]:
        """Read config.toml again. Wrong settings keep the old ones."""
        done = await asyncio.to_thread(self._reload)
        self._catalogue.look_again()
        return done


def _deliver(job: Job, tx: Transaction) -> tuple[Job, str]:
    changes: dict[str, Any] = {"wanted": True, "problem": None, "delivery": job.delivery + 1}
    text = "It is brought once more; that costs nothing."
    if job.state is State.STORED:
        return tx.note(job, "delivery", {"number": job.delivery + 1}, **changes), text
    if job.state is State.PLACED:
        moved = tx.move(job, State.STORED, event={"number": job.delivery + 1}, text="is brought once more", **changes)
        return moved, text
    raise WrongState(f"The job is {job.state}; there is no take to deliver.", charge=job.charge)


def _resolvable(job: Job) -> bool:
    """An unknown job; or one that the service does not know (any more), which can be closed or attached as well."""
    return job.state is State.UNKNOWN or (job.state in (State.GENERATING, State.FETCHING) and job.problem is not None)


def _nothing_to_resolve(job: Job) -> WrongState:
    return WrongState(f"The job is {job.state}; there is nothing to resolve.", charge=job.charge)


def _close(tx: Transaction, job: Job, *, charge: Charge, how: str) -> Job:
    freed = {"charge_day": None} if charge is Charge.NONE else {}
    return tx.move(job, State.DISMISSED, event={"how": how}, charge=charge, problem=None, text=how, **freed)


def _sent_before(tx: Transaction, job: str, data: Mapping[str, Any]) -> bool:
    """Tell whether this very retry sent the job, which was held then."""
    if data.get("id") is None:
        return False
    accepted = tx.accepted(_request_id(data))
    return accepted is not None and accepted.body == {"retry": job}


def _request_id(data: Mapping[str, Any]) -> str:
    given = data.get("id")
    try:
        return str(uuid.UUID(given if isinstance(given, str) else ""))
    except ValueError:
        raise invalid("id", given, "must be a UUID, made new for each press: this may cost") from None


def _confirm_usd(data: Mapping[str, Any]) -> float | None:
    given = data.get("confirm_usd")
    usd = dollars(given)
    if given is not None and usd is None:
        raise invalid("confirm_usd", given, "must be a number of dollars")
    return usd


def _body_again(job: Job, request_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request that asks for exactly what a job asked for, presets and defaults already in it."""
    parameters = job.parameters
    body: dict[str, Any] = {"version": 1, "id": request_id, "action": job.action, "model": job.model}
    body |= {name: value for name in _REPEATED if (value := getattr(parameters, name)) is not None}
    if parameters.cut is None or parameters.cut == parameters.duration:
        body["duration"] = parameters.duration  # else its place or source says it again
    if job.client is not None:
        body["client"] = job.client
    if job.source is not None:
        body["source"] = job.source.as_dict()
    body["place"] = job.place.as_dict()
    body |= {name: data[name] for name in ("confirm_usd", "again") if data.get(name) is not None}
    return body


def _said(job: Job, text: str) -> dict[str, Any]:
    return job.as_dict() | {"message": text}


def _file(path: str | None, what: str, job: str) -> Path:
    if path is None or not Path(path).is_file():
        raise NotFound(f"The job {job[:20]} has no {what} on this disk.")
    return Path(path)
