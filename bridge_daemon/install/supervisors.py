"""The supervisors of the three systems: a systemd user unit, a LaunchAgent, a task at logon."""

from __future__ import annotations

import hashlib
import os
import plistlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from xml.etree import ElementTree

from bridge_daemon.errors import InstallTrouble
from bridge_daemon.home.paths import Home
from bridge_daemon.util import programs

_NAME: Final = "daw-bridge"
_PATIENCE: Final = 60.0  # s for a command of the system
#: Started again so often in so many seconds, and then no more: what cannot start must not run for ever.
_RESTARTS, _WITHIN, _PAUSE = 4, 300, 10
_END: Final = 45  # s; a request on the wire is awaited for 30 s
_TASKS: Final = "http://schemas.microsoft.com/windows/2004/02/mit/task"


def name_of(home: Home) -> str:
    """Return the name of the service of a home; the usual home has the plain name."""
    if not home.named:
        return _NAME
    return f"{_NAME}-{hashlib.sha256(os.fsencode(os.path.realpath(home.path))).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What the supervisor is to run."""

    command: tuple[str, ...]
    environ: Mapping[str, str]
    home: Path
    #: Variables of this terminal that are not written down: what is in them is a secret.
    left_out: tuple[str, ...] = ()


class Supervisor(Protocol):
    """What runs services on one system."""

    kind: str
    file: Path  #: what is written

    def text(self, spec: ServiceSpec) -> bytes:
        """Return the content of the file."""

    def enable(self) -> None:
        """Have it started at login, and start it now. Raises InstallTrouble."""

    def disable(self) -> None:
        """Stop it, and start it no more. Raises InstallTrouble."""

    def restart(self) -> None:
        """Stop it and start it. Raises InstallTrouble."""

    def running(self) -> tuple[bool | None, str]:
        """Return whether it runs, and what the system says of it."""


