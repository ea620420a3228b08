"""The steps of the first run, for the command line and the page: what each does, whether it is done, and doing it.

What can be seen (a key, an installed script, a service) is looked at each time. What cannot (limits that somebody
agreed to, a trial that passed) is noted in ``setup.json`` of the home. So the steps may be stopped and run again.

All functions but :func:`ask_service` may block.
"""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from bridge_daemon.domain.models import table
from bridge_daemon.errors import BridgeError, Fault, InvalidRequest
from bridge_daemon.home import api_key
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.settings import edit
from bridge_daemon.settings.file import create_default, read_text
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.files import read_shared, write_whole

Data = dict[str, Any]
Progress = Literal["done", "skipped", "open"]
#: Tunnel programs that are known by name, and where a person gets them.
TUNNELS: Final = {
    "cloudflared": "free, no account: brew install cloudflared, winget install Cloudflare.cloudflared",
    "ngrok": "free account: ngrok.com/download, then once: ngrok config add-authtoken ...",
    "tailscale": "free account: tailscale.com/download, with Funnel switched on",
}
_RECORD: Final = "setup.json"


@dataclass(frozen=True, slots=True)
class Step:
    """One step."""

    key: str  #: stays
    title: str
    what: str  #: what it does, before it does it
    alone: str  #: the command that does this alone


