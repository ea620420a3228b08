"""``daw-bridge-setup.exe`` on an empty machine without Python: installed, used, updated and uninstalled in silence."""

from __future__ import annotations

import re
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.windows.machine import Machine, shim_complex, shim_prng
from tests.windows.smoke import LONGEST, User, await_, must, walk
from tests.windows.wine import Wine

_ENVIRONMENT = r"HKCU\Environment"
_UNINSTALL = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\daw-bridge"
_FOLDERS = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders"
_PATH = r"%USERPROFILE%\bin;C:\Program Files\Other"


@dataclass(frozen=True)
class InstalledMachine(Machine):
    """A machine on which our setup is the only thing that was ever installed."""

    @property
    def folder(self) -> Path:
        """Where the setup puts it."""
        return self.wine.drive / "users" / "Zoë Ünal" / "AppData" / "Local" / "Programs" / "daw-bridge"

    @property
    def menu(self) -> Path:
        """Its folder in the start menu."""
        return self.folder.parents[2] / "Roaming" / "Microsoft" / "Windows" / "Start Menu" / "Programs" / "DAW Bridge"

    def program(self, name: str) -> str:
        """Return the path of the program, or of its Python."""
        inside = self.folder / "python" if name == "python" else self.folder
        return self.wine.windows_path(inside / f"{name}.exe")

    def name_person(self) -> None:
        """Give the person a name with a space and accents; wine's own is that of ours."""
        for name, folder in {"Local AppData": self.folder.parents[1], "Programs": self.menu.parent}.items():
            folder.mkdir(parents=True)
            self.wine.must("reg", "add", _FOLDERS, "/v", name, "/d", self.wine.windows_path(folder), "/f")

    def run_setup(self, setup: Path, *words: str) -> int:
        """Run the setup without a window; return its exit code."""
        return self.wine.run(self.wine.windows_path(setup), "/S", *words, longest=3 * LONGEST)[0]

    def setup(self, setup: Path) -> None:
        """Run the setup, which has to end well; make wine able to run what it brought."""
        shim_prng(self.wine)
        code = self.run_setup(setup)
        must(code == 0, f"the setup ended with {code}")
        must((self.folder / "daw-bridge.exe").exists(), "nothing was installed")
        (self.folder / "python" / "DLLs" / "_wmi.pyd").unlink(missing_ok=True)  # see tests/windows/machine.py
        shim_complex(self.wine, self.folder / "site")

    def registry(self, key: str) -> str:
        """Return the values below a key; empty if there is none."""
        return self.wine.run("reg", "query", key, longest=LONGEST)[1]


