"""The conveyor: runs each job through its steps, one task a job, and starts where the journal says it stands.

Starting is recovering: there is no other start. Between two steps a job is read from the journal again, so whatever a
person did meanwhile counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bridge_daemon.domain.job import OPEN, RESERVED, Job, State
from bridge_daemon.engine.protocol import Answer, Outcome, SubmitOutcome, classify
from bridge_daemon.errors import BridgeError, Internal, JournalUnusable, Stale, StudioAway, WrongState
from bridge_daemon.journal import NotRecorded, Transaction
from bridge_daemon.pipeline import disk
from bridge_daemon.pipeline.at_once import AtOnce, leave
from bridge_daemon.pipeline.context import Step, StepContext, Wait
from bridge_daemon.pipeline.deliver import deliver
from bridge_daemon.pipeline.follow import follow
from bridge_daemon.pipeline.submit import apply, check_age, not_recorded, post, submit, wire_name
from bridge_daemon.util.loading import load
from bridge_daemon.util.tasks import Tasks, cancel_and_wait

log = logging.getLogger(__name__)
#: Is called with the first job of a request in the transaction that admits it.
First = Callable[[Transaction, Job], None]
#: Admits a request: its answer, and whether its id had been accepted before.
Admission = Callable[[First | None], Awaitable[tuple[dict[str, Any], bool]]]

#: How long the end of the daemon waits for the answer to a POST, s.
LAST_ANSWER: Final = 30.0
_AFTER_FAULT: Final = (2.0, 300.0)  # s, after a fault of ours
_MOST_CHANGES: Final = 20  # in a row, while a step was at work
_LONG_REST: Final = 10.0  # s
_AWAY: Final = 2.0  # s, until a journal that does not answer is asked again
#: Where the service may still fetch a source.
_SERVED: Final = OPEN | {State.UNKNOWN}


def step_for(job: Job) -> Step | None:
    """Return the step that a job is due for, None if it waits for somebody else or is at its end."""
    if job.state in RESERVED and (job.action == "generate" or job.publication is not None):
        return submit
    if job.state is State.GENERATING:
        return follow
    if job.state is State.STORED:
        return deliver
    return _audio_step(job)


def _audio_step(job: Job) -> Step | None:
    if job.state in RESERVED:
        from bridge_daemon.pipeline.prepare import prepare

        return prepare
    if job.state is State.FETCHING and job.original is None:
        from bridge_daemon.pipeline.fetch import fetch

        return fetch
    if job.state is State.FETCHING:
        from bridge_daemon.pipeline.finish import finish

        return finish
    return None


def step_for_others(job: Job, *, shared: bool) -> Step | None:
    """Return the step that can be done for a room that is not there: it needs none of its files and clients.

    ``shared``: sources lie in a store.
    """
    if job.state in RESERVED and job.action != "generate" and not shared:
        return None
    if job.state in RESERVED | {State.GENERATING} or (job.state is State.FETCHING and job.original is None):
        return step_for(job)
    return None


async def load_audio() -> None:
    """Load what reads and writes audio, while the first job is made: a daemon that nobody asks needs none of it."""
    await load(*(f"bridge_daemon.pipeline.{step}" for step in ("prepare", "fetch", "finish")))


class Conveyor:
    """All jobs on their way."""

    def __init__(self, context: StepContext) -> None:
        """Nothing moves before :meth:`start`."""
        self._context = context
        self._driven: set[str] = set()  # ids of jobs
        self._nudges: dict[str, asyncio.Event] = {}
        self._slots = asyncio.Semaphore(context.settings().engine.max_open_jobs)
        self._due: list[str] = []
        self._adopted: set[str] = set()
        #: As the last commit left them: what is queued and not taken up, and what goes on at once with its next step.
        self._known: dict[str, Job] = {}
        self._tasks = Tasks("conveyor")
        self._audio_loads = False
        self._sent: dict[str, tuple[_Slot, asyncio.Task[Wait]]] = {}  # jobs whose POST their press has begun

    async def recover(self) -> None:
        """Bring every job out of the state in which the last process left it. Nothing moves yet.

        This comes before anybody can press: a job of this process must not be taken for one of the last.
        """
        context = self._context
        jobs = await context.journal.read(lambda tx: tx.jobs_in(RESERVED | OPEN | {State.STORED, State.UNKNOWN}))
        recovered = [await self._recover(job) for job in jobs if await context.ownership.take(job)]
        await context.pause.load()  # an answer that was read only now may be a reason to pause
        for job in recovered:
            if job.publication is not None and job.publication.by == context.ownership.name and job.state in _SERVED:
                context.publishers.of(job.publication).restore(job.publication)
            # what waits for its client is brought by the intakes; the rest goes on from here
            if step_for(job) is not None and not (job.state is State.STORED and job.delivery and job.client):
                self._due.append(job.id)

    def start(self) -> None:
        """Take up every job where the journal says it stands."""
        for job in self._due:
            self.drive(job)
        self._due.clear()
        self._tasks.start(self._watch_disk(), "disk")

    async def _recover(self, job: Job) -> Job:
        """Bring a job out of the state in which the last process left it."""
        if job.state is State.SUBMITTING:
            job = await self._context.journal.write("recover", lambda tx: self._read_submit(tx, job))
        if job.state not in RESERVED:
            return job
        try:
            check_age(job, self._context.times.now())
        except Stale as error:
            await self._context.hold(job, error)
            return job.evolve(state=State.HELD)
        if job.state is State.PREPARING:
            return await self._context.journal.write(
                "recover", lambda tx: tx.move(job, State.QUEUED, publication=None, text="waits to be sent")
            )
        if job.publication is not None:  # nobody serves it any more: its source is published anew before it is sent
            return await self._context.journal.write("recover", lambda tx: tx.touch(job, publication=None))
        return job

    def _read_submit(self, tx: Transaction, job: Job) -> Job:
        """Find out what became of a submit that the last process did not live to see the end of."""
        if not self._context.ownership.holds(tx, job):
            raise WrongState(f"Another bridge sends the job {job.id}.", charge=job.charge)
        answer = None
        for event in tx.events_of(job.id):
            if event["kind"] == str(State.SUBMITTING):
                answer = None
            elif event["kind"] == "answer":
                answer = event["data"]
        if answer is None:
            outcome = Outcome(kind=SubmitOutcome.UNKNOWN, text="the bridge ended while the request was being sent")
        elif "status" in answer:
            outcome = classify(Answer.from_event(answer))
        else:
            kind = SubmitOutcome.UNKNOWN if answer["sent"] else SubmitOutcome.NOT_SENT
            outcome = Outcome(kind=kind, text=f"the service could not be reached ({answer['error']})")
        return apply(tx, job, outcome, self._context.times.now())

    async def _watch_disk(self) -> None:
        """End a pause for a full disk by itself."""
        while True:
            await asyncio.sleep(disk.LOOK)
            try:
                await disk.end_pause(self._context)
            except Exception:
                log.exception("The disk could not be looked at")

    async def press(self, admit: Admission) -> tuple[dict[str, Any], bool]:
        """Admit a request; if nothing is to be waited for, its first job is sent at once."""
        slot = _Slot(self._slots)
        if self._tasks.closed or not slot.at_hand:
            return await admit(None)
        going = await leave(self._context)
        if going is None:
            return await admit(None)
        if self._slots.locked():  # somebody was quicker
            going.give_back()
            return await admit(None)
        await slot.take()
        return await self._context.on_wire.press(self._press(admit, going, slot))

    async def _press(self, admit: Admission, going: AtOnce, slot: _Slot) -> tuple[dict[str, Any], bool]:
        """From the admission to the POST; runs to its end whoever is cancelled."""
        context = self._context
        begun: Job | None = None
        since = context.ownership.now()
        try:
            try:
                answer = await admit(going.mark)
            except StudioAway:
                if going.begun is not None:  # perhaps written all the same, and not sent: then it is unknown
                    self._tasks.start(self._again(going.was_written(), going.begun.id), "lost press")
                raise
            except NotRecorded as error:  # admitted, and nothing was sent
                if going.begun is not None:
                    await not_recorded(going.begun, error, context)
                return (await admit(None))[0], False
            if going.begun is not None and context.ownership.late(since):
                self._tasks.start(self._again(going.take_back(), going.begun.id), "late press")
                return answer
            begun = going.begun
            if begun is not None:
                post_ = context.on_wire.start(post(begun, going.body, going.endpoint, context), wire_name(begun.id))
                self._sent[begun.id] = slot, post_
                self.drive(begun.id)
            return answer
        finally:
            going.settle()
            if begun is None:
                slot.free()
                going.give_back()

    async def _again(self, work: Awaitable[bool], name: str) -> None:
        """Take a job up that its press did not send after all, if it was admitted."""
        if await work:
            self.drive(name)

    def changed(self, job: Job) -> None:
        """Handle a committed change of a job."""
        if job.state is State.GENERATING and not self._audio_loads:
            self._audio_loads = self._tasks.start(load_audio(), "audio") is not None
        mine = job.id in self._driven and job.room is None  # what others of a studio write is not told here at once
        if mine or (job.state is State.QUEUED and job.id not in self._driven):
            self._known[job.id] = job
        else:
            self._known.pop(job.id, None)

    def drives(self, job: str) -> bool:
        """Return whether a job is on its way here."""
        return job in self._driven

    def adopt(self, job: str) -> None:
        """Take up a job that nobody alive works on, as after a restart of whoever did."""
        if job not in self._driven:
            self._adopted.add(job)
            self.drive(job)

    def drive(self, job: str) -> None:
        """Make sure that a job is on its way, and look at it now, whatever it is waiting for."""
        if self._tasks.closed:
            return
        if job in self._driven:
            self._nudges[job].set()
            return
        self._nudges[job] = asyncio.Event()
        self._driven.add(job)
        self._tasks.start(self._drive(job), f"job {job}", then=lambda: self._ended(job))

    def _ended(self, job: str) -> None:
        self._driven.discard(job)
        self._known.pop(job, None)
        nudge = self._nudges.pop(job)
        if nudge.is_set():  # somebody asked while it was ending
            self.drive(job)

    async def _drive(self, name: str) -> None:
        """Run one job to where it ends or waits for somebody else."""
        slot, sent = self._sent.pop(name, (_Slot(self._slots), None))
        faults = changed = 0
        try:
            while True:
                self._nudges[name].clear()
                try:
                    if sent is not None:
                        answer, sent = sent, None
                        seconds: float | None = (await asyncio.shield(answer)).seconds
                    else:
                        seconds = await self._once(name, slot)
                    faults = changed = 0
                except WrongState as error:  # somebody changed it meanwhile: look again
                    self._known.pop(name, None)
                    changed += 1
                    seconds = 0.0
                    if changed > _MOST_CHANGES:  # nobody is that quick
                        seconds = _AFTER_FAULT[1]
                        await self._fault(name, error)
                except StudioAway:  # its own network, or the database: nothing is lost, and nothing can be written
                    seconds = _AWAY
                except Exception as error:  # noqa: BLE001 - a fault of ours must not lose a job that is paid for
                    faults += 1
                    seconds = min(_AFTER_FAULT[1], _AFTER_FAULT[0] * 2.0 ** min(faults, 10))
                    await self._fault(name, error)
                if seconds is None:
                    return
                if seconds > 0:
                    await self._rest(name, seconds)
                    self._known.pop(name, None)
        finally:
            slot.free()
            self._context.watches.pop(name, None)

    async def _once(self, name: str, slot: _Slot) -> float | None:
        """Run the step that a job is due for; return the seconds to wait, None at the end of its way."""
        context = self._context
        # what was just committed need not be read again: every step that changes it looks at it anew
        known = self._known.pop(name, None)
        job = known if known is not None else await context.journal.read(lambda tx: tx.job(name))
        context.watch(job)  # its time runs from here, whatever happens to the clock
        adopted = name in self._adopted
        self._adopted.discard(name)
        if not await context.ownership.take(job):
            return None
        off_the_wire = wire_name(name) not in context.on_wire and name not in context.marked
        if adopted or (job.state is State.SUBMITTING and off_the_wire):
            job = await self._recover(job)  # a fault broke it off, ours or another's: as after a restart
        if job.state is State.FETCHING or (job.state in RESERVED and job.action != "generate"):
            await load_audio()
        here = context.ownership.asked_here(job)
        step = step_for(job) if here else step_for_others(job, shared=context.store is not None)
        if step is None:
            if not here:
                await context.ownership.leave(job)
            return None
        if job.state in RESERVED and not await self._turn(name, slot):
            return 0.0
        if job.state in OPEN and slot.at_hand:  # it was open before a restart: it counts, and waits for nobody
            await slot.take()
        if job.state is State.STORED:
            slot.free()
        wait = await step(job, context)
        if wait is not None and (wait.free or (job.state in OPEN and wait.seconds >= _LONG_REST)):
            slot.free()  # the service forgot it, or has trouble with it: others need not wait for that
        return None if wait is None else wait.seconds

    async def _turn(self, name: str, slot: _Slot) -> bool:
        """Wait until sending is allowed and there is room at the service. False: look at the job again first."""
        if self._context.pause.current is None and slot.at_hand:
            await slot.take()
            return True
        nudge = asyncio.create_task(self._nudges[name].wait(), name=f"nudge {name}")
        ready = asyncio.create_task(self._ready(slot), name=f"turn {name}")
        try:
            await asyncio.wait({nudge, ready}, return_when=asyncio.FIRST_COMPLETED)
            return ready.done() and not self._nudges[name].is_set()
        finally:
            await cancel_and_wait(nudge, ready)

    async def _ready(self, slot: _Slot) -> None:
        await slot.take()
        await self._context.pause.passed()

    async def _rest(self, name: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nudges[name].wait()
        except TimeoutError:
            return

    async def _fault(self, name: str, error: Exception) -> None:
        trouble: BridgeError
        if isinstance(error, JournalUnusable):
            log.error("Job %s cannot go on: %s", name, error.message)
            trouble = error
        else:
            log.error("A fault of ours at job %s", name, exc_info=error)
            trouble = Internal(f"A fault of the bridge itself ({type(error).__name__}: {error}); it is tried again.")
        try:
            job = await self._context.journal.read(lambda tx: tx.job(name))
            if not job.terminal:
                await self._context.set_problem(job, trouble)
        except Exception:
            log.exception("The problem of job %s could not be written", name)

    async def stop(self) -> None:
        """End every driver; a POST that is on the wire is awaited, for a while."""
        await self._tasks.close()
        if len(self._context.on_wire):
            log.info("Waiting for the answer to %d request(s) on the wire", len(self._context.on_wire))
        await self._context.on_wire.finish(LAST_ANSWER)

    async def cut(self) -> None:
        """Do not wait for the wire: what has no answer yet becomes unknown."""
        await self._context.on_wire.finish(0)


class _Slot:
    """One of the places at the service that a job may take, so that not too many are open at once."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._taken = False

    @property
    def at_hand(self) -> bool:
        """Whether taking it would not wait."""
        return self._taken or not self._slots.locked()

    async def take(self) -> None:
        """Take a place as soon as one is free, in the order of asking."""
        if not self._taken:
            await self._slots.acquire()
            self._taken = True

    def free(self) -> None:
        """Give the place to the next."""
        if self._taken:
            self._taken = False
            self._slots.release()
