"""What each OSC address does: read its keys, ask the daemon's actions, say what is answered."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.clock.transport import CLOCKS, LIMITS, Clock
from bridge_daemon.domain import ids, views
from bridge_daemon.domain.models import known
from bridge_daemon.errors import BridgeError, Fault, InvalidRequest, NotFound, PriceChanged, PriceQuestion, TooBusy
from bridge_daemon.frontends.osc.clients import Clients
from bridge_daemon.frontends.osc.keys import REQUEST_KEYS, as_on_the_wire, request_of, unknown
from bridge_daemon.frontends.osc.wire import Float32, decimal

#: Jobs that /bridge/jobs answers with, at most and where it does not say.
MOST_JOBS: Final = 200
DEFAULT_JOBS: Final = 20
#: How long what must not be done twice is answered from memory: under the same id, and without one, s.
ONCE_BY_ID: Final = 600.0
ONCE: Final = 1.0
_LONGEST: Final = 1500  # characters of a message for people
_PORTS: Final = (1, 65_535)
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_MARKS: Final = ("favourite", "trashed")
_ALWAYS: Final = ("client", "id")  # keys of every message, beside the secret

Pairs = dict[str, Any]
Answer = tuple[str, Pairs]


@dataclass(frozen=True, slots=True)
class OscCall:
    """A message that may be acted on."""

    address: str
    data: Pairs
    sender: int  # port

    @property
    def word(self) -> str:
        """The last part of the address."""
        return self.address.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Verb:
    """What stands behind an address."""

    act: Callable[[OscCall], Awaitable[list[Answer]]]
    keys: tuple[str, ...] = ()
    once: bool = False  # doing it again does more: said again, it gets the first answer


class Verbs:
    """Every address, and what it does."""

    def __init__(self, actions: Actions, clients: Clients, clock: Clock, own_port: Callable[[], int]) -> None:
        self._actions = actions
        self._clients = clients
        self._clock = clock
        self._own_port = own_port
        self._done: dict[tuple[str, str, str], tuple[float, list[Answer]]] = {}

    def table(self) -> Mapping[str, Verb]:
        """Return the addresses that need the secret."""
        return {
            "/bridge/hello": Verb(self.hello, ("port",)),
            "/bridge/generate": Verb(self.generate, REQUEST_KEYS),
            "/bridge/transform": Verb(self.transform, REQUEST_KEYS),
            "/bridge/preset": Verb(self.preset, REQUEST_KEYS),
            "/bridge/retry": Verb(self.retry, ("job", "confirm_usd", "again"), once=True),
            "/bridge/cancel": Verb(self.cancel, ("job",)),
            "/bridge/deliver": Verb(self.deliver, ("job", "library"), once=True),
            "/bridge/mark": Verb(self.mark, (*_MARKS, "job")),
            "/bridge/pause": Verb(self.pause, ("reason",)),
            "/bridge/resume": Verb(self.resume),
            "/bridge/jobs": Verb(self.jobs, ("limit",)),
            "/bridge/transport": Verb(self.transport, ("playing", *LIMITS)),
            "/bridge/placed": Verb(self.placed, ("job", "delivery")),
            "/bridge/unplaced": Verb(self.unplaced, ("job", "delivery", "code", "message")),
        }

    async def do(self, verb: Verb, call: OscCall) -> list[Answer]:
        """Do what a message asks for and return the answers; a refusal is one."""
        try:
            faults = [] if verb.keys is REQUEST_KEYS else unknown(call.data, (*_ALWAYS, *verb.keys))
            if faults:
                raise InvalidRequest(faults)
            return await (self._once(verb, call) if verb.once else verb.act(call))
        except BridgeError as error:
            return [refused(call, error)]

    async def _once(self, verb: Verb, call: OscCall) -> list[Answer]:
        """Do it, or say once more what was answered: to the same id, or, without one, within a moment."""
        given = call.data.get("id")
        key = (call.address, str(call.data.get("job")), given if isinstance(given, str) else "")
        now = self._clock.monotonic()
        for old in [old for old, (until, _) in self._done.items() if until <= now]:
            del self._done[old]
        if key not in self._done:
            answers = await verb.act(call)
            self._done[key] = (now + (ONCE_BY_ID if key[2] else ONCE), answers)
        return self._done[key][1]

    # Who is there

    async def hello(self, call: OscCall) -> list[Answer]:
        """Register a client and answer with the state of the bridge."""
        faults = _Faults(call)
        name = faults.text("client", ids.CLIENT, "1 to 40 of a-z, 0-9 and -")
        port = faults.whole("port", *_PORTS, default=call.sender)
        if port == self._own_port():
            faults.add("port", port, "is the bridge's own port; name the one that you listen on")
        faults.check()
        if not self._clients.hello(name, port=port, sender=call.sender):
            raise TooBusy("Too many clients are connected already.")
        status = await self._actions.status()
        pause, models = status["paused"], await self._actions.model_prices(status["engine"]["name"])
        return [
            (
                "/bridge/welcome",
                {
                    "version": status["version"],
                    "engine": status["engine"]["name"],
                    "paused": pause["reason"] if pause else "",
                    "price_usd": decimal(status["price_usd"]) if status["price_usd"] is not None else None,
                    "spent_today_usd": decimal(status["spent_today_usd"]),
                    "limit_today_usd": decimal(status["limit_today_usd"]),
                    "text": pause["text"] if pause else None,
                    "can_transform": int(status["can_transform"]),
                    "why_not": str(status["why_not"] or "")[:500] or None,
                    # names one a line: a device shows them in a menu
                    "presets": "\n".join(self._actions.presets()) or None,
                    "presets_models": "\n".join(" ".join(each) for each in self._actions.preset_models().values())
                    or None,
                    "models": "\n".join(models),
                    "negative_prompt": "\n".join(name for name in models if known(name).takes("negative_prompt"))
                    or None,
                    "replace": "\n".join(await self._actions.replacing(status["engine"]["name"])) or None,
                    "models_usd": "\n".join(decimal(usd) for usd in models.values()),
                },
            )
        ]

    async def transport(self, call: OscCall) -> list[Answer]:
        """Update the transport of a client. Only what is wrong with it is answered."""
        faults = _Faults(call)
        name = faults.text("client", ids.CLIENT, "1 to 40 of a-z, 0-9 and -")
        if name in CLOCKS:
            faults.add("client", name, "is the name of a clock of the bridge itself")
        fields = {key: call.data[key] for key in ("playing", *LIMITS) if key in call.data}
        for key, value in fields.items():
            if key == "playing" and not isinstance(value, bool):
                faults.add(key, value, "must be true or false, or 1 or 0")
            elif key in LIMITS and not LIMITS[key].allows(value):
                faults.add(key, value, str(LIMITS[key]))
        faults.check()
        self._clock.update(name, fields)
        return []

    # Requests

    async def generate(self, call: OscCall) -> list[Answer]:
        """Ask for audio of text."""
        return await self._admit(call, "generate")

    async def transform(self, call: OscCall) -> list[Answer]:
        """Ask for audio of audio."""
        return await self._admit(call, "transform")

    async def preset(self, call: OscCall) -> list[Answer]:
        """Ask for what a preset says."""
        faults = _Faults(call)
        faults.text("preset", r"(?s).{1,200}", "is required at this address")
        faults.check()
        return await self._admit(call, None)

    async def _admit(self, call: OscCall, action: str | None) -> list[Answer]:
        try:
            answer, _ = await self._actions.admit(request_of(call.data, action))
        except InvalidRequest as error:
            raise as_on_the_wire(error) from error
        told = {"id": answer["id"], "jobs": ",".join(answer["jobs"]), "usd": decimal(answer["usd"])}
        return [("/bridge/accepted", told)]

    # Jobs

    async def retry(self, call: OscCall) -> list[Answer]:
        """Try a job again."""
        given: Pairs = {key: call.data[key] for key in ("id", "confirm_usd", "again") if key in call.data}
        done = await self._actions.retry(_job(call), given)
        return [_ok(call, done["message"]) if "retry_of" not in done else _ok(call, done["message"], new=done["job"])]

    async def cancel(self, call: OscCall) -> list[Answer]:
        """End a job, or keep its take out of the project."""
        return [_ok(call, (await self._actions.cancel(_job(call), once=_once_for(call)))["message"])]

    async def deliver(self, call: OscCall) -> list[Answer]:
        """Bring a take once more, into the library where that is asked."""
        place = {"folder": None} if call.data.get("library") else None
        return [_ok(call, (await self._actions.deliver(_job(call), place, once=_once_for(call)))["message"])]

    async def placed(self, call: OscCall) -> list[Answer]:
        """Record that a client has placed a take."""
        faults = _Faults(call)
        job, delivery = faults.job(), faults.whole("delivery", 1, 1_000_000)
        faults.check()
        done = await self._actions.placed(job, delivery)
        return [_ok(call, done["message"], delivery=delivery)]

    async def unplaced(self, call: OscCall) -> list[Answer]:
        """Record that a client could not place a take."""
        faults = _Faults(call)
        job, delivery = faults.job(), faults.whole("delivery", 1, 1_000_000)
        code = faults.text("code", _CODE.pattern, "1 to 40 letters, digits, _ . and -", default="")
        message = faults.text("message", r"(?s).{0,4096}", "must be text", default="")
        faults.check()
        done = await self._actions.unplaced(job, delivery, code, message)
        return [_ok(call, done["message"], delivery=delivery)]

    async def mark(self, call: OscCall) -> list[Answer]:
        """Note what a person thinks of a take. Nothing is paid and no file goes, so it may be done twice."""
        faults = _Faults(call)
        job = faults.job()
        marks: Pairs = {key: call.data[key] for key in _MARKS if key in call.data}
        for key, value in (marks or {"favourite": None}).items():
            if not isinstance(value, bool):
                faults.add(key, value, "must be true or false, or 1 or 0")
        faults.check()
        await self._actions.mark(job, marks)
        return [_ok(call, "Noted.")]

    async def jobs(self, call: OscCall) -> list[Answer]:
        """Tell of the newest jobs: of one client, if it says its name, else of all."""
        faults = _Faults(call)
        limit = faults.whole("limit", 1, MOST_JOBS, default=DEFAULT_JOBS)
        client = faults.text("client", ids.CLIENT, "1 to 40 of a-z, 0-9 and -", default="")
        faults.check()
        found = await self._actions.jobs(states=[], q=None, client=client or None, before=None, limit=limit)
        return [*(("/bridge/job", job_pairs(job)) for job in found), _ok(call, "", count=len(found))]

    # The whole

    async def pause(self, call: OscCall) -> list[Answer]:
        """Stop all sending."""
        faults = _Faults(call)
        reason = faults.text("reason", r"(?s).{1,200}", "must be text of 1 to 200 characters", default="person")
        faults.check()
        paused = (await self._actions.pause(reason))["paused"]
        return [_ok(call, paused["text"])]

    async def resume(self, call: OscCall) -> list[Answer]:
        """Go on sending."""
        await self._actions.resume()
        return [_ok(call, "")]


class _Faults:
    """Reads the keys of a message and collects every fault in them, so that all are told at once."""

    def __init__(self, call: OscCall) -> None:
        self._data = call.data
        self._faults: list[Fault] = []

    def add(self, key: str, value: Any, allowed: str) -> None:
        self._faults.append(Fault(key, value, allowed))

    def text(self, key: str, pattern: str, allowed: str, *, default: str | None = None) -> str:
        value = self._data.get(key, default)
        if isinstance(value, str) and (key not in self._data or re.fullmatch(pattern, value)):
            return value
        self.add(key, value, allowed)
        return ""

    def whole(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        value = self._data.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.add(key, value, f"must be a whole number, {low} to {high}")
        return low

    def job(self) -> str:
        return self.text("job", ids.JOB, "must be the id of a job")

    def check(self) -> None:
        if self._faults:
            raise InvalidRequest(self._faults)


def _job(call: OscCall) -> str:
    faults = _Faults(call)
    job = faults.job()
    faults.check()
    return job


def _once_for(call: OscCall) -> str | None:
    """Return the id under which the journal remembers a command, so that it is done once, also after a restart."""
    given = call.data.get("id")
    if not isinstance(given, str) or not given:
        return None
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"osc:{call.word}:{call.data.get('job')}:{given}"))


def _about(call: OscCall) -> Pairs:
    """What tells the sender which of its messages an answer is for."""
    told: Pairs = {"re": call.word[:40]}
    for key in ("id", "job"):
        value = call.data.get(key)
        if isinstance(value, str):
            told[key] = value[:64]
    return told


def _ok(call: OscCall, message: str, **more: Any) -> Answer:
    return "/bridge/ok", _about(call) | more | ({"message": message[:_LONGEST]} if message else {})


def refused(call: OscCall, error: BridgeError) -> Answer:
    """Return what is answered if nothing was done."""
    told = {"code": error.code, "message": error.message[:_LONGEST], "charge": str(error.charge)}
    usd = error.usd if isinstance(error, PriceQuestion | PriceChanged) else None
    price = {"usd": decimal(usd)} if usd is not None else {}
    return "/bridge/refused", _about(call) | told | price | {"next": error.next_step}


def unknown_address(call: OscCall) -> Answer:
    """Return what is answered at an address that there is not."""
    shown = "".join(c if c.isprintable() else "?" for c in call.address[:80])
    return refused(call, NotFound(f"There is no OSC address {shown}.", next="docs/osc.md lists the addresses."))


def job_pairs(job: Mapping[str, Any]) -> Pairs:
    """Return a job as /bridge/job tells it."""
    problem = job["problem"] or {}
    told: Pairs = views.listed(job, views.IN_THE_LIST)
    told |= {"fraction": Float32(job["fraction"]), "usd": decimal(job["usd"])}
    return told | {"code": problem.get("code"), "message": problem.get("text"), "next": problem.get("next")}
