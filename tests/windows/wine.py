"""Wine with a prefix of its own: where the genuine Windows programs of the tests run."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO

#: Lasts from run to run; some 1.5 GB for one Python, 2 GB for three.
FOLDER = Path(os.environ.get("WINDOWS_BENCH") or Path.home() / ".cache" / "daw-bridge-windows")
#: What is new is its maker's alone, as in the folders of a person; wine has no other lists than the modes.
_UMASK = 0o077
_LAST_WORDS = 5.0  # s
_LONGEST = 120.0  # s, to switch a machine on or off
_LINKED = ("Desktop", "Documents", "Downloads", "Music", "Pictures", "Videos")


@dataclass(frozen=True)
class Wine:
    """One prefix, that is one made-up Windows machine."""

    prefix: Path

    @property
    def drive(self) -> Path:
        """The folder that is C: there."""
        return self.prefix / "drive_c"

    def env(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a program; what only Linux understands is left out."""
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHONDONTWRITEBYTECODE")}
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_FIND_LINKS", "PYTHONPATH"):
            kept.pop(name, None)
        if "PIP_CERT" in kept:
            kept["PIP_CERT"] = self.windows_path(Path(kept["PIP_CERT"]))
        return kept | {
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            # no menus of a desktop, and no question whether .NET and a browser may be fetched
            "WINEDLLOVERRIDES": "winemenubuilder.exe=d;mscoree,mshtml=",
            "DISPLAY": "",
            "LC_ALL": "C.UTF-8",
            "LANG": "C.UTF-8",
            **more,
        }

    def windows_path(self, path: Path) -> str:
        """Return the path of a file as a Windows program names it."""
        if path.is_relative_to(self.drive):
            return str(PureWindowsPath("C:/", *path.relative_to(self.drive).parts))
        return str(PureWindowsPath("Z:/", *path.absolute().parts[1:]))

    @contextmanager
    def on(self) -> Iterator[None]:
        """Switch the machine on, alone; make it first if it is not there. Everything in it ends with the block."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        with self.prefix.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new = not self.drive.exists()
            self.prefix.mkdir(parents=True, exist_ok=True)
            # a run that was killed leaves its programs behind, and nobody can wait for their end
            self._apart("wineserver", "-k")
            # what the first program starts keeps its streams, so they must not be ours
            self._apart("wineserver", "-p")
            try:
                self._apart("wineboot", "-i" if new else "-u")
                if new:
                    self._apart("wine", "winecfg", "/v", "win10")
                    self._unlink_home()
                yield
            finally:
                self._apart("wineserver", "-k")

    def _apart(self, *command: str) -> None:
        none = subprocess.DEVNULL
        subprocess.run(
            [*command],
            env=self.env({}),
            stdin=none,
            stdout=none,
            stderr=none,
            check=False,
            timeout=_LONGEST,
            umask=_UMASK,
        )

    def _unlink_home(self) -> None:
        # wine lets these be links into the home of whoever runs it
        for user in (self.drive / "users").iterdir():
            for link in (user / name for name in _LINKED):
                if link.is_symlink():
                    link.unlink()
                    link.mkdir()

    def popen(
        self, *command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, quiet: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a program. Its streams are pipes: with files, Windows' Python stops at once."""
        out = subprocess.DEVNULL if quiet else subprocess.PIPE
        return subprocess.Popen(
            ["wine", *command],
            cwd=cwd or self.drive,
            env=self.env(env or {}),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            umask=_UMASK,
        )

    def run(
        self,
        *command: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        show: bool = False,
        stdin: bytes = b"",
        longest: float | None = None,
    ) -> tuple[int, str]:
        """Run a program to its end, or for ``longest`` seconds; return its exit code and what it printed."""
        said = bytearray()
        with self.popen(*command, cwd=cwd, env=env) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(stdin)
            process.stdin.close()
            reader = threading.Thread(target=_read, args=(process.stdout, said, show), daemon=True)
            reader.start()
            try:
                process.wait(longest)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            reader.join(_LAST_WORDS)  # what the program left running holds its streams
        return process.returncode, said.decode("utf-8", "replace").replace("\r\n", "\n")

    def must(self, *command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run a program that has to end with 0; return what it printed."""
        code, said = self.run(*command, cwd=cwd, env=env)
        if code:
            raise SystemExit(f"{' '.join(command)} ended with {code}:\n{said}")
        return said


def _read(stream: IO[bytes], said: bytearray, show: bool) -> None:
    while piece := os.read(stream.fileno(), 1 << 16):
        said += piece
        if show:
            sys.stdout.buffer.write(piece)
            sys.stdout.flush()


def missing_programs() -> list[str]:
    """Return which programs the bench needs and does not find."""
    return [one for one in ("wine", "wineserver", "x86_64-w64-mingw32-gcc") if shutil.which(one) is None]
