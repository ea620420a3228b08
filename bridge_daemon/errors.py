"""One tree of errors. Each class has a stable code, which is part of the contract; this file is the whole list.

Every error answers four things: what happened (the message), whether money was spent (``charge``), what happens or
helps next (``next``), and where to look (the code, under the same heading in ``docs/errors.md``).

::

    BridgeError
    ├── Refusal                 said before anything was sent: nothing was spent
    │   ├── InvalidRequest      E-INVALID        every fault of a request at once
    │   ├── PriceQuestion       E-CONFIRM        dearer than the person lets pass unasked
    │   ├── DoublePress         E-DOUBLE-PRESS   the same again within seconds
    │   ├── IdReused            E-ID-REUSED      an accepted id with another body
    │   ├── LimitReached        E-LIMIT          day or month
    │   ├── Disarmed            E-DISARMED       the controllers are not armed: a pad may not spend
    │   ├── PathRefused         E-PATH           not below a readable or writable root
    │   ├── SourceRefused       E-SOURCE         too short, too long, silent, not audio
    │   ├── NotPublished        E-PUBLISH        the service could not fetch the source
    │   ├── StoreAway           E-STORE          the store of a studio does not answer
    │   ├── Paused              E-PAUSED         sending is paused
    │   ├── KeyTrouble          E-KEY            no API key, or its store cannot be read
    │   ├── PriceChanged        E-PRICE          the service became dearer than what was agreed
    │   ├── ModelTrouble        E-MODEL          the service's catalogue tells too little of the model
    │   ├── NotFound            E-NOT-FOUND
    │   ├── WrongState          E-STATE          not possible in the state of the job
    │   ├── OtherEngine         E-ENGINE         the job was admitted for another engine
    │   └── Stale               E-STALE          it waited longer than it is valid
    ├── Trouble                 after admit: why a job is where it is
    │   ├── NotSent             E-NOT-SENT       certainly not sent; tried again
    │   ├── RefusedByService    E-REFUSED        the service said no; not charged
    │   ├── SubmitUnknown       E-UNKNOWN        sent, answer lost: perhaps charged, never sent again by itself
    │   ├── FailedAtService     E-FAILED         accepted, and not made
    │   ├── GoneAtService       E-GONE           accepted, and now the service does not know it
    │   ├── PollTrouble         E-POLL           the service does not answer; asked again
    │   ├── DownloadTrouble     E-DOWNLOAD       the take could not be fetched yet; tried again
    │   ├── Undecodable         E-UNDECODABLE    what came is not whole audio
    │   ├── DecoderDied         E-DECODER        what came made its decoder crash, hang or fill the memory; it is kept
    │   ├── Duplicate           E-DUPLICATE      the service gave one id to two jobs
    │   ├── DiskTrouble         E-DISK           full or not writable; goes on when there is room
    │   └── NotPlaceable        E-UNPLACED       the take is safe, and not where it was wanted
    ├── Setup                   the daemon cannot run as it is
    │   ├── SettingsInvalid     E-SETTINGS
    │   ├── HomeUnsafe          E-HOME
    │   ├── JournalUnusable     E-JOURNAL
    │   │   ├── StudioAway      E-STUDIO         the database of a studio does not answer, or cannot write
    │   │   │   └── StudioRefused  E-STUDIO-ENTRY  it is there, and does not let this bridge in
    │   │   └── RoleTrouble     E-ROLE           the role of this room in that database may not do it
    │   ├── PortTaken           E-PORT
    │   ├── InstallTrouble      E-INSTALL        scripts or devices for a DAW
    │   └── NotRunning          E-NOT-RUNNING
    └── AccessRefused           the request did not pass the access checks of the HTTP API
        ├── WrongHost           E-HOST
        ├── WrongOrigin         E-ORIGIN
        ├── NoToken             E-AUTH
        ├── NotJson             E-JSON
        ├── TooLarge            E-SIZE
        ├── WrongMethod         E-METHOD
        ├── TooBusy             E-BUSY
        └── Internal            E-INTERNAL
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

#: Code → class, for docs and clients. Filled as the classes below are made.
CODES: dict[str, type[BridgeError]] = {}


class BridgeError(Exception):
    """The root. Only its subclasses with a code are raised."""

    code: ClassVar[str] = ""
    status: ClassVar[int] = 500  # HTTP
    next: ClassVar[str] = "Look into the log: daw-bridge logs"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the code; two classes with one code are a programming error."""
        super().__init_subclass__(**kwargs)
        if "code" in cls.__dict__:
            if cls.code in CODES:
                raise TypeError(f"{cls.code} is taken by {CODES[cls.code].__name__}")
            CODES[cls.code] = cls

    def __init__(self, message: str, *, next: str | None = None, charge: str = "none") -> None:
        """Say what happened; ``next`` overrides the class's next step; ``charge`` is what is known of the money."""
        super().__init__(message)
        self.message = message
        self.next_step = next if next is not None else type(self).next
        self.charge = charge

    def as_dict(self) -> dict[str, Any]:
        """Return it in the one error shape of the HTTP API."""
        return {"code": self.code, "message": self.message, "charge": self.charge, "next": self.next_step}


