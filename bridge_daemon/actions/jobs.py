"""What can be done about a job: press, cancel, deliver, retry, resolve. Here a person decides about money.

Each decision is checked and written in one transaction, on the job as it is then: of two decisions at once, one counts.
Whatever may cost carries an id, and the same id again gets the first answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridge_daemon.domain import fitting, ids
from bridge_daemon.domain.again import request_of
from bridge_daemon.domain.job import MICRO, OPEN, RESERVED, Charge, Job, State
from bridge_daemon.domain.request import Place
from bridge_daemon.engine.choice import Engines
from bridge_daemon.engine.protocol import MAX_ID
from bridge_daemon.errors import OtherEngine, WrongState, invalid
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.pipeline.conveyor import Conveyor
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.admit import Admit, Retry
from bridge_daemon.spending.limits import Guard, check_limits, check_pause, check_price, check_price_question
from bridge_daemon.spending.press import hash_of, repeated
from bridge_daemon.spending.prices import dollars
from bridge_daemon.util.times import Times


class JobActions:
    """The verbs of jobs. Each raises a BridgeError that says what happened, and whether money was spent."""

    def __init__(
        self,
        *,
        admit: Admit,
        journal: Journal,
        conveyor: Conveyor,
        engines: Engines,
        settings: Callable[[], Settings],
        times: Times,
    ) -> None:
        """Nothing is kept between two of them."""
        #: Requests that a pad asked a client to make: their ids, and what watches over their spending.
        self.expected: dict[str, Guard] = {}
        self._admit = admit
        self._journal = journal
        self._conveyor = conveyor
        self._engines = engines
        self._settings = settings
        self._times = times

    async def admit(
        self,
        data: dict[str, Any],
        *,
        fields: Mapping[str, object] | None = None,
        notes: tuple[str, ...] = (),
        guard: Guard | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """Admit a request; return {id, jobs, usd}, and whether its id had been accepted before.

        ``fields`` are for the prompt of its preset (prompt_fields.FIELDS); ``notes`` are told on its jobs; ``guard``
        watches over the spending of a pad.
        """
        guard = guard or self.expected.get(str(data.get("id")).lower())
        answer, again = await self._conveyor.press(
            lambda first: self._admit.admit(data, fields=fields, notes=notes, guard=guard, first=first)
        )
        self._drive(answer["jobs"])
        return answer, again

    def _drive(self, jobs: list[str]) -> None:
        # also those admitted before: whoever asked first may have been cut off between the commit and this line
        for job in jobs:
            self._conveyor.drive(job)

    async def cancel(self, job: str, *, once: str | None = None) -> dict[str, Any]:
        """Cancel: before the submit nothing is spent; from then on the take is kept and not placed.

        ``once`` is the id (UUID) of a command that may come again after a crash: it is done once.
        """

        def write(tx: Transaction) -> tuple[Job, str]:
            found = tx.own_job(job)
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

        return await self._act("cancel", _once(once, job, {"cancel": job}, write))

    async def deliver(
        self, job: str, place: Mapping[str, Any] | None = None, *, once: str | None = None
    ) -> dict[str, Any]:
        """Bring the take once more; costs nothing.

        ``place`` changes keys of its place; ``once`` as for :meth:`cancel`.
        """
        body = {"deliver": job}
        return await self._act("deliver", _once(once, job, body, lambda tx: _deliver(tx.own_job(job), tx, place or {})))

    async def retry(self, job: str, data: dict[str, Any]) -> dict[str, Any]:
        """Try again, as cheaply as the state of the job allows: see rule of money 2."""
        found, sent = await self._journal.read(lambda tx: (tx.job(job), _sent_before(tx, job, data)))
        if sent:  # whatever has become of it since: to deliver it, or to pay for another, would be something new
            self._conveyor.drive(job)
            return said(found, "This retry was accepted before.")
        if found.state is State.HELD:
            return await self._retry_held(found, data)
        if found.state in (State.STORED, State.PLACED):
            return await self.deliver(job, once=None if data.get("id") is None else _request_id(data))
        if found.state in OPEN:
            return await self._nudge(job, data)
        if found.state in (State.FAILED, State.REFUSED, State.UNKNOWN, State.CANCELLED, State.DISMISSED):
            return await self._again(found, data)
        raise WrongState(f"The job is {found.state}: it is on its way already.", charge=found.charge)

    async def _nudge(self, job: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Look at a job now. Its id is remembered: the same retry again, once the job has failed, must not pay anew."""

        def write(tx: Transaction) -> tuple[Job, str]:
            found = tx.own_job(job)
            if found.state not in OPEN:
                raise WrongState(f"The job is {found.state} now. Nothing was sent.", charge=found.charge)
            if found.state is State.SUBMITTING:
                return found, "It is on the wire; its answer is awaited."
            return found, "It is tried at once. It is charged already, so this costs nothing."

        once = None if data.get("id") is None else _request_id(data)
        return await self._act("nudge", _once(once, job, {"retry": job}, write))

    async def _retry_held(self, job: Job, data: Mapping[str, Any]) -> dict[str, Any]:
        """Send a held job: that same job, through the checks of the money again, on the engine it was admitted for."""
        request_id, confirm_usd = _request_id(data), _confirm_usd(data)
        body = {"retry": job.id}
        engine = await self._engines.current()

        def write(tx: Transaction) -> tuple[Job, str]:
            held = tx.own_job(job.id)
            if repeated(tx, request_id, hash_of(body)) is not None:
                return held, "This retry was accepted before."
            if held.state is not State.HELD:  # another retry was quicker, and it may be on the wire
                raise WrongState(f"The job is {held.state} now. Nothing was sent for this retry.", charge=held.charge)
            if not engine.made(held):
                raise OtherEngine(f"The job was admitted for {held.engine} at {held.base_url}. Nothing was sent.")
            check_pause(tx)
            settings = self._settings()
            check_price(tx, held)
            check_price_question(held.price, settings.spend.confirm_above_micro, confirm_usd)
            check_limits(tx, held.price, settings, client=held.client)
            tx.add_request(
                request_id,
                kind="retry",
                client=held.client,
                body_hash=hash_of(body),
                fingerprint=hash_of(body),
                body=body,
                answer={"id": request_id, "jobs": [held.id], "usd": held.price / MICRO},
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
            now = tx.job(job.id)
            if now.state is not job.state:
                raise WrongState(f"The job is {now.state} now. Nothing was sent.", charge=now.charge)
            if now.state is State.UNKNOWN:
                tx.own_job(now.id)
                _close(tx, now, charge=Charge.POSSIBLE, how="submitted again")

        answer, _ = await self._admit.admit(_body_again(job, _request_id(data), data), retry=Retry(job.id, check))
        self._drive(answer["jobs"])
        new = await self._journal.read(lambda tx: tx.job(answer["jobs"][0]))
        return said(new, f"A new job asks for the same; it costs ${new.price / MICRO:.2f}.") | {"retry_of": job.id}

    async def resolve(self, job: str, data: dict[str, Any], *, once: str | None = None) -> dict[str, Any]:
        """Decide about an unknown job: submit_again, attach (remote_id) or dismiss (charged).

        ``once`` as for :meth:`cancel`.
        """
        action = data.get("action")
        if action == "submit_again":
            found, accepted = await self._journal.read(lambda tx: (tx.job(job), tx.accepted(_request_id(data))))
            if accepted is None and found.state is not State.UNKNOWN:
                raise _nothing_to_resolve(found)
            return await self._again(found, data)
        if action == "attach":
            return await self._attach(job, data.get("remote_id"), once)
        if action == "dismiss":
            return await self._dismiss(job, data.get("charged"), once)
        raise invalid("action", action, "must be submit_again, attach or dismiss")

    async def _attach(self, job: str, remote_id: Any, once: str | None) -> dict[str, Any]:
        if not isinstance(remote_id, str) or not 0 < len(remote_id.strip()) <= MAX_ID:
            raise invalid("remote_id", remote_id, "must be the id of the job at the service")
        name = remote_id.strip()
        text = "It is followed now; its take is fetched as soon as it is done."

        def write(tx: Transaction) -> tuple[Job, str]:
            found, attached = tx.own_job(job), {"attached": name}
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

        return await self._act("attach", _once(once, job, {"attach": job, "remote_id": name}, write))

    async def _dismiss(self, job: str, charged: Any, once: str | None) -> dict[str, Any]:
        if not isinstance(charged, bool):
            raise invalid("charged", charged, "must be true or false: what your account at the service says")
        charge = Charge.CONFIRMED if charged else Charge.NONE
        freed = "counts as spent" if charged else "is free again"

        def write(tx: Transaction) -> tuple[Job, str]:
            found = tx.own_job(job)
            if not _resolvable(found):
                raise _nothing_to_resolve(found)
            closed = _close(tx, found, charge=charge, how="dismissed by you")
            return closed, f"Closed; ${found.price / MICRO:.2f} {freed}."

        return await self._act("dismiss", _once(once, job, {"dismiss": job, "charged": charged}, write))

    async def _act(self, name: str, write: Callable[[Transaction], tuple[Job, str]]) -> dict[str, Any]:
        """Write what a person decided, and let the job go on from there."""
        job, text = await self._journal.write(name, write)
        self._conveyor.drive(job.id)
        return said(job, text)


def _deliver(job: Job, tx: Transaction, place: Mapping[str, Any]) -> tuple[Job, str]:
    changes: dict[str, Any] = {"wanted": True, "problem": None, "delivery": job.delivery + 1}
    if place:
        given = Place.model_validate(job.stands.as_dict() | dict(place))
        changes["place"] = fitting.moved(given, -(job.parameters.after or 0.0), job.tempo)  # see Job.stands
    text = "It is brought once more; that costs nothing."
    if job.state is State.STORED:
        return tx.note(job, "delivery", {"number": job.delivery + 1}, **changes), text
    if job.state is State.PLACED:
        moved = tx.move(job, State.STORED, event={"number": job.delivery + 1}, text="is brought once more", **changes)
        return moved, text
    raise WrongState(f"The job is {job.state}; there is no take to deliver.", charge=job.charge)


def _once(
    command: str | None, job: str, body: dict[str, Any], write: Callable[[Transaction], tuple[Job, str]]
) -> Callable[[Transaction], tuple[Job, str]]:
    """Have a command done once for its id, which is remembered in the same transaction."""
    if command is None:
        return write

    def write_once(tx: Transaction) -> tuple[Job, str]:
        before = repeated(tx, command, hash_of(body))
        if before is not None:
            return tx.job(job), str(before["message"])
        found, text = write(tx)
        fingerprint = hash_of(body | {"id": command})  # no press is the same press as this
        tx.add_request(
            command,
            kind="command",
            client=found.client,
            body_hash=hash_of(body),
            fingerprint=fingerprint,
            body=body,
            answer={"message": text},
        )
        return found, text

    return write_once


def _resolvable(job: Job) -> bool:
    """An unknown job; or one that the service does not know (any more), which can be closed or attached as well."""
    return job.state is State.UNKNOWN or (job.state in (State.GENERATING, State.FETCHING) and job.problem is not None)


def _nothing_to_resolve(job: Job) -> WrongState:
    return WrongState(f"The job is {job.state}; there is nothing to resolve.", charge=job.charge)


def _close(tx: Transaction, job: Job, *, charge: Charge, how: str) -> Job:
    freed = {"charge_day": None} if charge is Charge.NONE else {}
    return tx.move(job, State.DISMISSED, event={"how": how}, charge=charge, problem=None, text=how, **freed)


def _sent_before(tx: Transaction, job: str, data: Mapping[str, Any]) -> bool:
    """Return whether this very retry sent the job, which was held then."""
    if data.get("id") is None:
        return False
    accepted = tx.accepted(_request_id(data))
    return accepted is not None and accepted.body == {"retry": job}


def _request_id(data: Mapping[str, Any]) -> str:
    given = data.get("id")
    try:
        return ids.as_uuid(given)
    except ValueError:
        raise invalid("id", given, "must be a UUID, made new for each press: this may cost") from None


def _confirm_usd(data: Mapping[str, Any]) -> float | None:
    given = data.get("confirm_usd")
    usd = dollars(given)
    if given is not None and usd is None:
        raise invalid("confirm_usd", given, "must be a number of dollars")
    return usd


def _body_again(job: Job, request_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request of a retry, for the same client and place."""
    agreed = {name: data[name] for name in ("confirm_usd", "again") if data.get(name) is not None}
    return request_of(job, placed=True) | {"id": request_id} | agreed


def said(job: Job, text: str) -> dict[str, Any]:
    """Return a job, and what was done about it, in words."""
    return job.as_dict() | {"message": text}
