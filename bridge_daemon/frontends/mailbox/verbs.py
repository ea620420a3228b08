"""What each file of an inbox does: a request, a command, or a word about a take."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.domain import ids
from bridge_daemon.errors import BridgeError, Fault, InvalidRequest, NotFound, Stale
from bridge_daemon.frontends.mailbox.files import Claim, FileKind, Name
from bridge_daemon.frontends.mailbox.outbox import Outbox
from bridge_daemon.journal import Journal
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.times import Times

_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{0,40}")
_LONGEST: Final = 4096  # characters of a message
_LONGEST_REASON: Final = 200
#: The keys of each command, beside ``command``, ``id`` and ``client``.
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "cancel": ("job",),
    "deliver": ("job",),
    "retry": ("job", "confirm_usd", "again"),
    "resolve": ("job", "action", "remote_id", "charged", "confirm_usd", "again"),
    "mark": ("job", "favourite", "trashed"),
    "pause": ("reason",),
    "resume": (),
}
_ALWAYS: Final = ("version", "command", "id", "client")


class Unusable(Exception):
    """The file is to be set aside: what stands in it contradicts its name, or nobody can be answered otherwise."""

    def __init__(self, error: BridgeError) -> None:
        """``error`` is the reason."""
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What the answer to a request or command says."""

    jobs: list[str]
    usd: float = 0.0
    message: str | None = None


