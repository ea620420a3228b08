"""A REAPER with our scripts installed, in every Lua that they have to run in."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.reaper.reaper import LUAS, SCRIPTS, Reaper
from tests.reaper.standin import StandIn

if TYPE_CHECKING:
    from tests.reaper.dear_imgui import DearImGui


def needed(name: str) -> str:
    """Return the name of a Lua; one that is not installed is skipped, and under CI that is a failure."""
    if not name.startswith("lupa") and shutil.which(name) is None:
        sentence = f"needs the program {name}: install the package {name}"
        pytest.fail(sentence) if os.environ.get("CI") else pytest.skip(sentence)
    return name


@pytest.fixture(params=LUAS)
def lua(request: pytest.FixtureRequest) -> str:
    """Each Lua."""
    return needed(str(request.param))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The bridge's home, with a space and an accent in its path, as people's are."""
    path = tmp_path / "Zoë home"
    path.mkdir()
    return path


def install(resources: Path, home: Path, client: str = "reaper") -> None:
    """Put our scripts where the installer does."""
    target = resources / "Scripts" / "DAW Bridge"
    shutil.copytree(SCRIPTS, target, dirs_exist_ok=True)
    told = {"version": 1, "home": str(home), "client": client, "bridge_version": "0.1.0"}
    (target / "daw_bridge.json").write_text(json.dumps(told), encoding="utf-8")


TOLD = """
local told = {"errors", table.unpack(fake.errors)}
told[#told + 1] = "modals"
table.move(fake.modals, 1, #fake.modals, #told + 1, told)
told[#told + 1] = "problem " .. tostring(fake.ext["DAW Bridge\\nproblem"])
for _, project in ipairs(fake.tabs) do
  for _, item in ipairs(fake.all_items(project)) do told[#told + 1] = item.texts.P_NOTES end
end
return told
"""

Start = Callable[..., Reaper]


@pytest.fixture
def start(lua: str, tmp_path: Path, home: Path) -> Iterator[Start]:
    """Start a REAPER; again with the same resources is a restart."""
    started: list[Reaper] = []

    def begin(**options: Any) -> Reaper:
        resources = tmp_path / "Réaper data"
        if not resources.exists():
            install(resources, home)
        reaper = Reaper(lua, resources, **options)
        started.append(reaper)
        return reaper

    yield begin
    for reaper in started:
        if not reaper.dead:
            sys.stdout.write(f"REAPER: {reaper.do(TOLD)}\n")  # shown where the test fails
            assert not [one for one in reaper.get("fake.errors") if "traceback" in one]
    for log in home.glob("inbox/*/.scripts.log"):
        assert "traceback" not in log.read_text(encoding="utf-8")
    for reaper in started:
        reaper.kill()


@pytest.fixture
def reaper(start: Start) -> Reaper:
    """A REAPER with our scripts."""
    return start()


@pytest.fixture
def bridge(home: Path) -> StandIn:
    """The bridge's files."""
    return StandIn(home)


@pytest.fixture
def ui() -> Iterator[DearImGui]:
    """Dear ImGui itself, without a screen."""
    from tests.reaper.dear_imgui import DearImGui  # not there on every system: its tests ask for it first

    made = DearImGui()
    yield made
    made.close()
