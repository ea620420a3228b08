"""The sections of ``config.toml``: types, defaults, ranges, and one sentence about each setting.

The sentences are the comments of the default file and the reference in the docs, so that all three say the same.
What pydantic cannot say as a range is said by ``allowed`` in the field's schema.
"""

from __future__ import annotations

import ipaddress
import os
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from bridge_daemon.domain import ids
from bridge_daemon.domain.job import MICRO
from bridge_daemon.domain.models import table
from bridge_daemon.domain.parameters import TABLE, Parameter
from bridge_daemon.domain.request import MOST_MIXED
from bridge_daemon.home.path_policy import text_is_plain
from bridge_daemon.util.text import is_visible

_WINDOWS: bool = os.name == "nt"
SERVICE: Final = "https://api.empiriolabs.ai"


def micro(usd: float) -> int:
    """Return dollars as whole micro-dollars, exactly; what is finer than that is dropped (a limit never grows)."""
    return int((Decimal(repr(usd)) * MICRO).to_integral_value(ROUND_FLOOR))


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine and only this machine. Names are not resolved: DNS may lie."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _loopback(host: str) -> str:
    if not is_loopback(host):
        raise ValueError(
            "must be 127.0.0.1, ::1 or localhost. The bridge spends money, so it listens to this machine only; to "
            "reach it from another one, use an SSH tunnel"
        )
    return host


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("must be a web address that starts with https://")
    if parts.query or parts.fragment:
        raise ValueError("must be a web address without ? and #")
    return url.rstrip("/")


def _service(url: str) -> str:
    url = _web_address(url)
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a name or password; the API key is kept by: daw-bridge key set")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must start with https://, or the API key could be read on the way (http only on loopback)")
    return url


def _database(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme == "postgresql" and parts.path.strip("/") and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("must be like postgresql://room@host/database")
    named = {name.partition("=")[0].lower() for name in parts.query.split("&")}
    if parts.password is not None or named & {"password", "passfile", "sslpassword"}:
        raise ValueError(
            "must not hold a password: it is kept by daw-bridge key studio (in the keyring), or in the file that "
            "PGPASSFILE names"
        )
    return url


def _store(url: str) -> str:
    if not url.lower().startswith("s3:"):
        return _folder(url)
    try:
        parts = urlsplit(url)
        valid = parts.scheme == "s3" and bool(parts.netloc) and "@" not in parts.netloc and parts.port is None
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("must be like s3://bucket/prefix; its credentials are kept by: daw-bridge key s3")
    return url.rstrip("/")


def _folder(path: str) -> str:
    if "\0" in path or not (path.startswith("~") or Path(path).is_absolute()):
        raise ValueError("must be a whole path, or start with ~/")
    try:
        Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError("starts with ~ and a name that no user has") from error
    return path


def _watched(path: str) -> str:
    if _WINDOWS and not text_is_plain(path, windows=True):
        raise ValueError(
            "must begin with the letter of a drive: files are not read by the name of their server, nor from a device; "
            "a shared folder gets a letter by Map Network Drive"
        )
    return _folder(path)


def _folder_or_empty(path: str) -> str:
    return _folder(path) if path else path


def _visible(name: str) -> str:
    if not is_visible(name):
        raise ValueError("must have something in it that can be seen")
    return name


def _model(name: str) -> str:
    # one that is not in the table may be new at the service: its catalogue is asked, and until then nothing is sent
    if not ids.is_model(name):
        raise ValueError(f"must be {_MODELS}")
    return name


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # TOML and JSON have lists, frozen things have tuples


_T = TypeVar("_T")
Port = Annotated[int, Field(ge=0, le=65535)]
Usd = Annotated[float, Field(ge=0, le=1_000_000)]
Midi = Annotated[int, Field(ge=0, le=127)]
Loopback = Annotated[str, AfterValidator(_loopback), Field(json_schema_extra={"allowed": "a loopback address"})]
ServiceUrl = Annotated[str, AfterValidator(_service), Field(json_schema_extra={"allowed": "a web address, https"})]
WebAddress = Annotated[str, AfterValidator(_web_address), Field(json_schema_extra={"allowed": "a web address"})]
DatabaseUrl = Annotated[
    str, AfterValidator(_database), Field(json_schema_extra={"allowed": "like postgresql://room@host/database"})
]
StoreUrl = Annotated[
    str,
    AfterValidator(_store),
    Field(json_schema_extra={"allowed": "s3://bucket/prefix, or the whole path of a folder"}),
]
RoomName = Annotated[str, Field(pattern=rf"^{ids.CLIENT}$", json_schema_extra={"allowed": "1 to 40 of a-z, 0-9 and -"})]
Folder = Annotated[str, AfterValidator(_folder), Field(json_schema_extra={"allowed": "a whole path, or one from ~"})]
Watched = Annotated[str, AfterValidator(_watched), Field(json_schema_extra={"allowed": "a whole path, or one from ~"})]
_MODELS = ", ".join(f'"{name}"' for name in table()) + " or another name that the service has"
ModelName = Annotated[str, AfterValidator(_model), Field(json_schema_extra={"allowed": _MODELS})]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_visible)]
CommandLine = Annotated[str, Field(min_length=1, max_length=2000)]  # with the token of a tunnel in it
Many = Annotated[tuple[_T, ...], BeforeValidator(_tuple)]


