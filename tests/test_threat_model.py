"""THREAT_MODEL.md and SECURITY.md name tests that exist, and rules that no room has to itself."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODEL = (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", MODEL)
#: What starts a program, in Lua and in the JavaScript of Max.
STARTS = re.compile(
    r"ExecProcess|os\.execute|io\.popen|CF_ShellExecute|launchbrowser|\bsystem\(|child_process|node\.script"
)
#: The scripts that may: they show a file or folder of ours, start the bridge, or check a REAPER of somebody else.
MAY_START = {f"reaper_scripts/{name}.lua" for name in ("lib/act", "lib/start_bridge", "check/facts")} | {
    "max_for_live/js/device.js"
}


def test_rules_name_tests() -> None:
    assert len(NAMED) > 60


def test_every_rule_is_on_the_page() -> None:
    told = {int(number) for row in re.findall(r"^\| ([\d, ]+) \|", MODEL, re.MULTILINE) for number in row.split(",")}
    told |= {int(number) for number in re.findall(r"^\* Rule (\d+)", MODEL, re.MULTILINE)}
    assert told == set(range(1, 35))


@pytest.mark.parametrize(("file", "test"), dict.fromkeys(NAMED))
def test_a_named_test_exists(file: str, test: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"def {test}\(", text), f"{file} has no {test}"


@pytest.mark.parametrize("page", ["THREAT_MODEL.md", "SECURITY.md", "CONTRIBUTING.md"])
def test_every_path_of_a_test_leads_somewhere(page: str) -> None:
    named = re.findall(r"`(tests/[\w/.]*)", (ROOT / page).read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_scripts_of_daws_start_no_program_but_these() -> None:
    lua = [file for folder in ("ardour_scripts", "reaper_scripts") for file in (ROOT / folder).rglob("*.lua")]
    scripts = [*lua, *(ROOT / "max_for_live" / "js").rglob("*.js")]
    assert len(scripts) > 60
    start = {file for file in scripts if STARTS.search(file.read_text(encoding="utf-8"))}
    assert {file.relative_to(ROOT).as_posix() for file in start} == MAY_START


def test_the_floors_of_what_is_depended_on() -> None:
    """aiohttp before 3.14.1 takes two Host headers, and can be made to use up memory."""
    assert '"aiohttp>=3.14.1"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert tuple(int(part) for part in version("aiohttp").split(".")[:3]) >= (3, 14, 1)
    for file in ROOT.glob("requirements*.txt"):
        pins = re.findall(r"^[\w.-]+==.*?(?=^[\w.-]+==|\Z)", file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        assert len(pins) > 20
        assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
