"""``daw-bridge-setup.exe``: a genuine Python for Windows, the pinned wheels, and NSIS. Made on Linux."""

from __future__ import annotations

import compileall
import io
import py_compile
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

from tools.installers.pieces import CACHE, NAME, ROOT, VERSION, Target, install_packages, must_have
from tools.windows_python import fetch, unpack_python

SCRIPT: Final = Path(__file__).with_name("windows.nsi")
HELPER: Final = Path(__file__).with_name("windows_helper.py")
#: Holds the launchers that pip puts in front of every program on Windows.
_LAUNCHERS: Final = ("distlib==0.4.4", "cf09d55b1e85a89576b036aeb71550bfd68320f3f21761ca329eadadad918638")
#: Parts of Python that nothing of ours uses: another package manager, Tcl/Tk, what extensions are compiled with.
_LEFT_OUT: Final = (
    *("Scripts", "Doc", "include", "libs", "tcl", "Tools", "NEWS.txt"),
    *(f"Lib/{name}" for name in ("site-packages", "ensurepip", "idlelib", "tkinter", "turtledemo", "turtle.py")),
    *(f"Lib/{name}" for name in ("test", "pydoc_data", "venv", "lib2to3")),
    *(f"DLLs/{name}" for name in ("tcl86t.dll", "tk86t.dll", "_tkinter.pyd", "zlib1.dll")),
)
_MAIN: Final = "import sys\nfrom bridge_daemon.cli import main\nsys.argv[0] = 'daw-bridge'\nmain()\n"


def make(out: Path, wheel: Path, work: Path, python: str, *, quick: bool = False) -> Path:
    """Make the installer and return it. ``quick``: packed in seconds, and twice as large."""
    makensis = must_have("makensis", "nsis")
    app = work / "app"
    lay_out(app, wheel, python)
    made = out / f"{NAME}-setup.exe"
    command = [makensis, "-V2", "-NOCD", *(["-DQUICK"] if quick else [])]
    defined = {"VERSION": VERSION, "NUMBERS": _numbers(VERSION), "APP": app, "OUT": made, "KILOBYTES": _size(app) >> 10}
    subprocess.run([*command, *(f"-D{name}={value}" for name, value in defined.items()), str(SCRIPT)], check=True)
    return made


def lay_out(app: Path, wheel: Path, python: str) -> None:
    """Lay the folder out as it will lie on the disk of a person."""
    shutil.rmtree(app, ignore_errors=True)
    app.mkdir(parents=True)
    unpack_python(python, app / "python", CACHE)
    for name in _LEFT_OUT:
        left = app / "python" / name
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    for compiled in (app / "python").rglob("__pycache__"):
        shutil.rmtree(compiled)
    # with this file Python looks nowhere else: not in the registry, not in variables, not in the person's own packages
    paths = ["Lib", "DLLs", r"..\site", "import site"]
    (app / "python" / f"python{python.replace('.', '')}._pth").write_text("\r\n".join([*paths, ""]), newline="")
    install_packages(Target("x86_64-pc-windows-msvc", python), wheel, app / "site")
    compile_all(app, python)
    (app / f"{NAME}.exe").write_bytes(launcher())
    for file in (HELPER, ROOT / "LICENSE"):
        shutil.copy2(file, app / file.name)


def compile_all(app: Path, python: str) -> None:
    """Compile every module, so that the first start is quick. Only the same version of Python can do it."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" != python:
        return
    hashed = py_compile.PycInvalidationMode.UNCHECKED_HASH  # an installer keeps no exact times
    compileall.compile_dir(app, maxlevels=20, quiet=2, stripdir=str(app), invalidation_mode=hashed, workers=2)


def launcher() -> bytes:
    """Return a program that runs the Python beside it with our command line."""
    stub = zipfile.ZipFile(fetch(*_LAUNCHERS, CACHE)).read("distlib/t64.exe")
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        archive.writestr("__main__.py", _MAIN)
    return stub + b"#!<launcher_dir>\\python\\python.exe\r\n" + script.getvalue()


def _numbers(version: str) -> str:
    """Return a version as Windows has it: four numbers."""
    found = [part for part in version.split(".") if part.isdecimal()]
    return ".".join([*found, "0", "0", "0", "0"][:4])


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
