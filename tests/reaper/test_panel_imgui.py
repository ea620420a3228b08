"""The panel, drawn and used in Dear ImGui itself: the same content and keys as in gfx; and its pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reaper.conftest import Start
from tests.reaper.flows import song
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

pytest.importorskip("imgui_bundle", reason="Dear ImGui for Python has no wheels for every macOS that we support")
from imgui_bundle import imgui

from tests.reaper import make_pictures
from tests.reaper.dear_imgui import DearImGui
from tests.reaper.test_dear_imgui import click, drag, press
from tests.reaper.test_panel import job, marks, texts


@pytest.fixture(params=["lupa.lua54"])
def lua(request: pytest.FixtureRequest) -> str:
    """The window calls into Python: only a Lua inside of it can."""
    return str(request.param)


@pytest.fixture
def reaper(start: Start, bridge: StandIn, tmp_path: Path, ui: DearImGui) -> Reaper:
    """REAPER with the panel open."""
    file, _ = bridge.take(tmp_path / "library", "j1")
    bridge.beat(jobs=[job("j2", "held"), job("j1", "placed", file=str(file))])
    made = start(dear_imgui=ui.functions(), sws=True)
    song(made, tmp_path / "song")
    made.press("Panel")
    made.tick(40)
    return made


def test_what_is_typed_and_dragged_is_sent_with_control_and_enter(
    reaper: Reaper, bridge: StandIn, ui: DearImGui
) -> None:
    ui.type('It\'s "wet"')
    reaper.tick(2)
    press(reaper, ui, imgui.Key.enter)
    ui.type("second")
    drag(reaper, ui, "Strength", [0.2, 0.4, 0.9])
    assert any("close to the source###strength" in name for name in ui.rects)
    press(reaper, ui, imgui.Key.enter, control=True)
    reaper.seconds(3)
    sent = bridge.request()
    assert sent["prompt"] == 'It\'s "wet"\nsecond'
    assert sent["strength"] > 0.67
    assert reaper.get("fake.errors") == []
    assert "Sent." in ui.texts, "it stays open"


def test_a_key_that_is_held_sends_once(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    ui.type("rain")
    reaper.tick(2)
    ui.key(imgui.Key.enter, True, control=True)
    reaper.seconds(3)
    ui.key(imgui.Key.enter, False)
    reaper.seconds(2)
    assert len(bridge.requests()) == 1


def test_buttons_do_what_they_say(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    click(reaper, ui, "Favourite")
    reaper.do("fake.answers = {6}")
    click(reaper, ui, "Send, $0.58")
    assert sorted(one["command"] for one in marks(bridge)) == ["mark", "retry"]
    click(reaper, ui, "Listen")
    assert reaper.get("#fake.previews") == 1
    press(reaper, ui, imgui.Key.escape)
    assert reaper.get("#fake.previews") == 0
    assert reaper.get("#fake.scripts") >= 1
    reaper.check()


def test_send_does_nothing_without_a_prompt(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    click(reaper, ui, "Send (Ctrl+Enter)")
    press(reaper, ui, imgui.Key.enter, control=True)
    reaper.seconds(2)
    assert bridge.requests() == []


def test_each_widget_has_an_id_of_its_own(reaper: Reaper, ui: DearImGui) -> None:
    click(reaper, ui, "More settings")
    ids = [name.partition("###")[2] for name in ui.rects]
    assert all(ids)
    assert len(ids) == len(set(ids)) > 15


def test_both_windows_say_the_same(
    reaper: Reaper, start: Start, bridge: StandIn, ui: DearImGui, tmp_path: Path
) -> None:
    said = {one.replace("\n", " ") for one in ui.texts} | {name.partition("###")[0] for name in ui.rects} - {""}
    reaper.kill()
    plain = start(sws=True)
    song(plain, tmp_path / "other")
    plain.press("Panel")
    plain.tick(40)
    drawn = " ".join(texts(plain))
    assert [one for one in said if one not in drawn] == []


def test_it_can_be_drawn(tmp_path: Path) -> None:
    for name in ("imgui", "gfx"):
        (tmp_path / name).mkdir()
    pixels = make_pictures.in_imgui(tmp_path / "imgui")
    assert len({tuple(one) for one in pixels.reshape(-1, 3)[::7]}) > 50, "text, waveform, buttons"
    assert make_pictures.PROMPT in make_pictures.in_gfx(tmp_path / "gfx")


def test_escape_takes_nothing_back_that_was_typed(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    ui.type("rain on a roof")
    reaper.tick(2)
    press(reaper, ui, imgui.Key.escape)
    click(reaper, ui, "Send (Ctrl+Enter)")
    reaper.seconds(3)
    assert bridge.request()["prompt"] == "rain on a roof"