class Section(BaseModel):
    """Frozen, strict (no text for a number), and without room for unknown keys.

    Its checks are built when it is used: mostly as part of those of all settings, once, and not alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Engine(Section):
    """What generates the audio."""

    name: Literal["auto", "empiriolabs", "sketch"] = Field(
        default="auto",
        description="The cloud service, or the built-in sketch engine (free); auto: the cloud once a key is set.",
    )
    base_url: ServiceUrl = Field(default=SERVICE, description="Where the cloud service is.")
    model: ModelName = Field(default="stable-audio-2-0", description="The model asked when a request names none.")
    requests_per_minute: int = Field(
        default=50,
        ge=12,
        le=10_000,
        description="Calls to the service in a minute, all together; the account allows 50.",
    )
    max_open_jobs: int = Field(
        default=8, ge=1, le=64, description="Jobs at the service at one time; more of them wait."
    )


class ClientLimit(Section):
    """What one client may spend."""

    name: Annotated[str, Field(pattern=f"^{ids.CLIENT}$")] = Field(
        description="Name of the client, used once.", json_schema_extra={"allowed": "1 to 40 of a-z, 0-9 and -"}
    )
    per_day_usd: Usd = Field(description="Spent by it on one day at most; 0 spends nothing.")
    per_month_usd: Usd = Field(description="Spent by it in one month at most; 0 spends nothing.")


class Spend(Section):
    """What may be spent (US dollars)."""

    per_day_usd: Usd = Field(default=10.0, description="Spent on one day at most; 0 spends nothing.")
    per_month_usd: Usd = Field(default=50.0, description="Spent in one month at most; 0 spends nothing.")
    confirm_above_usd: Usd = Field(
        default=2.0, description="A request that costs more than this is sent only when it is confirmed."
    )
    clients: Many[ClientLimit] = Field(default=(), description="Clients with limits of their own, below these.")

    @property
    def per_day_micro(self) -> int:
        """The day's limit in micro-dollars."""
        return micro(self.per_day_usd)

    @property
    def per_month_micro(self) -> int:
        """The month's limit in micro-dollars."""
        return micro(self.per_month_usd)

    @property
    def confirm_above_micro(self) -> int:
        """In micro-dollars, what a request may cost unasked."""
        return micro(self.confirm_above_usd)


class JournalSettings(Section):
    """Where the journal is: in the home, or in the PostgreSQL of a studio."""

    url: DatabaseUrl | None = Field(
        default=None,
        description="The database that all rooms of a studio share; left out: a file in the home. Its password is "
        "kept by: daw-bridge key studio.",
    )
    room: RoomName | None = Field(
        default=None, description="Name of this room in the studio; left out: the name in the address."
    )


