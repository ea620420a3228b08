"""Whether every pin has a wheel, for each system and each Python: ``make matrix``.

Nothing is installed or downloaded. uv asks the package index once which files there are for exactly the pinned
versions; which of them an installer would take on each system is read from their names, as pip does, by ``packaging``.
(pip itself cannot be asked: it reads the markers of the machine that it runs on. uv can, but takes five minutes.)
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

ROOT: Final = Path(__file__).parents[1]
FILES: Final = ("requirements.txt", "requirements-dev.txt")
PYTHONS: Final = ((3, 11), (3, 12), (3, 13), (3, 14))


@dataclass(frozen=True, slots=True)
class System:
    """A system, by what its installers take and by what markers say there."""

    name: str
    platforms: tuple[str, ...]
    markers: Mapping[str, str]


def linux(machine: str) -> tuple[str, ...]:
    """Return the platforms of wheels for glibc 2.28 and later: Debian 10, Ubuntu 20.04, RHEL 8."""
    old = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
    found = [(f"manylinux_2_{minor}_{machine}", old.get(minor)) for minor in range(28, 4, -1)]
    return tuple(name for new, legacy in found for name in (new, f"{legacy}_{machine}" if legacy else "") if name)


SYSTEMS: Final = tuple(
    System(name, tuple(platforms), {"sys_platform": kind, "platform_system": system, "platform_machine": machine})
    for name, platforms, kind, system, machine in (
        ("Linux x86-64", linux("x86_64"), "linux", "Linux", "x86_64"),
        ("Linux ARM", linux("aarch64"), "linux", "Linux", "aarch64"),
        ("macOS 12 Intel", mac_platforms((12, 0), "x86_64"), "darwin", "Darwin", "x86_64"),
        ("macOS 12 ARM", mac_platforms((12, 0), "arm64"), "darwin", "Darwin", "arm64"),
        ("Windows x86-64", ["win_amd64"], "win32", "Windows", "AMD64"),
        ("Windows ARM", ["win_arm64"], "win32", "Windows", "ARM64"),
    )
)
#: What has no wheel and is documented in the README: on Windows on ARM the x86-64 Python is used, which runs there; on
#: Apple silicon the pinned PyAV needs macOS 14, and ``pip install`` takes an older one before.
KNOWN: Final = {"Windows ARM": frozenset({"soxr"}), "macOS 12 ARM": frozenset({"av"})}


def pins_of(file: Path) -> list[Requirement]:
    """Return the pins of a file."""
    lines = [line.rstrip(" \\") for line in file.read_text(encoding="utf-8").splitlines() if "==" in line]
    return [Requirement(line) for line in lines]


def published(pins: Iterable[Requirement]) -> dict[str, set[Tag]]:
    """Return what each pin has wheels for, as the package index says today."""
    project = {"name": "pins", "version": "0", "requires-python": ">=3.11", "dependencies": [str(pin) for pin in pins]}
    with tempfile.TemporaryDirectory() as folder:
        text = "[project]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in project.items())
        (Path(folder) / "pyproject.toml").write_text(text, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "uv", "lock", "-q", "--project", folder], check=True)
        lock: dict[str, Any] = tomllib.loads((Path(folder) / "uv.lock").read_text(encoding="utf-8"))
    found: dict[str, set[Tag]] = defaultdict(set)
    for package in lock["package"]:
        for wheel in package.get("wheels", ()):
            tags = parse_wheel_filename(wheel["url"].rsplit("/", 1)[1].replace("%2B", "+"))[3]
            found[f"{package['name']}=={package['version']}"] |= tags
    return found


def lacking(
    pins: Iterable[Requirement], wheels: Mapping[str, set[Tag]], system: System, python: tuple[int, int]
) -> set[str]:
    """Return the pins that an installer would have to build there."""
    version = ".".join(map(str, python))
    markers = {"python_version": version, "python_full_version": f"{version}.0", "implementation_name": "cpython"}
    markers |= {"platform_python_implementation": "CPython", **system.markers}
    taken = {*cpython_tags(python, platforms=system.platforms)}
    taken |= {*compatible_tags(python, f"cp{python[0]}{python[1]}", system.platforms)}
    needed = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(markers)]
    return {pin.name for pin in needed if not taken & wheels.get(f"{pin.name}{pin.specifier}", set())}


def main() -> int:
    """Print a table for each file of pins; return 1 where it is not as it is documented."""
    pins = {name: pins_of(ROOT / name) for name in FILES}
    wheels = published({str(pin): pin for name in FILES for pin in pins[name]}.values())
    wrong = 0
    for name in FILES:
        sys.stdout.write(f"\n{name:<22}" + "".join(f"{f'{major}.{minor}':<12}" for major, minor in PYTHONS) + "\n")
        for system in SYSTEMS:
            row = [lacking(pins[name], wheels, system, python) for python in PYTHONS]
            wrong += sum(lacks != KNOWN.get(system.name, frozenset()) for lacks in row)
            told = [f"{'all' if not lacks else 'no ' + ', '.join(sorted(lacks)):<12}" for lacks in row]
            sys.stdout.write(f"  {system.name:<20}" + "".join(told) + "\n")
    sys.stdout.write(f"\n{'As documented.' if not wrong else f'{wrong} fields are not as KNOWN in {__file__} says.'}\n")
    return min(1, wrong)


if __name__ == "__main__":
    sys.exit(main())
