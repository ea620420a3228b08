"""The window, drawn and used in Dear ImGui itself: drags, keys, focus, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reaper.conftest import Start
from tests.reaper.flows import song
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

pytest.importorskip("imgui_bundle", reason="Dear ImGui for Python has no wheels for every macOS that we support")
from imgui_bundle import imgui

from tests.reaper.dear_imgui import DearImGui


@pytest.fixture(params=["lupa.lua54"])
def lua(request: pytest.FixtureRequest) -> str:
    """The window calls into Python: only a Lua inside of it can."""
    return str(request.param)


@pytest.fixture
def reaper(start: Start, bridge: StandIn, tmp_path: Path, ui: DearImGui) -> Reaper:
    """REAPER with the window open."""
    made = start(dear_imgui=ui.functions())
    song(made, tmp_path / "song")
    made.press("Transform selection")
    made.tick(3)
    return made


def click(reaper: Reaper, ui: DearImGui, label: str) -> None:
    ui.move(label)
    reaper.tick()
    ui.button(True)
    reaper.tick(2)
    ui.button(False)
    reaper.tick(2)


def drag(reaper: Reaper, ui: DearImGui, label: str, parts: list[float]) -> None:
    ui.move(label, parts[0])
    reaper.tick()
    ui.button(True)
    reaper.tick(2)
    for part in parts[1:]:
        ui.move(label, part)
        reaper.tick(2)
    ui.button(False)
    reaper.tick(2)


def press(reaper: Reaper, ui: DearImGui, key: Any, *, control: bool = False) -> None:
    ui.key(key, True, control=control)
    reaper.tick(2)
    ui.key(key, False)
    reaper.tick(2)


def sent(reaper: Reaper, bridge: StandIn) -> dict[str, Any]:
    reaper.seconds(3)
    return bridge.request()


def test_the_prompt_has_the_focus_and_control_and_enter_sends(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    ui.type('Regen, it\'s "wet"')
    reaper.tick(2)
    press(reaper, ui, imgui.Key.enter)
    ui.type("second line")
    reaper.tick(2)
    press(reaper, ui, imgui.Key.enter, control=True)
    assert sent(reaper, bridge)["prompt"] == 'Regen, it\'s "wet"\nsecond line'
    reaper.check()


def test_enter_outside_of_the_prompt_sends(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    ui.type("rain")
    reaper.tick(2)
    click(reaper, ui, "Length in s")
    press(reaper, ui, imgui.Key.enter)
    assert sent(reaper, bridge)["prompt"] == "rain"


def test_enter_sends_nothing_while_something_is_missing(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    click(reaper, ui, "Length in s")
    press(reaper, ui, imgui.Key.enter)
    reaper.seconds(3)
    assert bridge.requests() == []
    assert any("Prompt: say what" in text for text in ui.texts), "it is open"


def test_escape_closes_and_nothing_is_sent(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    ui.type("rain")
    reaper.tick(2)
    press(reaper, ui, imgui.Key.escape)
    reaper.seconds(2)
    assert bridge.requests() == []
    assert reaper.get("#fake.scripts") == 0


def test_escape_in_an_open_list_closes_the_list_alone(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    click(reaper, ui, "Preset##")
    assert any(name.startswith("rain") for name in ui.rects)
    press(reaper, ui, imgui.Key.escape)
    assert reaper.get("#fake.scripts") == 1
    assert not any(name.startswith("rain") for name in ui.rects)


@pytest.mark.parametrize(
    ("label", "key", "low"), [("Strength", "strength", 0.75), ("Steps", "steps", 60), ("CFG scale", "cfg_scale", 10)]
)
def test_the_first_drag_counts_to_its_end_and_reset_takes_it_back(
    reaper: Reaper, bridge: StandIn, ui: DearImGui, label: str, key: str, low: float
) -> None:
    ui.type("rain")
    reaper.tick(2)
    assert any("as the bridge or the preset has it" in name for name in ui.rects if name.startswith(label))
    drag(reaper, ui, label, [0.2, 0.4, 0.6, 0.75])
    assert not any("preset has it" in name for name in ui.rects if name.startswith(label))
    (reset,) = [name for name in ui.rects if name.startswith("Reset")]
    first = float(reaper_value(reaper, ui, label, bridge)[key])
    assert first >= low * 0.5
    reaper.press("Transform selection")
    reaper.tick(3)
    click(reaper, ui, reset)
    press(reaper, ui, imgui.Key.enter, control=True)
    assert key not in sent(reaper, bridge)


def reaper_value(reaper: Reaper, ui: DearImGui, label: str, bridge: StandIn) -> dict[str, Any]:
    """Send by the button."""
    assert label
    click(reaper, ui, "Send")
    return sent(reaper, bridge)


def test_a_preset_and_a_word_are_chosen_with_the_mouse(reaper: Reaper, bridge: StandIn, ui: DearImGui) -> None:
    click(reaper, ui, "Preset##")
    click(reaper, ui, "rain")
    click(reaper, ui, "Capture")
    click(reaper, ui, "dry")
    click(reaper, ui, "Send")
    assert sent(reaper, bridge)["preset"] == "rain"


def test_two_widgets_never_share_an_id(reaper: Reaper, ui: DearImGui) -> None:
    ids = [name.partition("###")[2] or name for name in ui.rects]
    assert len(ids) == len(set(ids))
    assert len(ids) > 8