class InboxVerbs:
    """Does what files ask for, and has it answered in the outbox."""

    def __init__(
        self, actions: Actions, outbox: Outbox, journal: Journal, settings: Callable[[], Settings], times: Times
    ) -> None:
        """Nothing is kept of a file but what was decided, until its answer is written."""
        self._actions = actions
        self._outbox = outbox
        self._journal = journal
        self._settings = settings
        self._times = times
        self._decided: dict[tuple[Path, str], _Accepted | BridgeError] = {}

    async def do(self, claim: Claim) -> None:
        """Do what a file asks for; the answer lies in the outbox when this returns.

        Doing it again, after a crash, changes nothing. Raises Unusable, and OSError if no answer can be written.
        """
        kind, name = claim.name.kind, claim.name
        if kind is FileKind.REQUEST or kind is FileKind.COMMAND:
            await self._answer(claim)
        else:
            try:
                await self._confirm(claim.client, name, claim.data)
            except BridgeError as error:
                raise Unusable(error) from error

    async def _answer(self, claim: Claim) -> None:
        """Decide once, and answer. While the answer cannot be written, what was decided stays decided."""
        key = claim.path, claim.stamp
        decided = self._decided.get(key)
        if decided is None:
            if claim.again and await self._outbox.answered(claim.client, claim.name.id, claim.stamp):
                return
            decided = self._decided[key] = await self._decide(claim)
        if isinstance(decided, BridgeError):
            await self._outbox.refused(claim.client, claim.name.id, claim.stamp, decided)
        else:
            jobs, usd, message = decided.jobs, decided.usd, decided.message
            await self._outbox.accepted(claim.client, claim.name.id, claim.stamp, jobs, usd=usd, message=message)
        del self._decided[key]

    async def _decide(self, claim: Claim) -> _Accepted | BridgeError:
        inside, named = claim.data.get("id"), claim.name.id
        if claim.name.kind is FileKind.REQUEST and isinstance(inside, str) and inside.lower() != named:
            raise Unusable(InvalidRequest([Fault("id", inside, f"must be {named}, as in the name of the file")]))
        try:
            return await (self._request if claim.name.kind is FileKind.REQUEST else self._command)(
                claim, dict(claim.data)
            )
        except BridgeError as error:
            return error

    async def _request(self, claim: Claim, data: dict[str, Any]) -> _Accepted:
        client = claim.client
        if data.setdefault("client", client) != client:
            raise InvalidRequest(_client_faults(client, data))
        valid_for = data.get("valid_for")
        preset = self._settings().presets.get(str(data.get("preset")))
        if not isinstance(valid_for, int | float) and preset is not None:
            valid_for = preset.valid_for
        await self._check_age(claim, claim.name.id, valid_for)
        answer, _ = await self._actions.admit(data)
        return _Accepted(answer["jobs"], answer["usd"])

    async def _check_age(self, claim: Claim, given: str, valid_for: Any = None) -> None:
        """Raise Stale if a file lay there, while the daemon did not run, for longer than it is valid."""
        seconds = valid_for if isinstance(valid_for, int | float) else self._settings().defaults.valid_for
        age = self._times.now() - claim.written
        if age > seconds and await self._journal.read(lambda tx: tx.accepted(given)) is None:
            raise Stale(
                f"It was written {age:.0f} s ago and is valid for {seconds:g} s; the bridge did not run meanwhile. "
                "Nothing was sent.",
                next="If it is still wanted, write it once more, under the same id.",
            )

    async def _command(self, claim: Claim, data: dict[str, Any]) -> _Accepted:
        command = data.get("command")
        faults = [
            *_command_faults(command),
            *([] if data.get("version", 1) == 1 else [Fault("version", data["version"], "must be 1")]),
            *_client_faults(claim.client, data),
        ]
        known = COMMANDS.get(command) if isinstance(command, str) else None
        if known is not None:
            keys = (*_ALWAYS, *known)
            faults += [Fault(key[:40], None, f"is not one of {', '.join(keys)}") for key in data if key not in keys]
            faults += _job_faults(data) if "job" in known else []
        given = _uuid(data.get("id", claim.name.id))
        if given is None:
            faults.append(Fault("id", data.get("id"), "must be a UUID, made new for each press, or left out"))
        if faults or given is None or not isinstance(command, str):
            raise InvalidRequest(faults)
        may_cost = command in ("retry", "resume") or data.get("action") == "submit_again"
        if may_cost:  # the others are meant however late they come
            await self._check_age(claim, given)
        done = await self._do_command(command, data | {"id": given})
        if command == "mark":
            self._outbox.marked(claim.client)
        return done

    async def _do_command(self, command: str, data: dict[str, Any]) -> _Accepted:
        if command == "pause":
            return _Accepted([], message=(await self._actions.pause(_reason(data)))["paused"]["text"])
        if command == "resume":
            await self._actions.resume()
            return _Accepted([], message="Sending again.")
        if command == "mark":
            return await self._mark(data)
        done = await self._about_a_job(command, data)
        usd = await self._journal.read(lambda tx: _usd(tx.accepted(data["id"])))
        return _Accepted([done["job"]], usd, done["message"])

    async def _mark(self, data: dict[str, Any]) -> _Accepted:
        """Note what a person thinks of a take. Nothing is paid and no file goes, so it may be done twice."""
        marks: dict[str, Any] = {key: data[key] for key in ("favourite", "trashed") if key in data}
        faults = [
            Fault(key, value, "must be true or false") for key, value in marks.items() if not isinstance(value, bool)
        ]
        if not marks:
            faults.append(Fault("favourite", None, "or trashed must be there"))
        if faults:
            raise InvalidRequest(faults)
        job = data["job"]
        await self._actions.mark(job, marks)
        return _Accepted([job], message="Noted.")

    async def _about_a_job(self, command: str, data: dict[str, Any]) -> dict[str, Any]:
        job = data["job"]
        if command == "cancel":
            return await self._actions.cancel(job, once=data["id"])
        if command == "deliver":
            return await self._actions.deliver(job, once=data["id"])
        given: dict[str, Any] = {key: data[key] for key in ("id", *COMMANDS[command][1:]) if key in data}
        if command == "resolve":
            return await self._actions.resolve(job, given, once=data["id"])
        return await self._actions.retry(job, given)

    async def _confirm(self, client: str, name: Name, data: Mapping[str, Any]) -> None:
        found = await self._journal.read(lambda tx: tx.job(name.job))
        if found.client != client:
            raise NotFound(f"The client {client} has no job {name.job}.")
        if name.kind is FileKind.PLACED:
            await self._actions.placed(name.job, name.delivery)
            return
        code, message = data.get("code", ""), data.get("message", "")
        faults = []
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            faults.append(Fault("code", code, "must be at most 40 letters, digits, _ . and -"))
        if not isinstance(message, str) or len(message) > _LONGEST:
            faults.append(Fault("message", message, f"must be text of at most {_LONGEST} characters"))
        if faults:
            raise InvalidRequest(faults)
        await self._actions.unplaced(name.job, name.delivery, code, message)


def _command_faults(command: Any) -> list[Fault]:
    if isinstance(command, str) and command in COMMANDS:
        return []
    return [Fault("command", command, f"must be one of {', '.join(COMMANDS)}")]


def _client_faults(client: str, data: Mapping[str, Any]) -> list[Fault]:
    if data.get("client", client) == client:
        return []
    return [Fault("client", data["client"], f"must be {client}, as the folder, or left out")]


def _job_faults(data: Mapping[str, Any]) -> list[Fault]:
    job = data.get("job")
    return [] if ids.is_job(job) else [Fault("job", job, "must be the id of a job")]


def _reason(data: Mapping[str, Any]) -> str:
    reason = data.get("reason", "person")
    if not isinstance(reason, str) or not 1 <= len(reason) <= _LONGEST_REASON:
        allowed = f"must be text of 1 to {_LONGEST_REASON} characters"
        raise InvalidRequest([Fault("reason", reason, allowed)])
    return reason


def _uuid(value: Any) -> str | None:
    try:
        return ids.as_uuid(value)
    except ValueError:
        return None


def _usd(accepted: Any) -> float:
    return float(accepted.answer.get("usd", 0.0)) if accepted is not None else 0.0
