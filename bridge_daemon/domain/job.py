"""A job: one paid generation of a request, its state, and what is known of its money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.domain.fitting import asked_of, bars_of, fit_of, moved, tempo_of
from bridge_daemon.domain.parameters import sent, values_of
from bridge_daemon.domain.request import Place, Source

MICRO: Final = 1_000_000  # micro-dollars in a dollar: money is whole micro-dollars everywhere inside


class State(StrEnum):
    """Where a job stands on its way. Only the journal changes it."""

    #: Admitted; its sum is reserved; nothing was sent.
    QUEUED = "queued"
    #: Its source is being cut, converted and published; nothing was sent.
    PREPARING = "preparing"
    #: The POST may be on the wire. After a crash here nobody knows whether it was charged.
    SUBMITTING = "submitting"
    #: The service gave it an id; it is polled.
    GENERATING = "generating"
    #: The service is done; its audio is being downloaded and finished.
    FETCHING = "fetching"
    #: The take lies in the library and is delivered until its client confirms.
    STORED = "stored"
    #: The take stands where it belongs.
    PLACED = "placed"
    #: Nothing was sent; it waits for a person (``retry`` sends it, ``cancel`` ends it).
    HELD = "held"
    #: Ended by a person before anything was sent.
    CANCELLED = "cancelled"
    #: The service said no and did not charge.
    REFUSED = "refused"
    #: The service accepted the job and could not make it.
    FAILED = "failed"
    #: The submit may have been accepted; only evidence or a person decides.
    UNKNOWN = "unknown"
    #: Closed by a person.
    DISMISSED = "dismissed"


class Charge(StrEnum):
    """What is known of the money of a job."""

    #: Certainly not charged.
    NONE = "none"
    #: Perhaps charged: it counts against the limits until somebody knows better.
    POSSIBLE = "possible"
    #: Charged.
    CONFIRMED = "confirmed"


#: Nothing more happens to these by themselves.
TERMINAL: Final = frozenset({State.PLACED, State.CANCELLED, State.REFUSED, State.FAILED, State.DISMISSED})
#: Sum is reserved, nothing was sent.
RESERVED: Final = frozenset({State.QUEUED, State.PREPARING})
#: The service has, or may be about to have, work for us.
OPEN: Final = frozenset({State.SUBMITTING, State.GENERATING, State.FETCHING})
#: The source of a transform may still be fetched by the service.
SERVED: Final = RESERVED | OPEN | {State.UNKNOWN}

#: Every allowed move. The journal refuses all others.
MOVES: Final[dict[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.PREPARING, State.SUBMITTING, State.HELD, State.CANCELLED}),
    State.PREPARING: frozenset({State.QUEUED, State.SUBMITTING, State.HELD, State.CANCELLED}),
    State.HELD: frozenset({State.QUEUED, State.CANCELLED}),
    # back to queued, held or cancelled only if it is certain that nothing was accepted (never sent, or 429)
    State.SUBMITTING: frozenset(
        {State.GENERATING, State.QUEUED, State.HELD, State.CANCELLED, State.REFUSED, State.UNKNOWN}
    ),
    State.UNKNOWN: frozenset({State.GENERATING, State.DISMISSED}),
    State.GENERATING: frozenset({State.FETCHING, State.FAILED, State.DISMISSED}),
    State.FETCHING: frozenset({State.STORED, State.GENERATING, State.DISMISSED}),
    State.STORED: frozenset({State.PLACED}),
    State.PLACED: frozenset({State.STORED}),  # `deliver` brings it once more
    State.CANCELLED: frozenset(),
    State.REFUSED: frozenset(),
    State.FAILED: frozenset(),
    State.DISMISSED: frozenset(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something that a person should know of a job. It never changes the state by itself."""

    code: str
    text: str
    since: float  # UTC, seconds since the epoch
    next: str  # the one next step

    def as_dict(self) -> dict[str, Any]:
        """Return it as the contract writes it."""
        return {"code": self.code, "text": self.text, "since": self.since, "next": self.next}