class StoreSettings(Section):
    """Where the bridges of a studio give each other sources and takes."""

    url: StoreUrl | None = Field(
        default=None,
        description="What all rooms and keepers share: s3://bucket/prefix (credentials: daw-bridge key s3), or a "
        "folder of a file server.",
    )
    s3_endpoint: WebAddress | None = Field(default=None, description="The S3 service; left out: AWS.")
    s3_region: Name | None = Field(
        default=None, description="Region of the bucket; left out: AWS_REGION, else what the store names."
    )
    keep_days: float = Field(
        default=7.0,
        ge=0,
        le=3650,
        description="Sources are kept for so many days after their job has ended. A take goes as soon as its room "
        "has it.",
    )


class Defaults(Section):
    """What a request does not say."""

    duration: float = Field(default=30.0, ge=1, le=190, description="Length of a take, in seconds.")
    strength: float = Field(default=0.5, ge=0, le=1, description="How strongly the source counts in a transform.")
    valid_for: float = Field(
        default=600.0, gt=0, le=604_800, description="A request that waited longer, in seconds, is not sent by itself."
    )


class Publish(Section):
    """How the service reaches the source of a transform."""

    method: Literal["auto", "s3", "public_url", "upload"] = Field(
        default="auto",
        description="The way to publish a source; auto: s3 where a bucket is set, else public_url where that is set.",
    )
    ttl_s: int = Field(
        default=86_400, ge=60, le=604_800, description="How long a source can be fetched at most, in seconds."
    )
    source_port: Port = Field(
        default=9132, description="Port (loopback) that serves sources and nothing else; 0: any free one."
    )
    public_base_url: WebAddress | None = Field(
        default=None, description="Where the world reaches source_port, when a tunnel or proxy of yours leads there."
    )
    tunnel_command: CommandLine | None = Field(
        default=None,
        description='A program that opens a tunnel to source_port when one is needed: "cloudflared", "ngrok" or '
        '"tailscale" alone, or a command line, in which {port} and {url} stand for where sources are served.',
    )
    s3_endpoint: WebAddress | None = Field(default=None, description="The S3 service; left out: AWS.")
    s3_region: Name | None = Field(
        default=None, description="Region of the bucket; left out: AWS_REGION of the environment, else us-east-1."
    )
    s3_bucket: Name | None = Field(
        default=None, description="Bucket that sources are put into; its credentials: daw-bridge key s3."
    )
    s3_prefix: str = Field(
        default="daw-bridge/", max_length=200, description="Start of the name of each source in the bucket."
    )


class Osc(Section):
    """OSC, for controllers and DAW scripts."""

    enabled: bool = Field(default=True, description="Whether the bridge listens to OSC.")
    host: Loopback = Field(default="127.0.0.1", description="Address of the OSC port; this machine only.")
    port: Port = Field(default=9130, description="OSC port (UDP); 0: any free one.")


class Http(Section):
    """The page and the API."""

    host: Loopback = Field(default="127.0.0.1", description="Address of the page and the API; this machine only.")
    port: Port = Field(default=9131, description="Port of the page and the API; 0: any free one.")


class Metrics(Section):
    """Metrics for who watches machines."""

    port: Port | None = Field(
        default=None,
        description="Port (loopback) of metrics in OpenMetrics; left out: none; 0: any free one. Needs "
        "daw-bridge[metrics].",
    )


class Audio(Section):
    """Files."""

    library: Folder | None = Field(
        default=None, description="Folder of the takes; left out: daw-bridge in your music folder."
    )
    read_roots: Many[Folder] = Field(
        default=("~",),
        description="Folders that sources may be read from (hidden and system folders in them never are).",
    )
    measure: bool = Field(
        default=True,
        description="Whether the tempo, first beat and loudness of each take are measured, in a process of its own.",
    )
    keep_sources_days: int = Field(
        default=30,
        ge=1,
        le=36_500,
        description="Days that the bridge keeps its copies of sources; takes are kept for ever.",
    )


class Light(Section):
    """Values sent back to a pad, to light it."""

    idle: Midi | None = Field(default=None, description="Nothing happens.")
    armed: Midi | None = Field(default=None, description="A press would spend money.")
    working: Midi | None = Field(default=None, description="A job of this binding is on its way.")
    done: Midi | None = Field(default=None, description="The take is there.")
    refused: Midi | None = Field(default=None, description="The press was refused.")


