"""The bridge as a service of the person: starts at login, and is started again when it dies.

Never a service of the system: it needs the person's folders, keyring, MIDI ports and settings. The supervisor of the
system runs ``daw-bridge run`` in the foreground, with the settings of the terminal in which it was installed: home,
search path and proxies are written into the unit. No secret is: what is one stays in the keyring or the home.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bridge_daemon.errors import InstallTrouble
from bridge_daemon.home.paths import VARIABLE, Home
from bridge_daemon.install.supervisors import LaunchAgent, LogonTask, ServiceSpec, Supervisor, SystemdUser
from bridge_daemon.util import files, ourselves
from bridge_daemon.util.redact import redact

#: What a service would not have of a terminal's environment, and what changes how the bridge works.
_KEPT: Final = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "PYTHON_KEYRING_BACKEND", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_MUSIC_DIR"),
    *(name for low in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (low, low.upper())),
)
_SETTINGS: Final = "DAW_BRIDGE_"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How the service is."""

    kind: str  #: "systemd", "launchd" or "logon task"
    file: Path
    installed: bool
    current: bool  #: what is installed is what would be installed now
    running: bool | None  #: None: the system's supervisor did not tell
    detail: str = ""  #: in the supervisor's own words

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return asdict(self) | {"file": str(self.file)}


def spec_of(home: Home, environ: Mapping[str, str] = os.environ) -> ServiceSpec:
    """Return what a service of this home runs: the same program, with the same settings as this terminal."""
    kept: dict[str, str] = {}
    left: list[str] = []
    for name, value in sorted(environ.items()):
        upper = name.upper() if sys.platform == "win32" else name
        if not value or upper == VARIABLE or not (upper in _KEPT or upper.startswith(_SETTINGS)):
            continue
        if redact(f"{name}={value}") != f"{name}={value}" or not value.isprintable():
            left.append(name)
        else:
            kept[name] = value
    if home.named:
        kept[VARIABLE] = str(home.path)
    return ServiceSpec(tuple(ourselves.command("run", "--by", "service")), kept, home.path, tuple(left))


def supervisor(home: Home, platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Supervisor:
    """Return the one of this system, for a home. Each home has a service of its own."""
    if platform == "win32":
        return LogonTask(home)
    if platform == "darwin":
        return LaunchAgent(home, Path.home())
    given = environ.get("XDG_CONFIG_HOME", "").strip()
    return SystemdUser(home, Path(given) if given else Path.home() / ".config")


def install(manager: Supervisor, spec: ServiceSpec) -> bool:
    """Write what is needed, and start it; return whether the file was changed. May be done again.

    Raises:
        InstallTrouble: the system does not take it; a new file is taken away again.
    """
    text = manager.text(spec)
    before = manager.file.read_bytes() if manager.file.exists() else None
    _write(manager.file, text)
    try:
        manager.enable()
    except InstallTrouble:
        if before is None:
            files.remove(manager.file, missing_ok=True)
        else:
            _write(manager.file, before)
        raise
    return text != before


def uninstall(manager: Supervisor) -> None:
    """Stop it and take it away. Takes, settings and journal stay. Raises InstallTrouble."""
    if not manager.file.exists():
        raise InstallTrouble(
            f"No service is installed for this home ({manager.file} is not there).",
            next="daw-bridge service status",
        )
    manager.disable()
    files.remove(manager.file, missing_ok=True)


def state(manager: Supervisor, spec: ServiceSpec) -> ServiceState:
    """Return how the service is. Never raises: a supervisor that does not answer is told as such."""
    there = manager.file.exists()
    running, detail = manager.running() if there else (False, "")
    current = there and manager.file.read_bytes() == manager.text(spec)
    return ServiceState(manager.kind, manager.file, there, current, running, detail)


def _write(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(file, data, point="service")
    except OSError as error:
        raise InstallTrouble(f"{file} cannot be written: {error.strerror or error}.") from error
