"""The service's words: what is sent, and what its answers mean. Pure functions, no sockets.

The service documents little and nothing of it could be tried from where this was written, so readers are tolerant:
only ``completed`` and ``failed`` are certain, and the audio URL is looked for in a fixed list of shapes.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeGuard

from bridge_daemon.domain.job import Job
from bridge_daemon.domain.parameters import sent
from bridge_daemon.engine.address import same
from bridge_daemon.util import strict_json
from bridge_daemon.util.redact import redact

#: Longest text of the service that is shown or kept.
MAX_TEXT = 500
#: What no id of the service is longer than.
MAX_ID = 400

_DONE = frozenset({"completed", "succeeded", "success", "complete", "done", "finished"})
_FAILED = frozenset({"failed"})
_WEB = ("https://", "http://")


def payload(job: Job, audio_url: str | None) -> dict[str, Any]:
    """Return the body of the POST for a job. What the person left out is left out, but for seed and strength."""
    parameters = job.parameters
    body: dict[str, Any] = {
        "model": job.model,
        "prompt": parameters.prompt,
        "mode": "audio-to-audio" if job.action == "transform" else "text-to-audio",
        "output_format": "wav",
        "random_seed": False,
    }
    for one in sent():
        value = getattr(parameters, one.name)
        if one.sent_as is not None and value is not None and job.action in one.actions:
            body[one.sent_as] = _number(value)
    if parameters.negative_prompt is not None and job.engine != "sketch":  # which has nothing to leave out
        body["negative_prompt"] = parameters.negative_prompt
    if job.action == "transform":
        body["audio_url"] = audio_url
    if parameters.mode is not None:
        body["mode"] = parameters.mode
    if parameters.named is None:
        return body
    return {parameters.named[name]: value for name, value in body.items() if name in parameters.named}


def _number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


class SubmitOutcome(Enum):
    """What the outcome of a submit means for the money."""

    #: It has an id: charged.
    ACCEPTED = auto()
    #: It certainly never left this machine: sent again later.
    NOT_SENT = auto()
    #: The service said "not now" (429): not charged, sent again later.
    RATE_LIMITED = auto()
    #: The service said no: not charged, not sent again.
    REFUSED = auto()
    #: Perhaps charged. Never sent again by itself.
    UNKNOWN = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one POST came to."""

    kind: SubmitOutcome
    text: str
    remote_id: str | None = None
    retry_after: float | None = None  # s
    #: Why everything must stop: "401", "402" or "certificate".
    pause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An HTTP answer as it came."""

    status: int
    body: bytes
    retry_after: str | None = None
    #: False if the connection ended before the body did.
    complete: bool = True

    def as_event(self) -> dict[str, Any]:
        """Return it for the journal: the raw body is evidence."""
        return {
            "status": self.status,
            "body": self.body[:65_536].decode("utf-8", "backslashreplace"),
            "complete": self.complete,
            "retry_after": self.retry_after,
        }

    @staticmethod
    def from_event(event: Mapping[str, Any]) -> Answer:
        """Return the answer that an event of the journal keeps."""
        return Answer(
            status=event["status"],
            body=event["body"].encode(),
            complete=event["complete"],
            retry_after=event["retry_after"],
        )


#: Statuses with which the service says no, and documents that it does not charge.
REFUSING: Final = {
    400: "the service did not understand the request",
    401: "the service does not accept the API key",
    402: "the account has no credits left",
    403: "the service does not allow this",
    404: "the service does not know this model or address",
    413: "the request is too large for the service",
    422: "the service does not accept a parameter",
}


def classify(answer: Answer) -> Outcome:
    """Tell what an answer to the POST means. Whatever is not certain is UNKNOWN: it may have been charged."""
    status = answer.status
    said = error_text(answer.body)
    if 200 <= status < 300:
        return _accepted(answer)
    if 300 <= status < 400:
        return Outcome(
            kind=SubmitOutcome.REFUSED, text=f"the service redirects (HTTP {status}); check [engine] base_url"
        )
    if status == 429:
        return Outcome(
            kind=SubmitOutcome.RATE_LIMITED, text=said or "too many requests", retry_after=seconds(answer.retry_after)
        )
    if status in REFUSING:
        text = f"{REFUSING[status]} (HTTP {status})" + (f": {said}" if said else "")
        return Outcome(kind=SubmitOutcome.REFUSED, text=text, pause=str(status) if status in (401, 402) else None)
    if status == 503 and error_code(answer.body) == "model_unavailable":
        return Outcome(kind=SubmitOutcome.REFUSED, text=f"the model is not available (HTTP 503): {said}")
    text = f"the service answered HTTP {status}" + (f": {said}" if said else "")
    return Outcome(kind=SubmitOutcome.UNKNOWN, text=text)


def _accepted(answer: Answer) -> Outcome:
    found = remote_id(answer.body) if answer.complete else None
    if found is not None:
        return Outcome(kind=SubmitOutcome.ACCEPTED, text="accepted", remote_id=found)
    why = "its answer has no job id"
    if not answer.complete:
        named = _named(answer.body)
        why = "its answer broke off" + (f" after it had named its job {clean(named)}" if named else "")
    return Outcome(kind=SubmitOutcome.UNKNOWN, text=f"the service said yes (HTTP {answer.status}), but {why}")


def load(body: bytes) -> Any:
    """Return JSON of the service, None if it is none. Hostile nesting is none."""
    try:
        return strict_json.read(body.decode("utf-8"))
    except ValueError:
        return None


def remote_id(body: bytes) -> str | None:
    """Return the id of an accepted job, or None."""
    data = load(body)
    if not isinstance(data, dict):
        return None
    for key in ("job_id", "id"):
        value = data.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and 0 < len(value.strip()) <= MAX_ID and not _has_control(value.strip()):
            return value.strip()
    return None


def names_another(body: bytes, job_id: str) -> str | None:
    """Return the id of the job that an answer is about if that is another one, else None."""
    data = load(body)
    ids = [str(data[key]).strip() for key in ("job_id", "id") if data.get(key)] if isinstance(data, dict) else []
    return clean(ids[0]) if ids and job_id not in ids else None


def _named(body: bytes) -> str | None:
    """Return the id that an answer named before it broke off: a hint for a person, never an id to go on with."""
    found = re.search(rb'"(?:job_id|id)"\s*:\s*"([^"\\]{1,400})"', body)
    return found[1].decode("utf-8", "replace") if found else None


def error_code(body: bytes) -> str | None:
    """Return the service's own code of an error, or None."""
    data = load(body)
    error = data.get("error") if isinstance(data, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None


def error_text(body: bytes) -> str:
    """Return what an error of the service says, as one clean line."""
    data = load(body)
    return _error_of(data) if isinstance(data, dict) else ""


def _error_of(data: Mapping[str, Any]) -> str:
    error = data.get("error") or data.get("message") or data.get("detail")
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error.get("type")
    if error is None:
        return ""
    return clean(redact(error if isinstance(error, str) else json.dumps(error)))  # it may hold the key, or another one


def clean(text: str) -> str:
    """Return text of others as one line without control characters, cut to a length that can be shown."""
    line = " ".join("".join(" " if _is_control(c) else c for c in text[: 4 * MAX_TEXT]).split())
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def _is_control(character: str) -> bool:
    return unicodedata.category(character).startswith("C")  # lone surrogates too: no file or column takes them


def _has_control(text: str) -> bool:
    return any(map(_is_control, text))


def number_of(value: Any) -> float | None:
    """Return a number of the service as a finite float, None for everything else, also for 1 with 400 zeros."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def seconds(retry_after: str | None) -> float | None:
    """Return a Retry-After header in seconds, None if it is missing or a date; the caller clamps it."""
    try:
        value = float(retry_after or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


# Polls


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """An audio URL and what the service says of it."""

    url: str
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Polled:
    """What one poll says of a job."""

    status: str
    done: bool = False
    failed: bool = False
    fraction: float | None = None
    output: Output | None = None
    error: str = ""


def read_poll(body: bytes, *, source_url: str | None = None) -> Polled | None:
    """Read the answer to a poll; None if it is not the state of a job. An unknown status means "still going".

    ``source_url`` is what the job was sent as its source: where the service repeats it, that is not what it made.
    """
    data = load(body)
    if not isinstance(data, dict):
        return None
    status = data.get("status")
    word = clean(status).lower() if isinstance(status, str) else ""
    done = word in _DONE
    output = find_output(data, source_url=source_url)
    if not word and output is None:
        return None
    return Polled(
        status=word,
        # a status that we do not know, with a result beside it, is as good as completed
        done=done or (output is not None and word not in _FAILED and data.get("completed_at") is not None),
        failed=word in _FAILED,
        fraction=_fraction(data.get("progress")),
        output=output,
        error=_error_of(data),
    )


def _fraction(value: Any) -> float | None:
    number = number_of(value)
    return number if number is not None and 0 <= number <= 1 else None


#: Where an audio URL was seen, or may be, in the order in which it is looked for.
OUTPUT_PATHS: Final = (
    ("result", "data"),
    ("result", "audio"),
    ("result", "audio_url"),
    ("result", "url"),
    ("result", "output"),
    ("result", "outputs"),
    ("result", "output_url"),
    ("result", "urls"),
    ("result", "files"),
    ("result",),
    ("data",),
    ("output",),
    ("outputs",),
    ("audio",),
    ("audio_url",),
    ("output_url",),
)


def find_output(data: Mapping[str, Any], *, source_url: str | None = None) -> Output | None:
    """Return the first URL of an audio output, or None. ``source_url`` is none."""
    for path in OUTPUT_PATHS:
        value: Any = data
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        for candidate in _candidates(value):
            if not same(candidate.url, source_url):
                return candidate
    return None


def _candidates(value: Any) -> Iterable[Output]:
    if isinstance(value, str):
        if _is_url(value):
            yield Output(url=value)
    elif isinstance(value, list):
        for item in value[:32]:
            if not isinstance(item, list):  # one level: the shapes seen are flat
                yield from _candidates(item)
    elif isinstance(value, dict) and _may_be_audio(value.get("content_type")):
        for key in ("url", "audio_url", "output_url", "uri"):
            url = value.get(key)
            if _is_url(url):
                yield Output(url=url, seconds=_length(value.get("duration_seconds")))


def _is_url(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value.lower().startswith(_WEB) and not _has_control(value)


def _may_be_audio(kind: Any) -> bool:
    return not isinstance(kind, str) or kind.lower().startswith(("audio/", "application/octet-stream", "binary/"))


def _length(value: Any) -> float | None:
    number = number_of(value)
    return number if number is not None and number > 0 else None