class Binding(Section):
    """One pad, key or knob."""

    name: Name = Field(description="Name of the binding, used once.")
    port: Name = Field(description="MIDI input, by name; * and ? stand for anything.")
    message: Literal["note_on", "control_change", "program_change"] = Field(
        default="note_on", description="What it sends."
    )
    channel: int | None = Field(default=None, ge=1, le=16, description="MIDI channel; left out: any.")
    number: Midi | None = Field(default=None, description="Note, controller or program; left out: any.")
    low: Midi | None = Field(default=None, description="Least velocity or value that counts.")
    high: Midi | None = Field(default=None, description="Greatest velocity or value that counts.")
    action: Literal["preset", "set", "cancel", "deliver", "arm", "disarm", "panic"] = Field(
        default="preset", description="What it does."
    )
    preset: Name | None = Field(default=None, description="The preset that it plays.")
    parameter: Name | None = Field(default=None, description="The parameter that it sets.")
    min: float | None = Field(default=None, description="The parameter at the low end of the knob.")
    max: float | None = Field(default=None, description="The parameter at the high end of the knob.")
    mode: Literal["absolute", "relative"] = Field(default="absolute", description="Kind of knob.")
    encoding: Literal["twos_complement", "binary_offset", "sign_bit"] = Field(
        default="twos_complement", description="How a relative knob tells left from right; midi learn finds out."
    )
    bits: Literal[7, 14] = Field(default=7, description="Resolution of the controller.")
    source: Annotated[str, Field(pattern=r"^(newest_take|selection|folder:.+)$")] | None = Field(
        default=None,
        description="Where a transform takes its audio from.",
        json_schema_extra={"allowed": '"newest_take", "selection" or "folder:<name>"'},
    )
    job: Annotated[str, Field(pattern=f"^{ids.JOB}$")] | None = Field(
        default=None,
        description="The job whose take is delivered; left out: the newest one, of the preset and client named here.",
        json_schema_extra={"allowed": "the id of a job"},
    )
    client: Annotated[str, Field(pattern=f"^{ids.CLIENT}$")] | None = Field(
        default=None,
        description="The client that gets the take; left out: the connected one whose transport last played.",
        json_schema_extra={"allowed": "1 to 40 of a-z, 0-9 and -"},
    )
    track: Name | None = Field(default=None, description="The track that gets the take.")
    when: Literal["press", "press_bar", "arrival_bar"] = Field(
        default="press", description="Where on the time line it goes."
    )
    bars: int | None = Field(default=None, ge=1, le=999, description="Length of the take, in bars.")
    launch: Literal["none", "quantized"] = Field(default="none", description="Whether a clip starts by itself.")
    confirm: Literal["none", "hold", "twice"] = Field(default="none", description="How a press is confirmed.")
    hold_ms: int = Field(default=500, ge=50, le=10_000, description="How long a press is held to confirm it, in ms.")
    repeat_ms: int = Field(
        default=500, ge=0, le=60_000, description="A press so soon after the last one does not count, in ms."
    )
    velocity_to: Name | None = Field(default=None, description="A parameter that the velocity sets.")
    light: Light | None = Field(default=None, description="What is sent back to the pad; left out: nothing.")


class MidiSettings(Section):
    """MIDI controllers."""

    enabled: bool = Field(default=True, description="Whether the bridge opens the MIDI ports that are named here.")
    arm_at_start: bool = Field(default=False, description="Whether pads may spend money as soon as the bridge runs.")
    arm_minutes: float = Field(default=60.0, gt=0, le=1440, description="How long arming lasts, in minutes.")
    arm_budget_usd: Usd = Field(default=5.0, description="What may be spent in one arming, in US dollars.")
    clock_port: str = Field(default="", max_length=200, description="MIDI input with the clock to follow; empty: none.")
    bindings: Many[Binding] = Field(default=(), description="Pads, keys and knobs.")

    @property
    def arm_budget_micro(self) -> int:
        """What may be spent in one arming, in micro-dollars."""
        return micro(self.arm_budget_usd)