class Refusal(BridgeError):
    """Said before anything was sent. Nothing was spent."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request."""

    field: str
    value: Any
    allowed: str

    def __str__(self) -> str:
        """Return it as one sentence part, with long values cut."""
        shown = repr(self.value)
        if len(shown) > 60:
            shown = shown[:57] + "…"
        return f"{self.field} = {shown}: {self.allowed}"


class InvalidRequest(Refusal):
    """The request has faults; all of them are named at once."""

    code = "E-INVALID"
    status = 422
    next = "Correct the fields named and send it again."

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults and make one message of them."""
        self.faults = tuple(faults)
        super().__init__("The request was not taken, nothing was spent. " + "; ".join(map(str, self.faults)))

    def as_dict(self) -> dict[str, Any]:
        """Add the faults as data."""
        listed = [{"field": f.field, "value": _plain(f.value), "allowed": f.allowed} for f in self.faults]
        return super().as_dict() | {"faults": listed}


def invalid(field: str, value: Any, allowed: str) -> InvalidRequest:
    """Return an InvalidRequest with one fault."""
    return InvalidRequest([Fault(field, value, allowed)])


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value[:200]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return repr(value)[:200]


class PriceQuestion(Refusal):
    """The request costs more than passes unasked."""

    code = "E-CONFIRM"
    status = 409
    next = "Send it again under the same id with confirm_usd set to the price, if you agree."

    usd: float = 0.0

    def __init__(self, message: str, *, usd: float) -> None:
        """``usd`` is the price in question, in dollars."""
        super().__init__(message)
        self.usd = usd

    def as_dict(self) -> dict[str, Any]:
        """Add the price as a number."""
        return super().as_dict() | {"usd": self.usd}


class DoublePress(Refusal):
    """The same request came a few seconds ago under another id."""

    code = "E-DOUBLE-PRESS"
    status = 409
    next = "If you mean it, send it again with again: true."


class IdReused(Refusal):
    """An accepted id came again with another body."""

    code = "E-ID-REUSED"
    status = 409
    next = "Make a new UUID for each press."


class LimitReached(Refusal):
    """The day's or the month's limit would be passed."""

    code = "E-LIMIT"
    status = 402
    next = "Raise [spend] per_day_usd or per_month_usd in the settings, or wait."


class Disarmed(Refusal):
    """The controllers are not armed, or not any more: a pad may not spend money."""

    code = "E-DISARMED"
    status = 409
    next = "Press the pad that arms, or: daw-bridge midi arm"


class PathRefused(Refusal):
    """A file or folder lies outside of what the bridge may read or write. Missing and forbidden sound alike."""

    code = "E-PATH"
    status = 403
    next = "daw-bridge config allow PATH adds a folder to those that may be read."


class SourceRefused(Refusal):
    """The source is too short, too long, silent or not audio."""

    code = "E-SOURCE"
    status = 422
    next = "Choose another region or file."


class NotPublished(Refusal):
    """The service has no way to fetch the source."""

    code = "E-PUBLISH"
    status = 424
    next = "Set [publish] in the settings; docs/publishing.md tells which way to choose."

    def __init__(self, message: str, *, next: str | None = None, passing: bool = False) -> None:
        """``passing``: it may work later by itself, so a job that was admitted is tried again while it is valid."""
        super().__init__(message, next=next)
        self.passing = passing


class StoreAway(Refusal):
    """The store of the studio, by which sources and takes travel, cannot be used now."""

    code = "E-STORE"
    status = 503
    next = "Look at the network and at [store] in config.toml; the bridge goes on by itself when the store answers."
    #: It may work later by itself, so a job that was admitted is tried again while it is valid.
    passing = True


class Paused(Refusal):
    """Sending is paused."""

    code = "E-PAUSED"
    status = 503
    next = "daw-bridge resume"


class KeyTrouble(Refusal):
    """There is no API key, or the key store cannot be read."""

    code = "E-KEY"
    status = 503
    next = "daw-bridge key set"


class PriceChanged(Refusal):
    """The service's catalogue is dearer than what the person agreed to."""

    code = "E-PRICE"
    status = 503
    next = "daw-bridge price agree, if you accept the new price; or confirm just that price (usd) in the request."

    usd: float | None = None

    def __init__(self, message: str, *, next: str | None = None, usd: float | None = None) -> None:
        """``usd`` is the price of the whole request, in dollars: a request that confirms it agrees."""
        super().__init__(message, next=next)
        self.usd = usd

    def as_dict(self) -> dict[str, Any]:
        """Add the price as a number, where it can be agreed to."""
        return super().as_dict() | ({"usd": self.usd} if self.usd is not None else {})