def check_setup(setup: Path, version: str) -> int:
    """Do it all on a machine in a temporary folder; return the exit code."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="daw-bridge-setup-", ignore_cleanup_errors=True) as folder:
        machine = InstalledMachine(Wine(Path(folder) / "prefix"), version)
        with machine.wine.on():
            return walk("Setup", User(machine), (refused, installed, used, updated, cut_off, uninstalled), begun, setup)


def _machine(user: User) -> InstalledMachine:
    assert isinstance(user.machine, InstalledMachine)
    return user.machine


def refused(user: User, setup: Path) -> None:
    """A folder in which a person has a folder called python is not taken, and stays as it is."""
    machine = _machine(user)
    machine.name_person()
    mine = machine.wine.drive / "mine"  # no space: NSIS takes no quotes here
    (mine / "python").mkdir(parents=True)
    (mine / "python" / "work.py").write_text("mine", encoding="utf-8")
    code = machine.run_setup(setup, "/D=C:\\mine")
    must(code == 6, f"the setup ended with {code}")
    must([one.name for one in mine.rglob("*")] == ["python", "work.py"], f"there is {list(mine.rglob('*'))}")
    must(not machine.folder.exists(), "something was installed")


def installed(user: User, setup: Path) -> None:
    """In silence, for one person: start menu, PATH (what was in it stays), the list of programs."""
    machine = _machine(user)
    machine.wine.must("reg", "add", _ENVIRONMENT, "/v", "Path", "/t", "REG_EXPAND_SZ", "/d", _PATH)
    machine.setup(setup)
    there = (
        re.escape(_PATH) + r";C:\\users\\Zo.{1,2} .{1,2}nal\\AppData\\Local\\Programs\\daw-bridge\s"
    )  # reg writes no UTF-8
    must(re.search(there, machine.registry(_ENVIRONMENT)), f"PATH is {machine.registry(_ENVIRONMENT)}")
    must("DisplayVersion" in machine.registry(_UNINSTALL), "it is not in the list of programs")
    must(len(list(machine.menu.glob("*.lnk"))) == 4, f"the start menu has {list(machine.menu.parent.rglob('*'))}")


def used(user: User, setup: Path) -> None:
    """The demo; then a bridge in the background makes a take."""
    del setup
    said = user.bridge("demo", "--no-keep")
    must("text to audio" in said and "audio to audio" in said, said)
    user.bridge("start")
    (job,) = user.json("generate", "a bell", "--duration", "1")
    must(job["state"] == "placed", str(job))
    user.bridge("stop")
    must(user.runtime() is None, "it still runs")


def updated(user: User, setup: Path) -> None:
    """Over an older version that runs: it is stopped first, its files go, and everything of the person stays."""
    machine = _machine(user)
    user.bridge("start")
    mine = machine.folder / "notes.txt"
    mine.write_text("mine", encoding="utf-8")
    old = machine.folder / "site" / "bridge_daemon" / "of_an_older_version.py"
    old.write_text("", encoding="utf-8")
    machine.wine.must("reg", "add", _UNINSTALL, "/v", "DisplayVersion", "/d", "0.0.1", "/f")
    machine.setup(setup)
    must(not old.exists(), "a file of the older version is left")
    must("0.0.1" not in machine.registry(_UNINSTALL), "the list of programs has the older version")
    must(user.runtime() is None, "the bridge of before was not stopped")
    must("daw-bridge has stopped" in user.log(), "the bridge of before was cut off")
    must(machine.registry(_ENVIRONMENT).count("Programs\\daw-bridge") == 1, "PATH names the folder twice")
    must(mine.read_text(encoding="utf-8") == "mine", "a file of the person is gone")
    user.bridge("start")
    must(len(user.json("jobs", "list")) == 1, "the job of before is gone")


def cut_off(user: User, setup: Path) -> None:
    """A setup that was cut off is mended by another one."""
    machine = _machine(user)
    user.bridge("stop")
    for half in (machine.folder / "python" / "python.exe", machine.folder / "daw-bridge.exe"):
        half.unlink()
    machine.setup(setup)
    user.bridge("start")
    must(len(user.json("jobs", "list")) == 1, "the job of before is gone")


def uninstalled(user: User, setup: Path) -> None:
    """While a bridge runs: nothing of ours is left and nothing runs; takes and home are as they were."""
    del setup
    machine = _machine(user)
    kept = {file.relative_to(user.home) for file in (user.home / "library").rglob("*.wav")}
    must(kept, "there is no take")
    machine.wine.run(machine.wine.windows_path(machine.folder / "uninstall.exe"), "/S", longest=LONGEST)
    await_(lambda: not (machine.folder / "uninstall.exe").exists(), "the uninstaller")  # it goes on by itself
    await_(lambda: not machine.menu.exists(), "the start menu to be cleared")
    must(user.runtime() is None, "the bridge still runs")
    must("daw-bridge has stopped" in user.log(), "the bridge was cut off")
    must([one.name for one in machine.folder.iterdir()] == ["notes.txt"], f"left: {list(machine.folder.iterdir())}")
    must(_PATH in machine.registry(_ENVIRONMENT), "PATH is not as it was")
    must("daw-bridge" not in machine.registry(_ENVIRONMENT), "PATH still names the folder")
    must("DisplayVersion" not in machine.registry(_UNINSTALL), "it is still in the list of programs")
    must(all((user.home / file).exists() for file in kept), "a take is gone")
    must((user.home / "journal.sqlite3").exists(), "the journal is gone")
    must(not _left_running(machine), f"it still runs: {_left_running(machine)}")


def _left_running(machine: InstalledMachine) -> list[str]:
    """Return the programs of this machine that are ours, as Linux lists them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            prefix = f"WINEPREFIX={machine.wine.prefix}\0".encode()
            if "daw-bridge" in words and prefix in (process / "environ").read_bytes() and "setup" not in words:
                found.append(words)
    return found
