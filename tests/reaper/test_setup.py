"""Setup: the actions are registered by REAPER's own function, and __startup.lua keeps what others wrote."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

import bridge_daemon
from tests.reaper.conftest import Start
from tests.reaper.flows import song, transform
from tests.reaper.reaper import ROOT, SCRIPTS, Reaper
from tests.reaper.standin import StandIn
from tools import toolbar_icons

FIRST, LAST = "-- >>> DAW Bridge (added by DAW Bridge_Setup)", "-- <<< DAW Bridge"
THEIRS = "-- of another script\nlocal x = 1\n"


def startup(reaper: Reaper) -> Path:
    return reaper.resources / "Scripts" / "__startup.lua"


def test_setup_registers_every_action(reaper: Reaper, bridge: StandIn) -> None:
    reaper.do("fake.answers = {7}")
    reaper.press("Setup")
    known = {Path(path).name for path in reaper.get("fake.commands")}
    assert known == {path.name for path in SCRIPTS.glob("*.lua")}
    assert "10 actions are registered" in reaper.get("fake.modals[2]")
    assert "The bridge runs, version" in reaper.get("fake.modals[2]")
    assert not startup(reaper).exists(), "only when agreed"
    reaper.check()


@pytest.mark.parametrize("before", [None, THEIRS, THEIRS.rstrip("\n"), ""])
def test_the_block_at_the_start_comes_and_goes(reaper: Reaper, bridge: StandIn, before: str | None) -> None:
    if before is not None:
        startup(reaper).write_text(before)
    reaper.do("fake.answers = {6}")
    reaper.press("Setup")
    text = startup(reaper).read_text()
    assert text.startswith(before or "")
    assert text.count(FIRST) == text.count(LAST) == 1
    reaper.tick()
    reaper.do(f'fake.run("{startup(reaper)}")')
    assert reaper.get("#fake.scripts") == 1, "the watcher runs"
    reaper.do("fake.terminate_all() fake.answers = {1}")
    reaper.press("Setup")
    assert startup(reaper).read_text() == text, "once"
    reaper.tick()
    reaper.do("fake.answers = {2, 6}")
    reaper.press("Setup")
    if before:
        assert startup(reaper).read_text() == before.rstrip("\n") + "\n"
    else:
        assert not startup(reaper).exists()
    assert reaper.get("fake.commands") == []
    assert not list(startup(reaper).parent.glob("__startup.lua.*"))


def test_the_icons_are_brought_to_where_reaper_looks_and_taken_away(reaper: Reaper, bridge: StandIn) -> None:
    folder = reaper.resources / "Data" / "toolbar_icons"
    reaper.do("fake.answers = {7}")
    reaper.press("Setup")
    there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}
    assert there == {name: (toolbar_icons.FOLDER / name).read_bytes() for name in toolbar_icons.files()}
    reaper.tick(3)
    reaper.do("fake.answers = {2, 6}")
    reaper.press("Setup")
    assert list(folder.rglob("*.png")) == []


def test_the_block_does_no_harm_when_the_scripts_are_gone(reaper: Reaper, bridge: StandIn) -> None:
    reaper.do("fake.answers = {6}")
    reaper.press("Setup")
    reaper.tick()
    for path in reaper.scripts.glob("*.lua"):
        path.unlink()
    reaper.do(f'fake.run("{startup(reaper)}")')
    reaper.check()


def test_without_a_configuration_it_asks(reaper: Reaper, bridge: StandIn) -> None:
    (reaper.scripts / "daw_bridge.json").unlink()
    reaper.do(f'fake.answers = {{{{Home = "{bridge.home}", Name = "studio-b"}}, 7}}')
    reaper.press("Setup")
    assert json.loads((reaper.scripts / "daw_bridge.json").read_text()) == {
        "version": 1,
        "home": str(bridge.home),
        "client": "studio-b",
    }


def test_cancelled_setup_does_nothing(reaper: Reaper, bridge: StandIn) -> None:
    (reaper.scripts / "daw_bridge.json").unlink()
    reaper.do('fake.answers = {"cancel"}')
    reaper.press("Setup")
    assert reaper.get("fake.commands") == []
    assert not (reaper.scripts / "daw_bridge.json").exists()


@pytest.mark.parametrize("answers", ["0", "2, 7"])
def test_no_answer_but_a_clear_yes_takes_anything_back(reaper: Reaper, bridge: StandIn, answers: str) -> None:
    reaper.do("fake.answers = {6}")
    reaper.press("Setup")
    reaper.tick()
    before = reaper.get("fake.commands")
    reaper.do(f"fake.answers = {{{answers}}}")
    reaper.press("Setup")
    assert reaper.get("fake.commands") == before
    assert FIRST in startup(reaper).read_text()


def test_a_home_that_was_mistyped_is_shown_again(reaper: Reaper, bridge: StandIn) -> None:
    (reaper.scripts / "daw_bridge.json").unlink()
    reaper.do(f'fake.answers = {{{{Home = "no path"}}, {{Home = "{bridge.home}"}}, 7}}')
    reaper.press("Setup")
    assert "home is not the whole path of a folder" in reaper.get("fake.modals[2]")
    assert reaper.get("fake.shown.fields") == ["no path", "reaper"]
    assert (reaper.scripts / "daw_bridge.json").exists()


WATCHER = "DAW Bridge_Watcher (starts by itself).lua"
REMOVED = f'reaper.AddRemoveReaScript(false, 0, "{{}}/{WATCHER}", true)'


def test_an_action_that_was_removed_is_not_registered_again(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("fake.answers = {6}")
    reaper.press("Setup")
    reaper.tick()
    reaper.do(REMOVED.format(reaper.scripts))
    reaper.do(f'fake.run("{startup(reaper)}")')
    assert reaper.get("#fake.scripts") == 0, "and nothing is started with REAPER"
    assert len(transform(reaper, bridge)["id"]) == 36, "a press watches by itself then"
    assert WATCHER not in {Path(path).name for path in reaper.get("fake.commands")}
    reaper.check()


def test_a_block_of_an_earlier_version_is_brought_up_to_date(reaper: Reaper, bridge: StandIn) -> None:
    startup(reaper).write_text(f"{THEIRS}{FIRST}\nreaper.AddRemoveReaScript(true, 0, 'x', true)\n{LAST}\n-- more\n")
    reaper.press("Setup")
    text = startup(reaper).read_text()
    assert "AddRemoveReaScript" not in text
    assert text.startswith(THEIRS + FIRST)
    assert text.endswith(f"{LAST}\n-- more\n")


# What stands in the files


def test_one_version_everywhere() -> None:
    (version,) = re.findall(r'^return "(.+)"$', (SCRIPTS / "lib" / "version.lua").read_text(), re.MULTILINE)
    assert version == bridge_daemon.__version__


def test_setup_knows_every_action() -> None:
    listed = set(re.findall(r'"(DAW Bridge_.+\.lua)"', (SCRIPTS / "lib" / "setup.lua").read_text(encoding="utf-8")))
    listed |= set(re.findall(r'"(DAW Bridge_.+\.lua)"', (SCRIPTS / "lib" / "watcher.lua").read_text(encoding="utf-8")))
    assert listed == {path.name for path in SCRIPTS.glob("*.lua")}


def test_no_module_is_forgotten_and_none_is_missing() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in [*SCRIPTS.glob("*.lua"), *SCRIPTS.glob("lib/*.lua")])
    used = set(re.findall(r'import\("(\w+)"\)', code)) | set(re.findall(r'\.run\(folder, "(\w+)"', code)) | {"app"}
    assert used == {path.stem for path in SCRIPTS.glob("lib/*.lua")}


def test_modules_are_small() -> None:
    for path in SCRIPTS.rglob("*.lua"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 400, path.name


@pytest.mark.needs("luacheck", "lua-check")
def test_luacheck_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["luacheck", "--no-color", "reaper_scripts", "ardour_scripts"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.needs("luacheck", "lua-check")
@pytest.mark.parametrize(
    "line", ["reaper.GetTrak(0, 0)", "reaper.BR_GetMediaItemByGUID(0, '')", "x = 1", "gfx.nothing()"]
)
def test_luacheck_would_see_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "wrong.lua"
    path.write_text(line + "\n")
    command = ["luacheck", "--no-color", "--config", str(ROOT / ".luacheckrc"), str(path)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 1


# What Setup finds out


def test_it_waits_as_long_as_the_bridge_may_need_to_see_a_new_inbox(reaper: Reaper, bridge: StandIn) -> None:
    (bridge.outbox / "daemon.json").unlink()
    reaper.do("fake.answers = {7}")
    reaper.press("Setup")
    reaper.seconds(11)
    assert reaper.get("#fake.modals") == 1, "only the question about the start"
    assert "looking for the bridge" in reaper.get("fake.tooltip")
    bridge.beat()
    reaper.seconds(1)
    assert "The bridge runs, version" in reaper.get("fake.modals[2]")
    assert reaper.get("fake.tooltip") == ""


def test_it_says_that_the_bridge_does_not_run_when_it_does_not(reaper: Reaper, bridge: StandIn) -> None:
    bridge.beat(time=1.0)
    reaper.do("fake.answers = {7}")
    reaper.press("Setup")
    reaper.seconds(20)
    assert "does not run now" in reaper.get("fake.modals[2]")


@pytest.mark.parametrize("narrow", [True, False])
def test_it_finds_out_whether_files_can_be_renamed(start: Start, bridge: StandIn, narrow: bool) -> None:
    reaper = start(narrow=narrow)
    reaper.do("fake.answers = {6}")
    reaper.press("Setup")
    reaper.seconds(1)
    assert reaper.get('reaper.GetExtState("DAW Bridge", "in_place")') == ("1" if narrow else "")
    assert FIRST in startup(reaper).read_text()
    reaper.do("fake.terminate_all() fake.answers = {2, 6}")
    reaper.press("Setup")
    reaper.seconds(1)
    assert not startup(reaper).exists() or startup(reaper).read_text() == ""
    reaper.check()


def test_the_icons_are_what_the_tool_draws() -> None:
    def pixels(data: bytes) -> tuple[int, int, bytes]:
        width, height = struct.unpack(">II", data[16:24])
        at, packed = 8, b""
        while at < len(data):
            length, name = struct.unpack(">I4s", data[at : at + 8])
            packed += data[at + 8 : at + 8 + length] if name == b"IDAT" else b""
            at += length + 12
        return width, height, zlib.decompress(packed)

    there = {path.relative_to(toolbar_icons.FOLDER).as_posix(): path for path in toolbar_icons.FOLDER.rglob("*.png")}
    made = toolbar_icons.files()
    assert there.keys() == made.keys()
    for name, path in there.items():
        width, height, rows = pixels(path.read_bytes())
        assert (width, height, rows) == pixels(made[name])
        assert width == 3 * height == 90 * toolbar_icons.SCALES[name.rpartition("/")[0]]