class ModelTrouble(Refusal):
    """The service's catalogue does not tell of this model, or not that it does what was asked for."""

    code = "E-MODEL"
    status = 503
    next = "daw-bridge price --model MODEL asks the catalogue now, free of charge."


class NotFound(Refusal):
    """There is no such thing."""

    code = "E-NOT-FOUND"
    status = 404
    next = "daw-bridge jobs list"


class WrongState(Refusal):
    """The job is in a state in which this cannot be done."""

    code = "E-STATE"
    status = 409
    next = "daw-bridge jobs show JOB tells where it stands."


class OtherEngine(Refusal):
    """The job was admitted for another engine than the one in use."""

    code = "E-ENGINE"
    status = 409
    next = "Set [engine] back and retry the job, or cancel it."


class Stale(Refusal):
    """The request waited longer than it is valid before it could be sent."""

    code = "E-STALE"
    status = 409
    next = "daw-bridge jobs retry JOB sends it, daw-bridge jobs cancel JOB ends it."


class Trouble(BridgeError):
    """Something after admit: it becomes the ``problem`` of a job."""

    status = 502


class NotSent(Trouble):
    """The service could not be reached; the request was certainly not sent."""

    code = "E-NOT-SENT"
    next = "It is tried again by itself."


class RefusedByService(Trouble):
    """The service refused the request and does not charge for that."""

    code = "E-REFUSED"
    next = "Correct what the service names, then daw-bridge jobs retry JOB."


class SubmitUnknown(Trouble):
    """The request was sent and its answer was lost: perhaps charged. It is never sent again by itself."""

    code = "E-UNKNOWN"
    next = "Look at your account at the service, then daw-bridge jobs resolve JOB."


class FailedAtService(Trouble):
    """The service accepted the job and then could not make it."""

    code = "E-FAILED"
    next = "daw-bridge jobs retry JOB makes a new job, which costs again."


class GoneAtService(Trouble):
    """The service does not know the job any more. It keeps finished jobs for one hour."""

    code = "E-GONE"
    next = "Ask the service about it; daw-bridge jobs resolve JOB closes it."


class PollTrouble(Trouble):
    """The service does not answer questions about the job."""

    code = "E-POLL"
    next = "It is asked again by itself; nothing is lost."


class DownloadTrouble(Trouble):
    """The finished audio could not be downloaded yet."""

    code = "E-DOWNLOAD"
    next = "It is tried again by itself; daw-bridge jobs retry JOB tries at once, free of charge."


class Undecodable(Trouble):
    """What was downloaded is not a whole audio file."""

    code = "E-UNDECODABLE"
    next = "It is fetched again by itself; daw-bridge jobs retry JOB tries at once, free of charge."