def _meter(text: str) -> str:
    numerator, _, denominator = text.partition("/")
    if not (_whole(numerator, 99) and _whole(denominator, 64)):
        raise ValueError("must be a time signature, such as 4/4 or 6/8")
    return text


def _whole(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= most


class ClockSettings(Section):
    """Tempo and bars, where a DAW does not tell them itself."""

    link: bool = Field(
        default=False, description="Whether the tempo of an Ableton Link session is heard; needs daw-bridge[link]."
    )
    meter: Annotated[str, AfterValidator(_meter)] = Field(
        default="4/4",
        description="Time signature where nothing tells one: MIDI clock and Link do not.",
        json_schema_extra={"allowed": "a time signature, such as 4/4 or 6/8"},
    )
    time_code_start: float = Field(
        default=0.0,
        ge=0,
        lt=86_400,
        description="MIDI time code at the start of the project, in seconds; 3600 where sessions begin at one hour.",
    )

    @property
    def meter_numbers(self) -> tuple[int, int]:
        """The meter as its two numbers."""
        numerator, denominator = self.meter.split("/")
        return int(numerator), int(denominator)


class Music(Section):
    """What a prompt is told of the music that the take is for."""

    in_prompt: bool = Field(
        default=False,
        description="Whether the tempo and key of a request are added to its prompt, where it names none.",
    )


class WatchedFolder(Section):
    """A folder whose renders become requests."""

    name: Name = Field(description="Name of the folder, used once.")
    path: Watched = Field(description="The folder.")
    preset: Name | None = Field(default=None, description="The preset used for what lies there.")
    spend: bool = Field(default=False, description="Whether a render that appears there may cost money.")
    max_batch: int = Field(default=3, ge=1, le=100, description="More renders at once than this ask first.")
    results: Annotated[str, AfterValidator(_folder_or_empty)] = Field(
        default="",
        description='Where takes go; empty: a folder beside it, "Renders takes" for "Renders".',
        json_schema_extra={"allowed": "a path"},
    )

    @property
    def results_path(self) -> Path:
        """The folder where takes go."""
        path = Path(self.path).expanduser()
        return Path(self.results).expanduser() if self.results else path.with_name(f"{path.name} takes")


def _preset_field(one: Parameter) -> tuple[Any, Any]:
    """Return a parameter as a setting; ranges of the model are checked once that is known."""
    kind: Any = ModelName if one.name == "model" else one.type
    if one.kind == "choice":
        kind = Annotated[str | float, BeforeValidator(one.chosen)]
        limits: dict[str, Any] = {"json_schema_extra": {"allowed": one.range}}
    elif one.kind == "text":
        limits = {} if one.name == "model" else {"max_length": one.longest}
    elif one.by_model:
        limits = {"json_schema_extra": {"allowed": one.range}}
    else:
        limits = {"le": one.high, "gt" if one.low_excluded else "ge": one.low}
    return kind | None, Field(default=None, description=one.meaning, **limits)


class _PresetAction(Section):
    action: Literal["generate", "transform"] | None = Field(default=None, description="What it does.")
    source: Literal["take"] | None = Field(
        default=None, description="Transforms a take: of the presets in of, which are made first; else the newest."
    )
    of: Many[Name] | None = Field(
        default=None,
        max_length=MOST_MIXED + 1,
        description="Presets whose takes, laid over each other, are its source. One press makes and pays for all.",
    )


if TYPE_CHECKING:

    class _PresetParameters(_PresetAction):
        # what the code names itself; the table has more
        prompt: str | None = None
        model: str | None = None
        valid_for: float | None = None
        continue_from: float | None = None
        fit: str | None = None
        loudness: str | float | None = None

else:
    _PresetParameters = create_model(
        "_PresetParameters",
        __base__=_PresetAction,
        **{one.name: _preset_field(one) for one in TABLE if "preset" in one.set_by},
    )


class Preset(_PresetParameters):
    """A request under a name. What it leaves out is taken from the request, then from [defaults]."""
