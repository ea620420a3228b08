"""A short look at Windows: the wheel in a genuine Windows Python on a machine made for it, and a day of its user."""

from __future__ import annotations

import json
import re
import struct
import sys
import tempfile
import time
import uuid
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.windows.machine import ROOT, Machine
from tests.windows.wine import Wine
from tools.windows_python import NotAvailable

#: What runs longer than this is ended, s. All of it together takes three minutes alone on a machine, and five times as
#: long on one where two others run their tests; what hangs is not there after ten minutes either.
LONGEST = 600.0
_SETTINGS = """
[presets.strings]
action = "transform"
prompt = "string quartet"

[[folders]]
name = "renders"
path = {path}
preset = "strings"
"""


class Failed(AssertionError):
    """Something was not as it should be."""


def smoke(version: str) -> int:
    """Do it all on a machine in a temporary folder; return the exit code."""
    begun = time.monotonic()
    # not where a cleaner of temporary files or a long path gets in the way of a disk of Windows
    with tempfile.TemporaryDirectory(prefix="daw-bridge-windows-", ignore_cleanup_errors=True) as folder:
        machine = Machine(Wine(Path(folder) / "prefix"), version)
        with machine.wine.on():
            try:
                machine.install(ROOT / "requirements.txt")
            except NotAvailable as error:
                say(f"Windows is not tested: there is no Python for it ({error}).")
                return 0
            say(f"Windows: a machine with Python {version} and the wheel: {time.monotonic() - begun:.0f} s")
            steps = (demo, run_and_settings, killed, background, folders, inbox, keys, installs)
            return walk("Windows", User(machine), steps, begun)


def walk(title: str, user: User, steps: Sequence[Callable[..., object]], begun: float, *given: Any) -> int:
    """Do one step after the other and tell how long each took; return the exit code."""
    for step in steps:
        since = time.monotonic()
        try:
            step(user, *given)
        except (Failed, TimeoutError) as error:
            say(f"{title}: {step.__name__} failed: {error}\n{user.log()}")
            return 1
        say(f"{title}: {step.__name__} in {time.monotonic() - since:.0f} s")
    say(f"{title}: all is well after {time.monotonic() - begun:.0f} s.")
    return 0


@dataclass
class User:
    """A person at a Windows machine whose name and folders have accents and spaces."""

    machine: Machine

    @property
    def folder(self) -> Path:
        return self.machine.wine.drive / "users" / "Zoë Ünal"

    @property
    def home(self) -> Path:
        return self.folder / "my bridge"

    def env(self) -> dict[str, str]:
        there = self.machine.wine.windows_path
        return {
            "DAW_BRIDGE_HOME": there(self.home),
            "USERPROFILE": there(self.folder),
            "APPDATA": there(self.folder / "AppData" / "Roaming"),
            "DAW_BRIDGE_ENGINE__NAME": "sketch",
            "DAW_BRIDGE_HTTP__PORT": "0",
            "DAW_BRIDGE_OSC__PORT": "0",
            "DAW_BRIDGE_PUBLISH__SOURCE_PORT": "0",
        }

    def bridge(self, *words: str) -> str:
        """Run a command, which has to end well; return what it printed."""
        code, said = self.machine.wine.run(self.machine.program("daw-bridge"), *words, env=self.env(), longest=LONGEST)
        must(code == 0, f"daw-bridge {' '.join(words)} ended with {code}: {said}")
        return said

    def json(self, *words: str) -> Any:
        said = self.bridge(*words, "--json")  # and how far it is, on the other stream
        begin = re.search(r"^[\[{]", said, re.MULTILINE)
        must(begin, said)
        return json.JSONDecoder().raw_decode(said, begin.start() if begin else 0)[0]

    def runtime(self) -> Any:
        file = self.home / "runtime.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def log(self) -> str:
        file = self.home / "logs" / "daemon.log"
        return file.read_text(encoding="utf-8")[-3000:] if file.exists() else ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """A bridge that runs, and is killed in the end as the task manager does it."""
        (self.home / "runtime.json").unlink(missing_ok=True)
        with self.machine.wine.popen(self.machine.program("daw-bridge"), "run", env=self.env(), quiet=True) as process:
            try:
                told = await_(self.runtime, "the bridge to start")
                yield
                self.machine.wine.run("taskkill", "/F", "/PID", str(told["pid"]), longest=LONGEST)
                process.wait(LONGEST)
            finally:
                process.kill()


def demo(user: User) -> None:
    """The demo makes two takes."""
    said = user.bridge("demo", "--no-keep")
    must("text to audio" in said and "audio to audio" in said, said)


