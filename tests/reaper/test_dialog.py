"""The form, in REAPER's own dialog with its traps and in a window of ReaImGui; cost, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reaper.conftest import Start
from tests.reaper.flows import answer, cancel_form, song, transform
from tests.reaper.reaper import Reaper, to_lua
from tests.reaper.standin import StandIn


@pytest.mark.parametrize(
    "prompt",
    [
        "drums, bass, and keys",
        'a "quoted" word',
        'one " alone',
        "open ( only",
        "closed ) only",
        "100 % naïve — 日本語",
        "a | b \\ c",
        "it's cold",
        "rock 'n' roll, '90s",
        "a ` tick",
        "a ’ typographic one and an ' plain one",
        "12\" vinyl, don't stop (live",
    ],
)
def test_any_prompt_goes_through_the_dialog_and_comes_back_as_the_next_default(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, prompt: str
) -> None:
    song(reaper, tmp_path / "song")
    assert transform(reaper, bridge, Prompt=prompt, Variations="2")["prompt"] == prompt
    reaper.do("fake.answers[1] = {}")  # nothing is touched
    reaper.press("Transform selection")
    fields = reaper.get("fake.shown.fields")
    assert fields[fields.index("heard") - 2 :] == ["2", "8", "heard", "new"], "no field was swallowed"
    reaper.seconds(3)
    assert bridge.request()["prompt"] == prompt


@pytest.mark.parametrize("long", ["ü" * 3000, "x" + "ü" * 3000, "日" * 2000, "🎸" * 2000, "a🎸" * 2000, "x" * 16_000])
def test_a_long_prompt_of_before_is_kept_when_it_is_not_touched(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, long: str
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do(f"""reaper.SetExtState("DAW Bridge", "values_transform", '{{"prompt":"{long}"}}', true)""")
    reaper.do("fake.answers[1] = {}")
    reaper.press("Transform selection")
    assert len(reaper.get("fake.shown.fields[1]").encode()) <= 801
    reaper.seconds(3)
    assert bridge.request()["prompt"] == long


def test_too_long_for_the_dialog(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt="it's " + "ü" * 600, Strength="0.3")
    cancel_form(reaper)
    reaper.press("Transform selection")
    assert "too long for REAPER's dialog" in reaper.get("fake.modals[2]")
    assert reaper.get("fake.shown.fields")[:3] == ["it’s " + "ü" * 396, "", "0.3"], "what fits is kept"
    assert bridge.requests() == []


def test_faults_are_told_together_and_nothing_typed_is_lost(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt="mine", Strength="7", Steps="many", Variations="9", Capture="loud")
    answer(reaper, Strength="0,7", Steps="40", Variations="2", Capture="dry")
    reaper.press("Transform selection")
    fault = reaper.get("fake.modals[2]")
    assert all(word in fault for word in ("Strength", "Steps", "Variations", "Capture"))
    assert reaper.get("fake.shown.fields[1]") == "mine"
    reaper.seconds(3)
    sent = bridge.request()
    assert (sent["prompt"], sent["strength"], sent["steps"], sent["variations"]) == ("mine", 0.7, 40, 2)


def test_a_prompt_or_a_preset_is_needed(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt=" ")
    answer(reaper, Preset="rain")
    reaper.press("Generate at cursor or time selection")
    assert "Prompt" in reaper.get("fake.modals[2]")
    sent = bridge.request()
    assert sent["preset"] == "rain"
    assert "prompt" not in sent


def test_cancelled_nothing_happens(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    cancel_form(reaper)
    reaper.press("Transform selection")
    reaper.seconds(3)
    assert bridge.requests() == []
    assert reaper.get("{#fake.all_items(song), #song.history, #fake.scripts}") == [1, 2, 0]


def test_earlier_prompts(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    for prompt in ("first", "second", "third"):
        transform(reaper, bridge, Prompt=prompt)
    answer(reaper, Prompt="?")
    reaper.do("fake.answers[#fake.answers + 1] = 3 fake.answers[#fake.answers + 1] = {}")
    reaper.press("Transform selection")
    assert reaper.get("fake.menu") == "third|second|first"
    reaper.seconds(3)
    assert bridge.request()["prompt"] == "first"


def test_again_without_a_dialog(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    first = transform(reaper, bridge, Prompt="one", Strength="0.25", Seed="5")
    reaper.do("song.time_selection = {14, 16}")
    modals = reaper.get("#fake.modals")
    reaper.press("Transform again with the last settings")
    reaper.seconds(3)
    second = bridge.request()
    assert reaper.get("#fake.modals") == modals
    assert (second["prompt"], second["strength"]) == ("one", 0.25)
    assert "seed" not in second, "a new seed, else it would be the same take"
    assert (second["place"]["position"], second["place"]["length"]) == (14.0, 2.0)
    assert first["id"] != second["id"]


def test_again_before_there_was_anything(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    cancel_form(reaper)
    reaper.press("Transform again with the last settings")
    assert reaper.get("#fake.modals") == 1


def test_the_values_outlive_reaper(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    first = start()
    song(first, tmp_path / "song")
    transform(first, bridge, Prompt="for ever", Strength="0.3")
    first.kill()
    second = start()
    song(second, tmp_path / "song")
    cancel_form(second)
    second.press("Transform selection")
    assert second.get("fake.shown.fields")[:3] == ["for ever", "", "0.3"]


def test_the_head_tells_price_and_limit(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    cancel_form(reaper)
    reaper.press("Transform selection")
    assert reaper.get("fake.shown.title") == (
        "DAW Bridge: transform Guitar é, 12.25–20.25 s = 8.00 s ($0.58 a take, $8.84 of $10.00 left today)"
    )


@pytest.mark.parametrize(("agreed", "variations"), [(True, 8), (False, 8), (None, 3)])
def test_a_dear_request_asks_with_the_amount(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, agreed: bool | None, variations: int
) -> None:
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt="x", Variations=str(variations))
    if agreed is not None:
        reaper.do(f"fake.answers[#fake.answers + 1] = {6 if agreed else 7}")
    reaper.press("Transform selection")
    reaper.seconds(3)
    sent = bridge.requests()
    if agreed is None:
        assert "confirm_usd" not in sent[0]
        return
    assert "$4.64" in reaper.get("fake.modals[2]")
    assert len(sent) == agreed
    if agreed:
        assert sent[0]["confirm_usd"] == pytest.approx(4.64)
    else:
        assert reaper.get("#fake.all_items(song)") == 1


def test_nothing_is_sent_to_a_bridge_that_does_not_run(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    for told in ({"running": False}, {"time": 1.0}):
        bridge.beat(**told)
        reaper.press("Transform selection")
        reaper.seconds(16)
    (bridge.home / "runtime.json").unlink()
    reaper.press("Transform selection")
    assert [("not running" in text, "nothing was spent" in text) for text in reaper.get("fake.modals")] == [
        (True, True)
    ] * 3
    assert bridge.requests() == []


def test_a_bridge_that_has_not_seen_us_yet_gets_its_time(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    (bridge.outbox / "daemon.json").unlink()
    answer(reaper, Prompt="x")
    reaper.press("Transform selection")
    reaper.seconds(1)
    bridge.beat()
    reaper.seconds(4)
    assert len(bridge.requests()) == 1
    assert reaper.get("#fake.modals") == 1


def test_another_version_is_told_once(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    bridge.beat(version="9.9.9")
    transform(reaper, bridge)
    assert "9.9.9" in reaper.get("fake.modals[1]")
    assert "daw-bridge install reaper" in reaper.get("fake.modals[1]")
    bridge.beat(version="9.9.9")
    transform(reaper, bridge)
    assert reaper.get("#fake.modals") == 3


def test_a_reaper_of_2022_with_lua_53(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    reaper = start(version="6.47")
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.seconds(4)
    transform(reaper, bridge, Prompt="again", Track="lane")
    assert bridge.words() == [f"{job}.1.placed.json"]
    assert reaper.get("#fake.modals") == 2
    reaper.check()


def test_an_older_reaper_is_told_so(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    reaper = start(version="6.24")
    song(reaper, tmp_path / "song")
    reaper.press("Transform selection")
    assert "6.47" in reaper.get("fake.modals[1]")


@pytest.mark.parametrize(("track", "tracks", "lane"), [("new", 2, 0), ("same", 1, 0), ("lane", 1, 1)])
def test_where_the_placeholder_stands(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, track: str, tracks: int, lane: int
) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge, Track=track)
    item = "fake.all_items(song)[2]"
    assert reaper.get(f"{{#song.tracks, {item}.info.I_FIXEDLANE}}") == [tracks, lane]
    assert sent["place"]["track"] == ("strings, (slow)" if track == "new" else "Guitar é")
    assert reaper.get("song.history[song.at].title") == "DAW Bridge: ask for a take"


def test_the_window_of_reaimgui(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    reaper = start(imgui=True)
    song(reaper, tmp_path / "song")
    bridge.beat(
        jobs=[{"job": "a", "id": "b", "state": "generating", "charge": "confirmed", "fraction": 0.25, "prompt": "old"}]
    )
    reaper.press("Transform selection")
    reaper.tick(3)
    texts = reaper.get("fake.ui.texts")
    assert any("Prompt: say what" in text for text in texts), "Send comes when the form is right"
    assert "bar 0.25" in texts
    reaper.do(
        'fake.ui.typed["Prompt"] = "two\\nlines" fake.ui.moved["Strength"] = 0.75 fake.ui.moved["Variations"] = 2'
    )
    reaper.do('fake.ui.typed["Capture"] = "dry" fake.ui.typed["Preset"] = "rain"')
    reaper.tick(2)
    assert any("This costs $1.16" in text for text in reaper.get("fake.ui.texts"))
    reaper.do('fake.ui.clicks["Send"] = true')
    reaper.seconds(3)
    sent = bridge.request()
    assert (sent["prompt"], sent["strength"], sent["variations"], sent["preset"]) == ("two\nlines", 0.75, 2, "rain")
    assert "steps" not in sent
    frames = reaper.get("fake.ui.frames")
    reaper.seconds(1)
    assert reaper.get("fake.ui.frames") == frames, "the window is closed"
    assert reaper.get("#fake.modals") == 0
    reaper.check()


def test_the_window_is_closed(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    reaper = start(imgui=True)
    song(reaper, tmp_path / "song")
    reaper.press("Generate at cursor or time selection")
    reaper.tick(2)
    reaper.press("Generate at cursor or time selection")
    reaper.tick(2)
    reaper.do("fake.ui.closed = true")
    reaper.seconds(1)
    assert bridge.requests() == []
    assert reaper.get("#fake.scripts") == 0
    assert reaper.get("#fake.modals") == 0


@pytest.mark.parametrize("imgui", [True, False])
def test_the_status_window(start: Start, bridge: StandIn, tmp_path: Path, imgui: bool) -> None:
    reaper = start(imgui=imgui)
    problem = {"code": "E-LIMIT", "text": "The day's limit is reached.", "next": "Raise it."}
    bridge.beat(
        paused={"reason": "person", "text": "paused by you", "since": 1.0},
        jobs=[
            {"job": "a", "id": "b", "state": "generating", "charge": "confirmed", "fraction": 0.5, "prompt": "rain"},
            {
                "job": "c",
                "id": "d",
                "state": "held",
                "charge": "none",
                "fraction": 0.0,
                "prompt": "snow",
                "problem": problem,
            },
        ],
    )
    reaper.press("Show status window")
    reaper.seconds(1)
    shown = " / ".join(reaper.get("fake.ui.texts" if imgui else "fake.drawn"))
    for part in (
        "$0.58 a take",
        "paused by you",
        "generating 50 %  rain",
        "snow",
        "E-LIMIT: The day's limit is reached.",
    ):
        assert part in shown
    reaper.do("fake.ui.closed = true" if imgui else "fake.key = 27")
    bridge.beat()
    reaper.seconds(8)
    assert reaper.get("#fake.scripts") == 0
    reaper.check()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "daw-bridge install reaper"),
        ("{", "cannot be used"),
        ('{"version": 2, "home": "/x", "client": "reaper"}', "update the scripts"),
        ('{"version": 1, "home": "x", "client": "reaper"}', "whole path"),
        ('{"version": 1, "home": "/x", "client": "Réaper"}', "a-z"),
    ],
)
def test_the_configuration_is_wrong(reaper: Reaper, content: str | None, word: str) -> None:
    path = reaper.scripts / "daw_bridge.json"
    path.unlink() if content is None else path.write_text(content, encoding="utf-8")
    for script in ("Transform selection", "Cancel newest", "Place unplaced takes", "Show status window"):
        reaper.press(script)
        assert word in reaper.get("fake.modals[#fake.modals]")
        reaper.tick()


def test_scripts_that_lie_elsewhere_find_what_the_installer_wrote(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    other = reaper.resources / "Scripts" / "Some index" / "reaper_scripts"
    other.parent.mkdir()
    config = (reaper.scripts / "daw_bridge.json").read_text(encoding="utf-8")
    reaper.scripts.rename(other)
    reaper.scripts.mkdir()
    (other / "daw_bridge.json").rename(reaper.scripts / "daw_bridge.json")
    assert config
    answer(reaper, Prompt="x")
    reaper.do(f"fake.run({to_lua(other / 'DAW Bridge_Transform selection.lua')})")
    reaper.seconds(3)
    assert len(bridge.requests()) == 1


@pytest.mark.parametrize(
    ("meanwhile", "word"),
    [
        ("fake.new_project('')", "Another project is in front"),
        ("fake.close(song)", "Another project is in front"),
        ("table.remove(song.tracks, 1)", "What was selected was deleted"),
    ],
)
def test_a_window_that_stood_open_for_long(
    start: Start, bridge: StandIn, tmp_path: Path, meanwhile: str, word: str
) -> None:
    reaper = start(imgui=True)
    reaper.do("fake.new_project('')")
    song(reaper, tmp_path / "song")
    reaper.press("Transform selection")
    reaper.tick(2)
    reaper.do(meanwhile)
    reaper.do('fake.ui.typed["Prompt"] = "late" fake.ui.clicks["Send"] = true')
    reaper.seconds(3)
    assert word in reaper.get("fake.modals[1]")
    assert "nothing was spent" in reaper.get("fake.modals[1]")
    assert bridge.requests() == []
    assert all(reaper.get(f"#fake.all_items(fake.tabs[{tab}])") <= 1 for tab in range(1, reaper.get("#fake.tabs") + 1))


def test_the_status_window_wakes_the_watcher(reaper: Reaper, bridge: StandIn) -> None:
    reaper.press("Show status window")
    reaper.seconds(8)
    assert reaper.get("#fake.scripts") == 1, "nothing is open"
    bridge.beat(jobs=[{"job": "a", "id": "b", "state": "generating", "charge": "confirmed"}])
    reaper.seconds(2)
    assert reaper.get("#fake.scripts") == 2
    assert reaper.get("#fake.modals") == 0


@pytest.mark.parametrize("edited", ["it’s colder (still) — say “hi”", "it's colder, isn't it (yes"])
def test_what_is_typed_over_a_prompt_with_quotes_is_sent_as_it_was_typed(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, edited: str
) -> None:
    song(reaper, tmp_path / "song")
    transform(reaper, bridge, Prompt="it's (cold")
    transform_again = transform(reaper, bridge, Prompt=edited)
    # the dialog shows stand-ins for marks that it cannot show; of a text that had them, they become the marks again
    assert transform_again["prompt"].replace("'", "’") == edited.replace("'", "’")


def test_a_word_appended_to_a_prompt_with_quotes_keeps_the_quotes(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    assert transform(reaper, bridge, Prompt="don't (stop")["prompt"] == "don't (stop"
    cancel_form(reaper)
    reaper.press("Transform selection")
    shown = reaper.get("fake.shown.fields[1]")
    assert transform(reaper, bridge, Prompt=shown + " now")["prompt"] == "don't (stop now"


def test_what_is_remembered_survives_a_restart_outside_of_the_code_page(
    start: Start, bridge: StandIn, tmp_path: Path
) -> None:
    prompt = "Regen über 東京 𝄞, it's \\u0041"
    first = start()
    path = song(first, tmp_path / "song")
    assert transform(first, bridge, Prompt=prompt)["prompt"] == prompt
    first.kill()
    second = start()
    second.do(f"""song = fake.open("{path}") fake.undo_point(song, "x")
        song.time_selection = {{12.25, 20.25}} song.tracks[1].selected = true""")
    second.press("Transform again with the last settings")
    second.seconds(3)
    assert bridge.request()["prompt"] == prompt


@pytest.mark.parametrize(
    ("slider", "key", "values"),
    [
        ("Strength", "strength", [0.6, 0.7, 0.8, 0.85]),
        ("CFG scale", "cfg_scale", [8.0, 9.0, 12.0]),
        ("Steps", "steps", [51, 60, 70]),
        ("Variations", "variations", [2, 3]),
    ],
)
def test_the_first_drag_of_a_slider_counts_to_its_end_and_can_be_taken_back(
    start: Start, bridge: StandIn, tmp_path: Path, slider: str, key: str, values: list[float]
) -> None:
    reaper = start(imgui=True)
    song(reaper, tmp_path / "song")
    reaper.press("Transform selection")
    reaper.do('fake.ui.typed["Prompt"] = "rain"')
    dragged = ", ".join(map(str, values))
    reaper.do(f'fake.ui.drag = {{label = "{slider}", values = {{{dragged}}}}}')
    reaper.tick(len(values) + 1)
    assert any("Guitar é, 12.25–20.25 s = 8.00 s" in text for text in reaper.get("fake.ui.texts"))
    reaper.do('fake.answers[1] = 6 fake.ui.clicks["Send"] = true')
    reaper.seconds(3)
    assert bridge.request()[key] == values[-1]
    reaper.do("fake.ui.drag = nil")
    reaper.press("Transform selection")
    reaper.do('fake.ui.clicks["Reset"] = true')
    reaper.tick(2)
    reaper.do('fake.ui.clicks["Send"] = true')
    reaper.seconds(3)
    assert key not in bridge.request()


@pytest.mark.parametrize("prompt", ["????", "a ? b", "Zo? ?"])
def test_what_an_earlier_version_kept_and_came_back_as_question_marks_is_never_sent(
    start: Start, bridge: StandIn, tmp_path: Path, prompt: str
) -> None:
    first = start()
    first.do(f"""reaper.SetExtState("DAW Bridge", "values_transform", '{{"prompt":"{prompt}","strength":"0.3"}}', true)
        reaper.SetExtState("DAW Bridge", "prompts", '["{prompt}","plain"]', true)""")
    first.kill()
    second = start()
    song(second, tmp_path / "song")
    answer(second, Prompt="?")
    second.do('fake.answers[#fake.answers + 1] = 1 fake.answers[#fake.answers + 1] = "cancel"')
    second.press("Transform again with the last settings")
    second.seconds(3)
    assert bridge.requests() == [], "it asks"
    assert second.get("fake.menu") == "plain"
    assert second.get("fake.shown.fields")[2] == "0.3", "what is whole is kept"


def test_what_an_earlier_version_kept_whole_is_written_anew_in_ascii(
    start: Start, bridge: StandIn, tmp_path: Path
) -> None:
    reaper = start()
    song(reaper, tmp_path / "song")
    reaper.do("""reaper.SetExtState("DAW Bridge", "values_transform", '{"prompt":"Regen 東京"}', true)""")
    reaper.press("Transform again with the last settings")
    reaper.seconds(3)
    assert bridge.request()["prompt"] == "Regen 東京"
    assert (
        reaper.do("""for name, value in pairs(fake.persistent) do
        if value:find("[\\128-\\255?]") and name:find("DAW Bridge") then return name .. value end end""")
        is None
    )


# What was typed is never lost


def test_what_was_typed_is_there_again_after_a_no(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt="Zoë's (long) text", Variations="8", Seed="7")
    reaper.do("fake.answers[#fake.answers + 1] = 7")
    reaper.press("Transform selection")
    sent = transform(reaper, bridge, Variations="1", Prompt="Zoë's (long) text")
    assert (sent["prompt"], sent["seed"]) == ("Zoë's (long) text", 7)
    cancel_form(reaper)
    reaper.press("Transform selection")
    assert reaper.get("fake.shown.fields")[0] == "Zoë’s （long） text"
    assert "7" not in reaper.get("fake.shown.fields"), "what was sent is no draft any more"
    reaper.check()


@pytest.mark.parametrize("how", ["fault", "changed selection"])
def test_what_was_typed_is_there_again_whatever_ends_the_press(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, how: str
) -> None:
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt="a long text", Variations="99")
    if how == "fault":
        cancel_form(reaper)
    else:
        answer(reaper, Variations="8")
        reaper.do("fake.answers[#fake.answers + 1] = 7")
    reaper.press("Transform selection")
    reaper.tick()
    reaper.do("song.time_selection = {1.0, 2.5}")
    cancel_form(reaper)
    reaper.press("Transform selection")
    fields = dict(zip(reaper.get("fake.shown.captions"), reaper.get("fake.shown.fields"), strict=True))
    assert next(value for key, value in fields.items() if key.startswith("Prompt")) == "a long text"
    assert fields["Length in s"] == "1.5", "the length of a selection goes with the selection"
    assert bridge.requests() == []


@pytest.mark.parametrize("end", ["fake.ui.closed = true", "fake.ui.key = 526", "fake.terminate_all()"])
def test_what_was_typed_into_the_window_is_there_again(start: Start, bridge: StandIn, tmp_path: Path, end: str) -> None:
    reaper = start(imgui=True)
    song(reaper, tmp_path / "song")
    reaper.press("Transform selection")
    reaper.do('fake.ui.typed = {Prompt = "a long text"}')
    reaper.tick(2)
    reaper.do(end)
    reaper.seconds(1)
    assert reaper.get("#fake.scripts") == 0
    assert '"prompt":"a long text"' in reaper.get('reaper.GetExtState("DAW Bridge", "kept_draft_transform")')
    assert bridge.requests() == []


@pytest.mark.parametrize("prompt", ["###", "!", "> loud", "<b> 100 % & more &", "a|b\\c", "🎸" * 150, "& drums"])
def test_an_earlier_prompt_is_chosen_from_the_menu_whatever_it_holds(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, prompt: str
) -> None:
    song(reaper, tmp_path / "song")
    for one in ("first", prompt, "third"):
        transform(reaper, bridge, Prompt=one)
    answer(reaper, Prompt="?")
    reaper.do("fake.answers[#fake.answers + 1] = 2 fake.answers[#fake.answers + 1] = {}")
    reaper.press("Transform selection")
    lines = reaper.get("fake.menu_lines")
    assert len(lines) == 3
    assert lines[1].strip() == (prompt.replace("|", " ") if len(prompt) < 120 else "🎸" * 119 + "…")
    reaper.seconds(3)
    assert bridge.request()["prompt"] == prompt


def test_a_name_of_a_take_is_one_line(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job, name="two\nlines\tand " + "more " * 100)
    reaper.seconds(4)
    name = reaper.get("fake.all_items(song)[2].takes[1].texts.P_NAME")
    assert name.startswith("two lines and more")
    assert len(name) == 200