def call(argv: Sequence[str], *, fine: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run a command of the system.

    Raises:
        InstallTrouble: it is not there, or says no.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise InstallTrouble(
            f"{argv[0]} is not on this machine, so the bridge cannot be made a service here. Nothing was spent.",
            next="daw-bridge start runs it in the background, until you log off.",
        )
    try:
        done = programs.run([program, *argv[1:]], _PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallTrouble(f"{argv[0]} could not be run: {error}. Nothing was spent.") from error
    if done.returncode not in fine:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise InstallTrouble(
            f"{' '.join(argv[:3])} failed: {said}. Nothing was spent.",
            next="daw-bridge start runs the bridge in the background meanwhile, until you log off.",
        )
    return done


class SystemdUser:
    """``systemd --user``."""

    kind = "systemd"

    def __init__(self, home: Home, config: Path) -> None:
        """``config`` is the folder of the person's settings."""
        self._unit = f"{name_of(home)}.service"
        self.file = config / "systemd" / "user" / self._unit

    def text(self, spec: ServiceSpec) -> bytes:
        """Return the unit. A value is quoted, with ``%`` and ``$`` doubled where systemd would expand them."""
        lines = [
            "[Unit]",
            f"Description=DAW Bridge (home {_plain(str(spec.home))})",
            f"StartLimitIntervalSec={_WITHIN}",
            f"StartLimitBurst={_RESTARTS}",
            "",
            "[Service]",
            "Type=exec",
            f"ExecStart={' '.join(_quoted(word, dollars=True) for word in spec.command)}",
            *(f"Environment={_quoted(f'{name}={value}')}" for name, value in spec.environ.items()),
            "Restart=on-failure",
            f"RestartSec={_PAUSE}",
            # wrong settings, or another bridge has the home: to start again does not help
            "RestartPreventExitStatus=2",
            f"TimeoutStopSec={_END}",
            "KillMode=mixed",
            "NoNewPrivileges=true",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
        return "\n".join(lines).encode()

    def enable(self) -> None:
        """Have it started at login, and start it now."""
        call(["systemctl", "--user", "daemon-reload"])
        call(["systemctl", "--user", "enable", self._unit])
        call(["systemctl", "--user", "restart", self._unit])

    def disable(self) -> None:
        """Stop it, and start it no more."""
        call(["systemctl", "--user", "disable", "--now", self._unit])

    def restart(self) -> None:
        """Stop it and start it, also after too many restarts."""
        call(["systemctl", "--user", "reset-failed", self._unit], fine=(0, 1))
        call(["systemctl", "--user", "restart", self._unit])

    def running(self) -> tuple[bool | None, str]:
        """Ask systemd."""
        try:
            done = call(["systemctl", "--user", "is-active", self._unit], fine=range(256))
        except InstallTrouble as error:
            return None, error.message
        word = done.stdout.strip()
        return (word in ("active", "activating", "reloading"), word) if word else (None, done.stderr.strip())


class LaunchAgent:
    """launchd of macOS, in the domain of the person's session."""

    kind = "launchd"

    def __init__(self, home: Home, user: Path) -> None:
        """``user`` is the person's own folder."""
        self._label = f"io.{name_of(home)}"
        self._logs = home.logs
        self.file = user / "Library" / "LaunchAgents" / f"{self._label}.plist"

    def text(self, spec: ServiceSpec) -> bytes:
        """Return the property list."""
        return plistlib.dumps(
            {
                "Label": self._label,
                "ProgramArguments": list(spec.command),
                "EnvironmentVariables": dict(spec.environ),
                "WorkingDirectory": str(spec.home),
                "RunAtLoad": True,
                "KeepAlive": {"SuccessfulExit": False},
                # launchd knows no greatest number of restarts, only the least time between two
                "ThrottleInterval": _WITHIN // _RESTARTS,
                "ExitTimeOut": _END,
                "ProcessType": "Interactive",
                "StandardOutPath": str(self._logs / "service.log"),
                "StandardErrorPath": str(self._logs / "service.log"),
            }
        )

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}"

    def enable(self) -> None:
        """Load it, which starts it; one of before is unloaded first."""
        self._boot_out()
        call(["launchctl", "enable", f"{self._domain}/{self._label}"])
        call(["launchctl", "bootstrap", self._domain, str(self.file)])

    def disable(self) -> None:
        """Unload it, which stops it."""
        self._boot_out()

    def _boot_out(self) -> None:
        call(["launchctl", "bootout", f"{self._domain}/{self._label}"], fine=(0, 3, 36, 113))  # it was not loaded

    def restart(self) -> None:
        """Stop it and start it."""
        call(["launchctl", "kickstart", "-k", f"{self._domain}/{self._label}"])

    def running(self) -> tuple[bool | None, str]:
        """Ask launchd."""
        try:
            done = call(["launchctl", "print", f"{self._domain}/{self._label}"], fine=range(256))
        except InstallTrouble as error:
            return None, error.message
        if done.returncode:
            return False, "not loaded"
        lines = [line.strip() for line in done.stdout.splitlines()]
        states = [line.partition("=")[2].strip() for line in lines if line.startswith("state =")]
        return (states[0] == "running", states[0]) if states else (None, "launchctl names no state")


class LogonTask:
    """A task of Windows' Task Scheduler, at the logon of this person, with this person's rights."""

    kind = "logon task"

    def __init__(self, home: Home) -> None:
        self._name = name_of(home)
        self.file = home.path / "logon-task.xml"

    def text(self, spec: ServiceSpec) -> bytes:
        """Return the task. A task has no environment of its own, so the program is told it in its words."""
        ElementTree.register_namespace("", _TASKS)
        task = ElementTree.Element(f"{{{_TASKS}}}Task", version="1.2")
        _put(task, "RegistrationInfo", {"Description": f"DAW Bridge (home {spec.home})"})
        _put(_put(task, "Triggers", {}), "LogonTrigger", {"Enabled": "true", "UserId": _user()})
        principal = _put(
            _put(task, "Principals", {}), "Principal", {"UserId": _user(), "LogonType": "InteractiveToken"}
        )
        principal.set("id", "Author")
        settings = _put(
            task,
            "Settings",
            {
                "MultipleInstancesPolicy": "IgnoreNew",
                "DisallowStartIfOnBatteries": "false",
                "StopIfGoingOnBatteries": "false",
                "ExecutionTimeLimit": "PT0S",
                "Hidden": "false",
            },
        )
        _put(settings, "RestartOnFailure", {"Interval": "PT1M", "Count": str(_RESTARTS)})
        actions = _put(task, "Actions", {})
        actions.set("Context", "Author")
        program, *words = spec.command
        extra = [f"--env={name}={value}" for name, value in spec.environ.items() if name.upper() != "PATH"]
        _put(
            actions,
            "Exec",
            {
                "Command": _windowless(program),
                "Arguments": subprocess.list2cmdline([*words, *extra]),
                "WorkingDirectory": str(spec.home),
            },
        )
        return b"\xff\xfe" + ('<?xml version="1.0" encoding="UTF-16"?>\r\n' + _xml(task)).encode("utf-16-le")

    def enable(self) -> None:
        """Register the task, in place of one of before, and run it."""
        call(["schtasks", "/Create", "/F", "/TN", self._name, "/XML", str(self.file)])
        call(["schtasks", "/Run", "/TN", self._name])

    def disable(self) -> None:
        """Remove the task. The bridge itself is stopped by ``service``: the scheduler would cut it off."""
        call(["schtasks", "/Delete", "/F", "/TN", self._name])

    def restart(self) -> None:
        """Run the task; the bridge was stopped before."""
        call(["schtasks", "/Run", "/TN", self._name])

    def running(self) -> tuple[bool | None, str]:
        """Ask whether the task is there. Its state is a word of the system's language, so it says no more than that."""
        try:
            done = call(["schtasks", "/Query", "/TN", self._name], fine=range(256))
        except InstallTrouble as error:
            return None, error.message
        return (None, "the task is registered") if done.returncode == 0 else (False, "the task is not registered")


def _plain(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str, *, dollars: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped.replace("$", "$$") if dollars else escaped}"'


def _user() -> str:
    domain, name = os.environ.get("USERDOMAIN", ""), os.environ.get("USERNAME", "")
    return f"{domain}\\{name}" if domain else name


def _windowless(program: str) -> str:
    """Return the Python that opens no console, if there is one beside this one."""
    path = Path(program)
    quiet = path.with_name("pythonw.exe")
    return str(quiet) if path.name.lower() == "python.exe" and quiet.exists() else program


def _put(parent: ElementTree.Element, name: str, values: dict[str, str]) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, f"{{{_TASKS}}}{name}")
    for key, value in values.items():
        ElementTree.SubElement(made, f"{{{_TASKS}}}{key}").text = value
    return made


def _xml(task: ElementTree.Element) -> str:
    return ElementTree.tostring(task, encoding="unicode")
