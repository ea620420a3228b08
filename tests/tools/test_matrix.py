"""The matrix of wheels tells a pin that would have to be built, by the files that its project has published."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from tools.matrix import PYTHONS, SYSTEMS, lacking, pins_of

#: Of python-rtmidi 1.5.8, as they were published: none for 3.13, and none for ARM on Windows.
RTMIDI = [
    f"python_rtmidi-1.5.8-cp{python}-cp{python}-{platform}.whl"
    for python in ("311", "312")
    for platform in ("macosx_10_9_x86_64", "macosx_11_0_arm64", "manylinux_2_28_x86_64", "manylinux_2_28_aarch64")
] + [f"python_rtmidi-1.5.8-cp{python}-cp{python}-win_amd64.whl" for python in ("311", "312")]


@pytest.mark.parametrize(
    ("files", "pin", "lacks"),
    [
        (RTMIDI, "python-rtmidi==1.5.8", {"3.13", "3.14", "Windows ARM"}),
        (["a-1-py3-none-any.whl"], "a==1", set()),
        (["a-1-cp311-abi3-win_amd64.whl"], "a==1 ; sys_platform == 'win32'", {"Windows ARM"}),
        (["a-1-cp312-abi3-win_amd64.whl"], "a==1 ; sys_platform == 'win32'", {"Windows ARM", "3.11 Windows x86-64"}),
        (
            [],
            "a==1 ; python_full_version < '3.12' and sys_platform == 'linux'",
            {"3.11 Linux x86-64", "3.11 Linux ARM"},
        ),
        (
            ["a-1-cp311-cp311-manylinux_2_34_x86_64.whl"],
            "a==1 ; sys_platform == 'linux'",
            {"Linux x86-64", "Linux ARM"},
        ),
        (["a-1-cp314-cp314t-win_amd64.whl"], "a==1 ; sys_platform == 'win32'", {"Windows x86-64", "Windows ARM"}),
        (["a-2-py3-none-any.whl"], "a==1 ; sys_platform == 'darwin'", {"macOS 12 Intel", "macOS 12 ARM"}),
    ],
)
def test_what_would_have_to_be_built_is_named(files: list[str], pin: str, lacks: set[str]) -> None:
    wheels = {
        f"{name}=={version}": {tag for file in files for tag in parse_wheel_filename(file)[3]}
        for name, version, *_ in map(parse_wheel_filename, files)
    }
    requirement = Requirement(pin)
    for python in PYTHONS:
        version = ".".join(map(str, python))
        for system in SYSTEMS:
            found = lacking([requirement], wheels, system, python)
            expected = bool(lacks & {version, system.name, f"{version} {system.name}"})
            assert found == ({requirement.name} if expected else set()), (version, system.name)


def test_all_pins_of_the_files_are_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "pins.txt"
    file.write_text(
        "a==1 \\\n    --hash=sha256:00\n    # via b\nb==2 ; python_version < '3.12' \\\n    --hash=sha256:00\n"
    )
    assert [str(pin) for pin in pins_of(file)] == ["a==1", 'b==2; python_version < "3.12"']