STEPS: Final = (
    Step("key", "API key", "Checks your key of the cloud service (free) and keeps it in the keyring. Without a key the "
         "sketch engine makes the takes, free of charge.", "daw-bridge key set"),
    Step("limits", "Limits", "Sets how much may be spent in a day and in a month, and above which price you are asked.",
         "daw-bridge config path"),
    Step("start", "Start", "Starts the bridge in the background. It goes on when this window is closed.",
         "daw-bridge start"),
    Step("sources", "Audio to audio", "Chooses how the cloud service fetches the audio that you transform, and tries "
         "it with a made-up sound, free of charge. Text to audio and the sketch engine need none of it.",
         "daw-bridge setup --step sources"),
    Step("daws", "DAWs", "Puts the actions into REAPER and Ardour, and the devices into Ableton Live.",
         "daw-bridge install"),
    Step("folders", "Watched folder", "Watches a folder of renders. Each waits until you start it.",
         "daw-bridge setup --step folders"),
    Step("midi", "MIDI", "Lets a pad or key play a preset.", "daw-bridge midi learn NAME --preset PRESET"),
    Step("service", "Start at login", "Starts the bridge at each login, and again when it dies. No administrator is "
         "needed.", "daw-bridge service install"),
    Step("test", "Test", "Makes two takes through the whole way with the sketch engine, on a home of their own, and "
         "removes them. It cannot cost anything.", "daw-bridge demo"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StepState:
    """How a step stands."""

    step: Step
    state: Progress
    text: str

    def as_dict(self) -> Data:
        """Return it for ``--json`` and the page."""
        return asdict(self.step) | {"state": self.state, "text": self.text}


def look(home: Home, status: Data | None) -> list[StepState]:
    """Return how each step stands; ``status`` is what the running daemon tells, None: it does not run.

    Raises:
        SettingsInvalid: config.toml has a fault.
    """
    settings, noted = Settings.load(home), _noted(home)
    found: dict[str, tuple[bool, str]] = {
        "key": _key(home),
        "limits": (noted.get("limits") == "done", limits_of(settings)),
        "start": (status is not None, f"runs at {status['http_url']}" if status else "it does not run"),
        "sources": (noted.get("sources") == "done", sources_of(settings) or "no way is chosen"),
        "daws": _daws(home),
        "folders": (bool(settings.folders), ", ".join(one.name for one in settings.folders) or "none is watched"),
        "midi": (bool(settings.midi.bindings or settings.midi.clock_port), f"{len(settings.midi.bindings)} binding(s)"),
        "service": _service(home),
        "test": (noted.get("test") == "done", "passed" if noted.get("test") == "done" else "not made"),
    }

    def one(step: Step) -> StepState:
        done, text = found[step.key]
        state: Progress = "done" if done else "skipped" if noted.get(step.key) == "skipped" else "open"
        return StepState(step, state, text)

    return [one(step) for step in STEPS]


def note(home: Home, key: str, how: Literal["done", "skipped"]) -> None:
    """Note that a step is done, or was skipped. The home must be prepared."""
    known = _record(home) | {key: {"how": how, "at": round(time.time())}}
    write_whole(home.path / _RECORD, json.dumps(known, indent=2).encode(), point="setup")


def _record(home: Home) -> Data:
    try:
        known = json.loads(read_shared(home.path / _RECORD))
    except (OSError, ValueError, RecursionError):
        return {}  # the steps are asked for once more, which does no harm
    return known if isinstance(known, dict) else {}


def _noted(home: Home) -> dict[str, str]:
    return {key: str(one.get("how")) for key, one in _record(home).items() if isinstance(one, dict)}


def limits_of(settings: Settings) -> str:
    """Return the limits in words."""
    spend = settings.spend
    return (
        f"${spend.per_day_usd:.2f} a day, ${spend.per_month_usd:.2f} a month, asks above ${spend.confirm_above_usd:.2f}"
    )


def sources_of(settings: Settings) -> str | None:
    """Return the way for sources in words; None where none is chosen."""
    publish = settings.publish
    if publish.method == "upload":
        return "the service's upload"
    if publish.s3_bucket and publish.method in ("auto", "s3"):
        return f"the bucket {publish.s3_bucket}"
    if publish.tunnel_command:
        return f"a tunnel by {publish.tunnel_command.split()[0]}"
    return publish.public_base_url


def _key(home: Home) -> tuple[bool, str]:
    try:
        found = KeyStore(home).get()
    except BridgeError as error:
        return False, error.message
    return found is not None, f"there is one ({found.where})" if found else "there is none"


def _daws(home: Home) -> tuple[bool, str]:
    from bridge_daemon.install.machine import Machine
    from bridge_daemon.install.target import states

    found = [state for target in targets() for state in states(target, Machine.this(), home)]
    missing = [state.place.title for state in found if state.version is None or state.outdated]
    if not found:
        return False, "no REAPER, no Live and no Ardour was found"
    if missing:
        return False, f"not in this version in: {', '.join(missing)}"
    return True, f"up to date in: {', '.join(state.place.title for state in found)}"


def targets() -> list[Any]:
    """Return the DAWs that something can be installed into."""
    from bridge_daemon.install import daws

    return list(daws.targets())


def _service(home: Home) -> tuple[bool, str]:
    from bridge_daemon.install import service

    manager = service.supervisor(home)
    there = manager.file.exists()
    return there, f"{manager.kind}, {manager.file}" if there else "it does not start at login"


# --- doing it


async def ask_service(settings: Settings, value: str) -> tuple[bool | None, str]:
    """Ask the service, free of charge, whether it accepts a key: yes, no or not known, and its words."""
    from bridge_daemon.engine.client import PollSession
    from bridge_daemon.engine.protocol import error_text

    polls = PollSession()
    try:
        answer = await polls.model(settings.engine.base_url, settings.engine.model, value)
    finally:
        await polls.close()
    if isinstance(answer, Exception):
        return None, f"the service could not be reached ({type(answer).__name__})"
    valid = {200: True, 401: False, 403: False}.get(answer.status)
    return valid, "the service accepts it" if valid else error_text(answer.body) or f"HTTP {answer.status}"


def proved_form(value: str) -> str:
    """Return a key without white space around it. Raises InvalidRequest where it cannot be one."""
    try:
        return api_key.check(value)
    except ValueError as error:
        raise InvalidRequest([Fault("key", None, f"this is no API key: {error}")]) from None


def price_text(settings: Settings) -> str:
    """Return what a generation costs by our table."""
    model = table().get(settings.engine.model)
    return f"${model.price(None) / 1_000_000:.2f}" if model is not None else "what the service's catalogue tells"


def change(home: Home, patch: Data) -> None:
    """Change config.toml: all or nothing, with its comments kept. The home must be prepared.

    Raises:
        InvalidRequest: a value is not allowed, or the environment sets it.
    """
    create_default(home)
    edit.change(home, patch, by_session=False)


def sources_patch(choice: str) -> Data:
    """Return the change of [publish] for a choice: a tunnel program, ``upload``, an https address, a command line.

    Raises:
        InvalidRequest: it is an address that the service does not take.
    """
    nothing: Data = {"tunnel_command": None, "public_base_url": None}
    if choice == "upload":
        return {"publish": nothing | {"method": "upload"}}
    if "://" in choice.split(" ")[0]:
        if not choice.startswith("https://"):
            raise InvalidRequest([Fault("way", choice, "must be a tunnel program, upload or an https address")])
        return {"publish": nothing | {"method": "auto", "public_base_url": choice}}
    return {"publish": nothing | {"method": "auto", "tunnel_command": choice}}


def trial_text(way: str | None, told: Mapping[str, Any]) -> str:
    """Return what came of trying a way for sources, in words."""
    if not told["tried"]:
        return f"{way}; not tried, for what lies there cannot be taken back"
    return f"{way}: a sound came back by its public address in {told['seconds']:.1f} s"


def is_installed(program: str) -> bool:
    """Tell whether a program is on the search path."""
    return shutil.which(program) is not None


def folder_patch(home: Home, folder: Path, preset: str | None) -> Data:
    """Return the change that watches one more folder, which has to be there. Raises InvalidRequest."""
    path = folder.expanduser().absolute()
    if not path.is_dir():
        raise InvalidRequest([Fault("folder", str(path), "must be a folder that is there")])
    _, text = read_text(home)
    known: list[Mapping[str, Any]] = tomllib.loads(text).get("folders", [])
    taken = {str(one.get("name")) for one in known}
    name, number = path.name, 1
    while name in taken:
        number += 1
        name = f"{path.name} {number}"
    return {"folders": [*known, {"name": name, "path": str(path)} | ({"preset": preset} if preset else {})]}
