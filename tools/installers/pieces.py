"""What every installer is made of: the wheel of this checkout, and the pinned packages for one system and Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge_daemon import __version__

ROOT: Final = Path(__file__).parents[2]
#: Lasts from run to run.
CACHE: Final = Path.home() / ".cache" / "daw-bridge-installers"
#: Nobody who has an installer can add packages, so they have all that is optional.
EXTRAS: Final = ("s3", "link", "fit")
NAME: Final = "daw-bridge"
VERSION: Final = __version__
_UV: Final = [sys.executable, "-m", "uv", "-q"]


class Missing(Exception):
    """A program or a file that is needed is not there. The text is a sentence for people."""


@dataclass(frozen=True)
class Target:
    """A system as uv names it, and a version of Python."""

    platform: str
    python: str

    @property
    def options(self) -> list[str]:
        """Return what makes uv answer for this system; nothing is ever built."""
        return ["--python-platform", self.platform, "--python-version", self.python, "--only-binary", ":all:"]


def pack_wheel(folder: Path) -> Path:
    """Pack this checkout into a wheel."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def install_packages(target: Target, wheel: Path, site: Path) -> None:
    """Put the wheel and all that it needs on another system into ``site``; each package is proved by its pin."""
    pins = site.with_name(f"{site.name}.pins.txt")
    pins.parent.mkdir(parents=True, exist_ok=True)
    pins.write_text(pins_for(target), encoding="utf-8")
    install = [*_UV, "pip", "install", *target.options, "--target", str(site), "--no-deps", "--link-mode", "copy"]
    subprocess.run([*install, "--require-hashes", "-r", str(pins)], check=True)
    subprocess.run([*install, str(wheel)], check=True)
    pins.unlink()
    shutil.rmtree(site / "bin", ignore_errors=True)  # programs for the machine that this was made on
    (site / ".lock").unlink(missing_ok=True)


def pins_for(target: Target) -> str:
    """Return those of our pins, with their hashes, that the bridge needs there. The resolver names the packages."""
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    command = [*_UV, "pip", "compile", "pyproject.toml", *extras, *target.options, "-c", "requirements-dev.txt"]
    done = subprocess.run(
        [*command, "--no-header", "--no-annotate"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    needed = {line.partition("==")[0] for line in done.stdout.splitlines() if "==" in line}
    return chosen((ROOT / "requirements-dev.txt").read_text(encoding="utf-8"), needed)


def chosen(pins: str, names: set[str]) -> str:
    """Return the pins of some packages, out of a text of pins. A package may be pinned more than once, by markers."""
    blocks = re.split(r"(?m)^(?=[a-z0-9])", pins)
    return "".join(block for block in blocks if block.partition("==")[0] in names)


def must_have(program: str, package: str) -> str:
    """Return the path of a program. Raises Missing."""
    if (found := shutil.which(program)) is None:
        raise Missing(f"{program} was not found; the package {package} has it.")
    return found
