"""The genuine Python for Windows in a wine prefix, with the wheel of this checkout and its pinned dependencies."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.windows.wine import FOLDER, Wine
from tools.windows_python import unpack_python

ROOT = Path(__file__).parents[2]
_COMPILER = ["x86_64-w64-mingw32-gcc", "-O1", "-shared", "-static-libgcc"]
_SHIMS = Path(__file__).parent / "shims"
# as long as each other, since one is written over the other
_STUBBED, _SHIM = b"api-ms-win-crt-math-l1-1-0.dll", b"shim-for-wine-crt-math-110.dll"


@dataclass(frozen=True)
class Machine:
    """A made-up Windows machine with one Python and one virtual environment."""

    wine: Wine
    version: str

    @property
    def venv(self) -> Path:
        """The virtual environment, as a folder of this system."""
        return self.wine.drive / f"v{self.version.replace('.', '')}"

    @property
    def checkout(self) -> Path:
        """Where the tests lie there: this checkout without the package, which is installed."""
        return self.wine.drive / "src"

    def program(self, name: str) -> str:
        """Return the path of a program of the environment."""
        return self.wine.windows_path(self.venv / "Scripts" / f"{name}.exe")

    def prepare(self) -> None:
        """Get what is missing for the tests: what they need, the wheel of this checkout, and a copy of it.

        The pinned packages are laid there from this system, which takes seconds; Windows' own pip needs ten minutes.
        """
        self._install(ROOT / "requirements-dev.txt", self._lay)
        self._copy_checkout()

    def install(self, pins: Path) -> None:
        """Get what is missing of the pinned packages with pip, and install the wheel of this checkout."""
        self._install(pins, self._pip_pins)

    def _install(self, pins: Path, put: Callable[[Path], None]) -> None:
        self._get_python()
        shim_prng(self.wine)
        stamp, wanted = self.venv / "pins", hashlib.sha256(pins.read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            _say(f"Python {self.version} for Windows: installing what is pinned ...")
            shutil.rmtree(self.venv, ignore_errors=True)
            self.wine.must(self._python, "-m", "venv", self.wine.windows_path(self.venv))
            put(pins)
            shim_complex(self.wine, self._packages)
            stamp.write_text(wanted)
        self._pip("--no-deps", "--force-reinstall", self.wine.windows_path(self._pack()))

    @property
    def _packages(self) -> Path:
        return self.venv / "Lib" / "site-packages"

    def _pip_pins(self, pins: Path) -> None:
        self._pip("--require-hashes", "--only-binary", ":all:", "-r", self.wine.windows_path(pins))

    def _lay(self, pins: Path) -> None:
        where = ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", self.version]
        # copied, not linked into the cache of uv, because some are written to (`shim_complex`)
        how = ["--require-hashes", "--only-binary", ":all:", "--link-mode", "copy", "-r", str(pins)]
        command = [sys.executable, "-m", "uv", "pip", "install", "-q", *where, "--target", str(self._packages), *how]
        subprocess.run(command, check=True)

    @property
    def _python(self) -> str:
        return self.wine.windows_path(self.wine.drive / "py" / self.version / "python.exe")

    def _pip(self, *words: str) -> None:
        self.wine.must(
            self.program("python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile", *words,
            env={"PIP_CACHE_DIR": self.wine.windows_path(FOLDER / "pip")},
        )  # fmt: skip

    def _pack(self) -> Path:
        out = self.wine.prefix.parent / "wheel"
        shutil.rmtree(out, ignore_errors=True)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return next(out.glob("*.whl"))

    def _get_python(self) -> None:
        folder = self.wine.drive / "py" / self.version
        if (folder / "python.exe").exists():
            return
        _say(f"Python {self.version} for Windows: getting it ...")
        unpack_python(self.version, folder, FOLDER)
        # wine lacks propsys.VariantToString, and WMI calls it: without this module `platform` asks in another way
        (folder / "DLLs" / "_wmi.pyd").unlink(missing_ok=True)

    def _copy_checkout(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True,
        )  # fmt: skip
        wanted = {ROOT / name for name in listed.stdout.decode().split("\0") if not name.startswith("bridge_daemon/")}
        for there in self.checkout.rglob("*"):
            # what pytest and Python compiled of the files that stay is good for the next run
            if there.is_file() and there.suffix != ".pyc" and ROOT / there.relative_to(self.checkout) not in wanted:
                there.unlink()
        for source in filter(Path.is_file, wanted):
            target = self.checkout / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def shim_prng(wine: Wine) -> None:
    target = wine.drive / "windows" / "system32" / "bcryptprimitives.dll"
    if not target.exists():
        subprocess.run([*_COMPILER, "-o", target, _SHIMS / "prng.c", "-ladvapi32"], check=True)


def shim_complex(wine: Wine, packages: Path) -> None:
    """Let the extensions below ``packages`` that use complex functions take them from a library of ours."""
    source = (_SHIMS / "complex.c").read_text()
    bases = re.findall(r"(?:REAL|ONE)\((c\w+)\)", source.partition("REAL(cabs)")[1] + source.partition("REAL(cabs)")[2])
    shimmed = {base + kind for base in [*bases, "cpow"] for kind in ("", "f", "l")}
    marks = [f"\0{name}\0".encode() for name in shimmed]
    for extension in packages.rglob("*.pyd"):
        data = extension.read_bytes()
        if _STUBBED in data and any(mark in data for mark in marks):
            extension.write_bytes(data.replace(_STUBBED, _SHIM))
    exports = shimmed | _exported(wine.drive / "windows" / "system32" / "ucrtbase.dll")
    lines = [f"  {name} = {f'shim_{name}' if name in shimmed else f'ucrtbase.{name}'}" for name in sorted(exports)]
    definition = wine.prefix.parent / "complex.def"
    definition.write_text("\n".join([f"LIBRARY {_SHIM.decode()}", "EXPORTS", *lines, ""]))
    target = wine.drive / "windows" / "system32" / _SHIM.decode()
    subprocess.run([*_COMPILER, "-o", target, _SHIMS / "complex.c", definition], check=True)


def _exported(library: Path) -> set[str]:
    """Return the names of C that a library exports."""
    told = subprocess.run(
        ["x86_64-w64-mingw32-objdump", "-p", library], check=True, capture_output=True, text=True
    ).stdout
    return set(re.findall(r"(?m)^\s+\[ *\d+\] (\w+)$", told.partition("[Ordinal/Name Pointer] Table")[2]))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