def run_and_settings(user: User) -> None:
    """A take, and settings that are read again while it runs."""
    user.folder.mkdir(parents=True)
    with user.running():
        (job,) = user.json("generate", "a bell", "--duration", "1")
        must(job["state"] == "placed", str(job))
        (user.home / "config.toml").write_text("[spend]\nper_day_usd = 7.5\n", encoding="utf-8")
        must("spend.per_day_usd: 10.0" in user.bridge("config", "reload"), "the limit did not change")
        must(user.json("status")["limit_today_usd"] == 7.5, "the limit is not the new one")


def killed(user: User) -> None:
    """Killed while it works: after the restart, each job comes to its end, once."""
    with user.running():
        user.bridge("generate", "long", "--duration", "190", "--variations", "3", "--no-wait")
    with user.running():
        try:
            await_(lambda: len(user.json("jobs", "list", "--q", "long", "--state", "placed")) == 3, "three takes")
        except TimeoutError as error:
            raise Failed(f"{error}:\n{user.bridge('jobs', 'list')}") from error
        must(len(user.json("jobs", "list", "--q", "long")) == 3, "a job was doubled")


def background(user: User) -> None:
    """Started in the background, where it has no console, it is stopped by its event, in good order."""
    user.bridge("start")
    told = user.runtime()
    user.bridge("stop")
    must(user.runtime() is None, "runtime.json is left")
    must("daw-bridge has stopped" in user.log(), f"pid {told['pid']} was cut off")


def folders(user: User) -> None:
    """A render in a watched folder is listed, and sent."""
    renders = user.folder / "Ma musique é" / "Renders"
    renders.mkdir(parents=True)
    path = json.dumps(user.machine.wine.windows_path(renders))
    (user.home / "config.toml").write_text(_SETTINGS.format(path=path), encoding="utf-8")
    with user.running():
        _tone(renders / "drums.wav")
        await_(lambda: [one["name"] for one in user.json("folders", "list")["renders"]] == ["drums.wav"], "a render")
        user.bridge("folders", "send", "drums.wav")
        await_(lambda: len(list((renders.parent / "Renders takes").glob("*.wav"))) == 1, "its take")


def inbox(user: User) -> None:
    """A script asks through files."""
    with user.running():
        box = user.home / "inbox" / "reaper"
        box.mkdir(exist_ok=True)
        name = str(uuid.uuid4())
        asked = {"version": 1, "id": name, "action": "generate", "prompt": "rain", "duration": 1}
        (box / f"{name}.json.tmp").write_text(json.dumps(asked), encoding="utf-8")
        (box / f"{name}.json.tmp").rename(box / f"{name}.json")
        await_(lambda: user.json("jobs", "list", "--q", "rain", "--state", "stored"), "the take of a script")
        await_((user.home / "outbox" / "reaper" / f"{name}.status.json").exists, "an answer")


def keys(user: User) -> None:
    """The key lies in the Credential Manager, and nowhere else."""
    code, said = user.machine.wine.run(
        user.machine.program("daw-bridge"), "key", "set",
        env=user.env(), longest=LONGEST, stdin=b"sk-this-is-a-smoke-key-0001\n",
    )  # fmt: skip
    must(code == 0, said)
    must(not (user.home / "key").exists(), "the key lies in a file")
    backend = "import keyring as k; print(k.get_keyring(), k.get_password('daw-bridge', 'empiriolabs'))"
    said = user.machine.wine.must(user.machine.program("python"), "-c", backend, env=user.env())
    must("WinVaultKeyring" in said and "smoke-key-0001" in said, said)
    user.bridge("key", "clear")
    must("None" in user.machine.wine.must(user.machine.program("python"), "-c", backend), "it is still there")


def installs(user: User) -> None:
    """Scripts into REAPER, devices into Live's User Library, and out of both."""
    reaper = user.folder / "AppData" / "Roaming" / "REAPER"
    library = user.folder / "User Library"
    reaper.mkdir(parents=True)
    library.mkdir()
    (reaper / "reaper.ini").write_text("[REAPER]\n", encoding="utf-8")
    there = user.machine.wine.windows_path
    user.bridge("install", "reaper", "--path", there(reaper))
    settings = reaper / "Scripts" / "DAW Bridge" / "daw_bridge.json"
    must(json.loads(settings.read_text(encoding="utf-8"))["home"] == there(user.home), "the home is not told")
    user.bridge("install", "live", "--path", there(library))
    must(any(library.rglob("*.amxd")), "no device is there")
    user.bridge("uninstall", "reaper")
    user.bridge("uninstall", "live")
    left = [one for folder in (reaper, library) for one in folder.rglob("*") if one.name != "reaper.ini"]
    must(not left, f"something was left behind: {', '.join(map(str, left))}")


def _tone(path: Path) -> None:
    part = path.with_suffix(".part")
    with wave.open(str(part), "wb") as file:
        file.setparams((1, 2, 44_100, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", (n * 331) % 20_000 - 10_000) for n in range(88_200)))
    part.rename(path)


def await_(look: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + LONGEST
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.2)
    return found


def must(holds: object, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