class DecoderDied(Trouble):
    """What was downloaded made its decoder crash, hang or fill the memory. The file is kept."""

    code = "E-DECODER"
    next = "It is tried again by itself; daw-bridge jobs retry JOB tries at once, free of charge."


class Duplicate(Trouble):
    """The service answered two submits with one job id."""

    code = "E-DUPLICATE"
    next = "Look at your account at the service, then daw-bridge jobs resolve JOB."


class DiskTrouble(Trouble):
    """The disk is full or cannot be written."""

    code = "E-DISK"
    status = 507
    next = "Make room; the job goes on by itself."


class NotPlaceable(Trouble):
    """The take lies in the library and could not be brought where it was wanted."""

    code = "E-UNPLACED"
    next = "Mend what is named, then daw-bridge jobs deliver JOB."


class Setup(BridgeError):
    """The daemon cannot run as it is set up."""


class SettingsInvalid(Setup):
    """The settings have faults; all of them are named at once."""

    code = "E-SETTINGS"
    next = "Correct config.toml; daw-bridge config check tells when it is right."


class HomeUnsafe(Setup):
    """The home cannot be used, or others can read its secrets."""

    code = "E-HOME"
    next = "Mend the folder or file named."


class JournalUnusable(Setup):
    """The journal is missing, damaged or of a newer version, or was changed by something else."""

    code = "E-JOURNAL"
    status = 503
    next = "Nothing was changed. Update daw-bridge; daw-bridge jobs list --offline reads what is there."


class StudioAway(JournalUnusable):
    """The database of the studio does not answer, so nothing can be sent. What is paid for goes on when it is back."""

    code = "E-STUDIO"
    status = 503
    next = "Look at the network and the machine of the database; the bridge goes on by itself when it answers."


class StudioRefused(StudioAway):
    """The database of the studio is there and does not let this bridge in: role, password, certificate or address."""

    code = "E-STUDIO-ENTRY"
    next = "daw-bridge doctor says what is in the way; who owns the database: daw-bridge studio room list"


class RoleTrouble(JournalUnusable):
    """The role of this bridge in the studio's database does not let it do that; who owns the database gives roles."""

    code = "E-ROLE"
    next = "daw-bridge studio status tells of which room the role is; who owns the database: daw-bridge studio room"


class PortTaken(Setup):
    """Another program listens on our port."""

    code = "E-PORT"
    next = "End that program, or set another port in config.toml (0 takes any free one)."


class InstallTrouble(Setup):
    """The scripts or devices for a DAW could not be installed or removed; what was there is as it was."""

    code = "E-INSTALL"
    next = "daw-bridge install shows what was found; --path names another folder."


class NotRunning(Setup):
    """No daemon answers."""

    code = "E-NOT-RUNNING"
    status = 503
    next = "daw-bridge start"


class AccessRefused(BridgeError):
    """The request did not pass the access checks of the HTTP API."""

    status = 403


class WrongHost(AccessRefused):
    """The Host header is not one of ours (a rebinding attack, or a proxy that must not point here)."""

    code = "E-HOST"
    status = 421
    next = "Use the http_url that runtime.json names."


class WrongOrigin(AccessRefused):
    """A page of another origin asked."""

    code = "E-ORIGIN"
    next = "Only the bridge's own page may call the API from a browser."


class NoToken(AccessRefused):
    """The bearer token or session is missing or wrong."""

    code = "E-AUTH"
    status = 401
    next = "Send Authorization: Bearer with the content of the file token in the home."


class NotJson(AccessRefused):
    """The body is not a JSON object, or is not declared as one."""

    code = "E-JSON"
    status = 415
    next = "Send a JSON object with Content-Type: application/json."


class TooLarge(AccessRefused):
    """The body is larger than is allowed."""

    code = "E-SIZE"
    status = 413
    next = "A request is at most 64 KiB, a source at most 256 MiB."


class WrongMethod(AccessRefused):
    """The path exists, the method does not."""

    code = "E-METHOD"
    status = 405
    next = "docs/http.md lists the routes."


class TooBusy(AccessRefused):
    """There are too many connections, or a handler took too long."""

    code = "E-BUSY"
    status = 503
    next = "Try again in a moment."


class Internal(AccessRefused):
    """A fault of ours."""

    code = "E-INTERNAL"
    status = 500