if TYPE_CHECKING:

    @dataclass(frozen=True, kw_only=True, slots=True)
    class _Sent:
        # what the code names itself; the table has more. None: left out, the service's own default
        steps: int | None = None
        strength: float | None = None  # transform only, and then always sent, unless a region is replaced
        region_start: float | None = None  # s in the source
        region_end: float | None = None

else:
    _Sent = make_dataclass(
        "_Sent", [(one.name, one.type | None, None) for one in sent()], frozen=True, kw_only=True, slots=True
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters(_Sent):
    """What is asked of the model, complete: defaults, preset and seed are already in it."""

    prompt: str
    negative_prompt: str | None = None
    duration: float  # s, as sent to the service
    seed: int
    fit: str | None = None  # as asked; None: not asked for
    loudness: str | float | None = None  # as asked: a word, or LUFS
    tempo: float | None = None  # BPM, of the project at the press
    mode: str | None = None  # as the model's catalogue writes it; None: the action's, as the service's page does
    #: What is sent, by its usual name, and the model's own name for it; None: all of it, under its usual name.
    named: Mapping[str, str] | None = None
    spare: float | None = None  # s of the duration that are beyond the bars of the place
    continue_from: float | None = None  # s: so much of the end of the source is sent, and the take goes behind it
    after: float | None = None  # s behind the position of the place, where the source ends that the take continues
    cut: float | None = None  # s: the take is cut back to this (asked for less than the service or its source allows)

    @property
    def seconds(self) -> float:
        """The length that was asked for, s."""
        return asked_of(self.duration, self.cut, self.spare)


@dataclass(frozen=True, kw_only=True, slots=True)
class Take:
    """The finished file, as it was proved by reading it back."""

    file: str
    sha256: str
    rate: int  # frames a second
    frames: int
    channels: int
    time_reference: int  # frames since midnight of the project's time line (bext)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """The copy of a take that fits."""

    file: str
    sha256: str
    start: float  # s: this moment of the copy belongs on the place


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """Where the service can fetch the source of a job."""

    method: str
    url: str
    capability: str | None = None  # its unguessable name: the path element of our own listener, or the object's key
    file: str | None = None
    since: float | None = None  # UTC; when a signed URL was signed
    by: str | None = None  # the bridge of a studio that published it


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One generation, as the journal holds it. Frozen: the journal returns a new one for each change."""

    id: str  #: our own id, in file names and in OriginatorReference
    seq: int  #: order of admission
    request_id: str
    client: str | None
    action: str
    preset: str | None
    engine: str  #: "empiriolabs" or "sketch", fixed at admit
    base_url: str  #: fixed at admit ("sketch" for the built-in engine, whose port changes)
    model: str
    price: int  #: micro-dollars, fixed at admit
    state: State
    charge: Charge
    parameters: Parameters
    variation: int  #: 1-based
    variations: int
    place: Place
    source: Source | None = None
    sound: str | None = None  #: of the source's region at the press, as a hash
    source_file: str | None = None  #: the cut and converted source, in the home
    publication: Publication | None = None
    remote_id: str | None = None  #: the service's id of the job
    fraction: float = 0.0  #: 0..1, never goes back
    text: str = ""  #: what happens now, for people
    output_url: str | None = None
    original: str | None = None  #: the file as it came
    original_sha256: str | None = None
    take: Take | None = None
    delivery: int = 0  #: number of the delivery that is due; 0 before the first
    wanted: bool = True  #: False: cancelled after the money, so kept and not placed
    notes: tuple[str, ...] = field(default=())  #: what was done differently than asked, for people
    retry_of: str | None = None
    problem: Problem | None = None
    created_at: float = 0.0  #: UTC, seconds since the epoch
    updated_at: float = 0.0
    valid_until: float = 0.0  #: not sent by itself after this
    submitted_at: float | None = None
    finished_at: float | None = None  #: the service said that it was done
    favourite: bool = False  #: what a person thinks of the take
    tags: tuple[str, ...] = field(default=())
    grid: dict[str, Any] | None = None  #: what was measured of the take; None: not yet, or it cannot be
    fitted: Fitted | None = None
    trashed_at: float | None = None  #: left out of lists since; its file is kept
    room: str | None = None  #: that asked for it, of a studio; None: the journal has one room only

    def evolve(self, **changes: Any) -> Job:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    @property
    def terminal(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state in TERMINAL

    @property
    def fit(self) -> str:
        """How the take is to fit."""
        asked = self.parameters
        continues = asked.continue_from is not None
        return fit_of(asked.fit, self.client, self.place, asked.tempo, continues=continues)

    @property
    def tempo(self) -> float | None:
        """The tempo of the project, BPM, as far as it is one that a take can be measured by."""
        return tempo_of(self.place, self.parameters.tempo)

    @property
    def bars(self) -> tuple[int, int | None]:
        """The quarter notes of a bar of the place, and its bars; None if its length is no whole number of them."""
        return bars_of(self.place, self.parameters.tempo)

    @property
    def stands(self) -> Place:
        """Where the take goes: its place; of one that continues its source, the end of that."""
        if self.parameters.after is None:
            return self.place
        found = moved(self.place, self.parameters.after, self.tempo)
        told = found.length is not None or self.parameters.spare is not None
        return found.model_copy(update={"length": self.parameters.seconds}) if told else found

    @property
    def loudness(self) -> str | float:
        """How loud the take is to be, as asked."""
        return self.parameters.loudness or "off"

    @property
    def wants_fit(self) -> bool:
        """Whether the take is to fit, by its client or by a copy."""
        return (self.fit, self.loudness) != ("off", "off")

    @property
    def wants_copy(self) -> bool:
        """Whether a copy that fits was asked for."""
        asked = (self.parameters.fit or "off", self.loudness) != ("off", "off")
        return self.take is not None and (asked or self.joins)

    @property
    def joins(self) -> bool:
        """Whether the copy is the source and the take in one: for those who have nothing to lay them together."""
        return self.client is None and self.parameters.continue_from is not None

    def log_context(self) -> dict[str, str]:
        """Return what every log line about this job carries."""
        return {"job": self.id, "state": self.state, "charge": self.charge}

    def as_dict(self) -> dict[str, Any]:
        """Return it as the HTTP API, ``--json`` and the scripts see it."""
        return {
            "job": self.id,
            "id": self.request_id,
            "client": self.client,
            "action": self.action,
            "preset": self.preset,
            "engine": self.engine,
            "model": self.model,
            "state": str(self.state),
            "charge": str(self.charge),
            "usd": self.price / MICRO,
            "prompt": self.parameters.prompt,
            "negative_prompt": self.parameters.negative_prompt,
            **values_of(self.parameters),
            "fit": self.fit,
            "loudness": self.loudness,
            "variation": self.variation,
            "variations": self.variations,
            "source": self.source.as_dict() if self.source else None,
            "place": self.stands.as_dict(),
            "continue_from": self.parameters.continue_from,
            "fraction": self.fraction,
            "text": self.text,
            "notes": list(self.notes),
            "problem": self.problem.as_dict() if self.problem else None,
            "remote_id": self.remote_id,
            "file": self.take.file if self.take else None,
            "original": self.original,
            "rate": self.take.rate if self.take else None,
            "frames": self.take.frames if self.take else None,
            "channels": self.take.channels if self.take else None,
            "time_reference": self.take.time_reference if self.take else None,
            "grid": self.grid,
            "fitted": self.fitted.file if self.fitted else None,
            "delivery": self.delivery,
            "wanted": self.wanted,
            "retry_of": self.retry_of,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "submitted_at": self.submitted_at,
            "finished_at": self.finished_at,
            "favourite": self.favourite,
            "tags": list(self.tags),
            "trashed_at": self.trashed_at,
            "room": self.room,
        }
