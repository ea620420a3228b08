"""What the stand-in knows: its settings, its clock, its scripts, and everything that it saw."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.fakes import words

TABLES = {"post": words.POST, "poll": words.POLL, "download": words.DOWNLOAD, "catalogue": words.CATALOGUE}


@dataclass
class Charge:
    """Money spent: one POST that was accepted."""

    remote_id: str
    body: dict[str, Any]
    at: float


@dataclass
class Post:
    """One POST to the generations, as it came."""

    at: float
    head: str
    raw: str  # the body; bytes that are no UTF-8 as lone surrogates
    fresh: bool  # the first request on its connection
    body: Any = None
    word: str = "refused"  # what was done with it
    charged: bool = False


@dataclass
class Job:
    """One generation. It is finished ``seconds`` after it was created, by the clock of the service."""

    remote_id: str
    body: dict[str, Any]
    created_at: float
    seconds: float
    looking: bool = False  # its source is being fetched
    failed: bool = False
    error: Any = None
    forgotten: bool = False
    polls: int = 0

    @property
    def extension(self) -> str:
        return str(self.body.get("output_format", "mp3"))  # the page's default


@dataclass(kw_only=True)
class Settings:
    """Everything that may be set, at the start or (but for ``port`` and ``state_file``) at any time later."""

    key: str = "sk-empiriolabs-test"
    port: int = 0
    state_file: str | Path | None = None
    models: Sequence[str] = ("stable-audio-2-0",)
    time_scale: float = 1.0  # seconds of the service in one second
    job_seconds: float | Sequence[float] | Callable[[dict[str, Any]], float] = 0.0  # a list: one each, the last stays
    progress: bool = True  # False: the key is missing while the job goes on
    result_shape: str = "data_url"
    #: What a signed URL has besides: the target is signed over its exact bytes, and 403 says that it was rewritten.
    url_path: str = "/a%20%28take%29%7E%3a%2F.wav"
    url_query: str = "&Policy=a%2Fb%2Bc~%7e&empty=&flag&dot=../.&dot=%2E"
    hostile_url: str | None = None  # answered instead of the signed URL
    kept_seconds: float = 3600.0  # a finished job is forgotten after this
    url_seconds: float = 7 * 86400.0  # a signed URL ends after this
    enforce_rate: bool = False
    rate_per_minute: int = 50
    retry_after: str | None = None  # of the 429 of enforce_rate
    source_trouble: str = "refuse"  # or "fail": accepted and charged, then the job fails
    source_timeout: float = 10.0
    upload: str = "gone"  # or "path", "url", "in two parts", "html", or an HTTP status
    take_seconds: float | None = 1.0  # None: as long as was asked for
    told_seconds: float | None = None  # what it says of that; None: the truth
    take_rate: int = 44100
    take_channels: int = 2
    take_bits: int = 16  # of a WAV
    price_rows: Any = None  # None: the page's; see prices()
    replaces: Sequence[str] = ()  # models whose catalogue lists audio-inpaint
    mask: tuple[str, str] = ("mask_start", "mask_end")  # how those call the edges of a region
    catalogues: dict[str, dict[str, Any]] = field(default_factory=dict)  # what is told of a model instead
    catalogue_extra: dict[str, Any] = field(default_factory=dict)


class Memory(Settings):
    """Settings, clock, scripts and lists. ``Service`` adds the sockets."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.url = ""
        self.charges: list[Charge] = []
        self.posts: list[Post] = []
        self.jobs: dict[str, Job] = {}
        self.downloads: list[dict[str, Any]] = []  # at, name, head, word
        self.fetches: list[dict[str, Any]] = []  # of sources: at, url, status, type, size, trouble
        self.requests: list[tuple[float, str, str]] = []  # at, method, target: everything but /_fake
        self.violations: list[str] = []
        self.uploads: dict[str, str | None] = {}  # name that was answered → what is wrong with the audio
        self.nonsense = 0  # how far progress_nonsense came
        self._scripts: dict[str, deque[tuple[str, str]]] = {name: deque() for name in TABLES}
        self._base, self._zero = time.time(), time.monotonic()
        self._load()

    def now(self) -> float:
        """Return the time of the service: seconds since the epoch, going ``time_scale`` times as fast."""
        return self._base + (time.monotonic() - self._zero) * self.time_scale

    def advance(self, seconds: float) -> None:
        """Set the clock of the service forward."""
        self._base += seconds

    def script_post(self, *texts: str) -> None:
        self._script("post", texts)

    def script_poll(self, *texts: str) -> None:
        self._script("poll", texts)

    def script_download(self, *texts: str) -> None:
        self._script("download", texts)

    def script_catalogue(self, *texts: str) -> None:
        self._script("catalogue", texts)

    def _script(self, queue: str, texts: Sequence[str]) -> None:
        self._scripts[queue] += [item for text in texts for item in words.parse(text, TABLES[queue])]

    def prices(self, generation: Any = "$0.58", step: Any = "$0.00") -> None:
        """Set the catalogue's rates: text as on the page, or numbers."""
        rows = (("Base Cost", "per generation", generation), ("Per Step Cost", "per step", step))
        self.price_rows = [{"type": kind, "spec": spec, "rate": rate} for kind, spec, rate in rows]

    def forget(self, remote_id: str) -> None:
        """Answer 404 for this job from now on."""
        self.jobs[remote_id].forgotten = True

    def busiest_minute(self) -> int:
        """Return the greatest number of requests to /v1 within 60 s of the service's time."""
        times = [at for at, _, target in self.requests if target.startswith("/v1/")]
        return max((sum(start <= at < start + 60 for at in times) for start in times), default=0)

    def control(self, order: dict[str, Any]) -> None:
        """Do what ``POST /_fake/script`` asks: queues of words, ``set``, ``advance``, ``forget``, ``clear``."""
        if not isinstance(order, dict):
            raise TypeError("not an object")
        if unknown := set(order) - {*TABLES, "set", "advance", "forget", "clear"}:
            raise ValueError(f"unknown: {sorted(unknown)}")
        if order.get("clear"):
            for queue in self._scripts.values():
                queue.clear()
        for name in TABLES:
            self._script(name, order.get(name, ()))
        for name, value in order.get("set", {}).items():
            if name not in {f.name for f in fields(Settings)} - {"port", "state_file"}:
                raise ValueError(f"no setting {name!r}")
            setattr(self, name, value)
        self.advance(order.get("advance", 0.0))
        for remote_id in order.get("forget", ()):
            self.forget(remote_id)

    def state(self) -> dict[str, Any]:
        """Return all that was seen, as plain data."""
        state: dict[str, Any] = {name: [asdict(one) for one in getattr(self, name)] for name in ("charges", "posts")}
        state["jobs"] = {name: asdict(job) for name, job in self.jobs.items()}
        state["polls"] = sum(job.polls for job in self.jobs.values())
        state |= {name: getattr(self, name) for name in ("downloads", "fetches", "requests", "violations")}
        left = {name: [":".join(filter(None, item)) for item in queue] for name, queue in self._scripts.items()}
        return state | {"now": self.now(), "left": left}

    def save(self) -> None:
        """Write the state file, if there is one: whole or not at all."""
        if self.state_file is not None:
            path = Path(self.state_file)
            part = path.with_name(path.name + ".part")
            part.write_text(json.dumps(self.state()), encoding="utf-8")
            part.replace(path)

    def _load(self) -> None:
        if self.state_file is None or not Path(self.state_file).exists():
            return
        state = json.loads(Path(self.state_file).read_text(encoding="utf-8"))
        self.charges = [Charge(**one) for one in state["charges"]]
        self.posts = [Post(**one) for one in state["posts"]]
        self.jobs = {name: Job(**one | {"looking": False}) for name, one in state["jobs"].items()}
        self.downloads, self.fetches = state["downloads"], state["fetches"]
        self.requests, self.violations = [tuple(one) for one in state["requests"]], state["violations"]
        self._base = max(self._base, state["now"])
