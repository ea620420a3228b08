"""The panel, drawn by gfx: what it shows, what its buttons do, listening, starting the bridge, and its cost."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.reaper.conftest import Start
from tests.reaper.flows import song
from tests.reaper.reaper import Reaper, to_lua
from tests.reaper.standin import StandIn

YES, NO = 6, 7
CONTROL_ENTER = "gfx.mouse_cap = 4 fake.keys = {13} fake.tick() gfx.mouse_cap = 0"


def job(name: str, state: str, **more: Any) -> dict[str, Any]:
    now = time.time()
    told = {"job": name, "id": f"id-{name}", "state": state, "charge": "none", "usd": 0.58, "action": "generate"}
    return told | {"prompt": f"prompt of {name}", "fraction": 0.0, "created_at": now - 60} | more


def opened(reaper: Reaper, path: Path) -> Reaper:
    """The panel, with the song."""
    song(reaper, path / "song")
    reaper.press("Panel")
    reaper.tick(40)
    return reaper


def texts(reaper: Reaper) -> list[str]:
    found: list[str] = reaper.do("local t = {'-'} for _, s in ipairs(fake.shapes) do t[#t + 1] = s.text end return t")
    return found


def type_prompt(reaper: Reaper, text: str) -> None:
    codes = ", ".join(str(ord(one) if ord(one) < 127 else ord("u") << 24 | ord(one)) for one in text)
    reaper.do(f"fake.keys = {{{codes}}}")
    reaper.tick(2)


def click(reaper: Reaper, label: str) -> None:
    """Press the mouse on a widget with a text, and let it go."""
    reaper.do(f"""
        for _, s in ipairs(fake.shapes) do
          if s.text == {to_lua(label)} then gfx.mouse_x, gfx.mouse_y = s.x + 2, s.y + 2 end
        end
        gfx.mouse_cap = 1 fake.tick() gfx.mouse_cap = 0 fake.tick() gfx.mouse_x = 0""")
    reaper.tick(2)


def marks(bridge: StandIn) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.items() if k != "id"} for one in bridge.commands()]


def test_it_tells_what_will_be_sent_and_control_enter_sends_it(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    opened(reaper, tmp_path)
    type_prompt(reaper, 'Zoë\'s "rain", (slow)')
    shown = " ".join(texts(reaper))
    assert "Will be sent: Guitar é, 12.25 to 20.25 s = 8.00 s" in shown
    assert "1 take costs $0.58. $8.84 is left today." in shown
    assert "1: close to the source." in shown
    reaper.do(CONTROL_ENTER)
    reaper.seconds(3)
    sent = bridge.request()
    assert (sent["action"], sent["prompt"]) == ("transform", 'Zoë\'s "rain", (slow)')
    assert (sent["place"]["position"], sent["place"]["length"]) == (12.25, 8.0)
    reaper.press("Panel")  # pressed again, it closes
    assert reaper.get("fake.window_open") is False
    reaper.check()


def test_a_key_that_is_held_sends_once(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    opened(reaper, tmp_path)
    type_prompt(reaper, "rain")
    for _ in range(40):
        reaper.do(CONTROL_ENTER)
    reaper.seconds(3)
    assert len(bridge.requests()) == 1
    reaper.seconds(10)
    reaper.do(CONTROL_ENTER)
    reaper.seconds(3)
    assert len(bridge.requests()) == 1, "pressed anew, it sends again"


def test_nothing_is_sent_while_something_is_missing(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    opened(reaper, tmp_path)
    reaper.do(CONTROL_ENTER)
    click(reaper, "Send (Ctrl+Enter)")
    type_prompt(reaper, "rain")
    bridge.beat(running=False)
    reaper.seconds(1)
    reaper.do(CONTROL_ENTER)
    reaper.do("song.time_selection = {0, 0} guitar.selected = false riff.selected = false")
    bridge.beat()
    reaper.seconds(3)
    assert any("Nothing is selected" in one for one in texts(reaper))
    reaper.do(CONTROL_ENTER)
    reaper.seconds(2)
    assert bridge.requests() == []
    reaper.check()


@pytest.mark.parametrize(
    ("state", "label", "answers", "expected"),
    [
        ("held", "Send, $0.58", [YES], [{"command": "retry", "job": "j1", "again": True, "confirm_usd": 0.58}]),
        ("held", "Send, $0.58", [NO], []),
        ("failed", "Ask anew, $0.58", [YES], [{"command": "retry", "job": "j1", "again": True, "confirm_usd": 0.58}]),
        ("generating", "Cancel", [], [{"command": "cancel", "job": "j1"}]),
        (
            "unknown",
            "Close: was charged",
            [],
            [{"command": "resolve", "job": "j1", "action": "dismiss", "charged": True}],
        ),
        ("placed", "Favourite: no", [], [{"command": "mark", "job": "j1", "favourite": True}]),
        ("placed", "Discard", [], [{"command": "mark", "job": "j1", "trashed": True}]),
        (
            "stored",
            "Discard",
            [],
            [{"command": "cancel", "job": "j1"}, {"command": "mark", "job": "j1", "trashed": True}],
        ),
    ],
)
def test_the_buttons_of_a_job(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, state: str, label: str, answers: list[int], expected: Any
) -> None:
    file, _ = bridge.take(tmp_path / "library", "j1")
    bridge.beat(jobs=[job("j1", state, file=str(file) if state in ("placed", "stored") else None)])
    opened(reaper, tmp_path)
    reaper.do(f"fake.answers = {{{', '.join(map(str, answers))}}}")
    click(reaper, label)
    assert sorted(marks(bridge), key=str) == sorted(expected, key=str)
    assert ("prompt of j1" in " ".join(texts(reaper))) == (label != "Discard")
    assert file.exists()
    assert reaper.get("fake.errors") == []


def test_state_charge_and_wait_are_told(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    now = time.time()
    bridge.beat(
        jobs=[
            job("j2", "generating", charge="confirmed", fraction=0.5, submitted_at=now - 20),
            job("j1", "placed", charge="confirmed", submitted_at=now - 100, finished_at=now - 60),
            job("j0", "generating", charge="confirmed", submitted_at=now - 10),
            job("jx", "placed", trashed_at=now),
        ]
    )
    opened(reaper, tmp_path)
    shown = "\n".join(texts(reaper))
    assert re.search(r"generating 50 % - \$0.58 spent - about (19|2\d) s left", shown)
    assert re.search(r"generating - \$0.58 spent - about (2[5-9]|3[01]) s left", shown), "as long as the one before"
    assert "prompt of jx" not in shown


def heard(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> Reaper:
    file, _ = bridge.take(tmp_path / "library", "j1", seconds=2.0)
    bridge.beat(jobs=[job("j1", "placed", file=str(file))])
    opened(reaper, tmp_path)
    reaper.do("before = {song.changes, #song.tracks, song.at, song.cursor}")
    return reaper


def test_a_take_is_heard_by_a_preview_of_sws(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    reaper = heard(start(sws=True), bridge, tmp_path)
    click(reaper, "Listen")
    assert reaper.get("#fake.previews") == 1
    assert reaper.get("song.changes == before[1]"), "the project is left alone"
    click(reaper, "Stop")
    assert reaper.get("#fake.previews") == 0
    click(reaper, "Listen")
    reaper.seconds(4)
    assert "Listen" in texts(reaper)
    click(reaper, "Listen")
    reaper.do("fake.terminate_all()")
    reaper.tick(2)
    reaper.check()


@pytest.mark.parametrize("end", ["by itself", "stop", "the transport", "a change", "the window closes", "terminated"])
def test_without_sws_it_is_heard_on_a_track_that_leaves_no_trace(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, end: str
) -> None:
    heard(reaper, bridge, tmp_path)
    click(reaper, "Listen")
    assert reaper.get("#song.tracks == before[2] + 1 and song.play_state == 1")
    assert reaper.get("song.tracks[#song.tracks].info.B_SHOWINTCP") == 0
    assert reaper.get("song.cursor == before[4]")
    if end == "stop":
        click(reaper, "Stop")
    elif end == "the transport":
        reaper.do("song.play_state = 0")
    elif end == "a change":
        reaper.do("fake.undo_point(song, 'somebody') riff.info.D_LENGTH = 19 song.changes = song.changes + 1")
    elif end == "the window closes":
        reaper.do("fake.key = -1")
    elif end == "terminated":
        reaper.do("fake.terminate_all()")
    reaper.seconds(3 if end == "by itself" else 0.3)
    assert reaper.get("#song.tracks == before[2] and song.play_state == 0 and song.cursor == before[4]")
    assert reaper.get("song.at == before[3]") == (end != "a change"), "no undo step of ours"
    reaper.check()


def test_nothing_is_played_over_what_plays(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    heard(reaper, bridge, tmp_path)
    reaper.do("song.play_state = 5")
    click(reaper, "Listen")
    assert reaper.get("#song.tracks == before[2] and song.play_state == 5")
    assert "Stop it first" in " ".join(texts(reaper))
    reaper.check()


def test_a_track_that_a_crash_has_left_is_taken_away(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("fake.new_track(song, '').ext.daw_bridge_preview = '1' count = #song.tracks")
    reaper.press("Panel")
    reaper.tick(3)
    assert reaper.get("#song.tracks == count - 1")


def test_the_bridge_is_started_after_one_question(reaper: Reaper, bridge: StandIn, tmp_path: Path, home: Path) -> None:
    path = reaper.scripts / "daw_bridge.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    (home / "runtime.json").unlink()
    bridge.beat(running=False)
    opened(reaper, tmp_path)
    assert "Start the bridge" not in texts(reaper), "how is not known"
    command = ["/opt/a path/python", "-P", "-m", "bridge_daemon", "start"]
    path.write_text(json.dumps(told | {"start": command}), encoding="utf-8")
    reaper.do(f"fake.answers = {{{NO}, {YES}}}")
    reaper.seconds(1)
    click(reaper, "Start the bridge")
    assert reaper.get("fake.executed") is None
    click(reaper, "Start the bridge")
    assert reaper.get("fake.executed") == '"/opt/a path/python" -P -m bridge_daemon start'
    assert "Start the bridge" not in texts(reaper), "not twice"
    reaper.seconds(21)
    reaper.do("fake.executed = nil")
    click(reaper, "Start the bridge")
    assert reaper.get("fake.executed") is not None, "agreed once"
    reaper.check()


def test_toolbars_show_what_runs(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    panel, watcher = (
        to_lua(str(reaper.scripts / f"DAW Bridge_{name}.lua")) for name in ("Panel", "Watcher (starts by itself)")
    )
    reaper.do(f"panel = reaper.AddRemoveReaScript(true, 0, {panel}, true)")
    reaper.do(f"watcher = reaper.AddRemoveReaScript(true, 0, {watcher}, true)")
    bridge.beat(jobs=[job("j1", "generating")])
    reaper.do("reaper.Main_OnCommand(panel, 0)")
    reaper.seconds(1)
    assert reaper.get("fake.shown_toggles[panel] == 1 and fake.shown_toggles[watcher] == 1")
    reaper.do("fake.key = -1")
    bridge.beat()
    reaper.seconds(10)
    assert reaper.get("fake.shown_toggles[panel] == 0 and fake.shown_toggles[watcher] == 0")


@pytest.mark.parametrize("end", ["reaper ends", "its window is closed", "the action is pressed again"])
def test_it_opens_again_with_reaper_if_it_was_open(reaper: Reaper, bridge: StandIn, tmp_path: Path, end: str) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("fake.answers = {6}")
    reaper.press("Setup")
    reaper.tick(2)
    press = f"reaper.Main_OnCommand(fake.commands[{to_lua(str(reaper.scripts / 'DAW Bridge_Panel.lua'))}], 0)"
    reaper.do(press)
    reaper.seconds(3)
    assert reaper.get("fake.window_open") is True
    if end == "its window is closed":
        reaper.do("fake.key = -1 fake.tick() fake.key = 0")
    elif end == "the action is pressed again":
        reaper.do("history = #song.history " + press)
        assert reaper.get("fake.window_open == false and #song.history == history"), "no undo step of ours"
    reaper.do("fake.terminate_all()")
    reaper.seconds(2)
    reaper.do(f"fake.run({to_lua(str(reaper.resources / 'Scripts' / '__startup.lua'))})")
    reaper.seconds(1)
    assert reaper.get("fake.window_open") is (end == "reaper ends")
    reaper.check()


def test_the_place_in_the_docker_is_remembered(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    reaper = opened(start(), tmp_path)
    assert reaper.get("fake.dock") == 1
    reaper.do("fake.dock = 513")
    reaper.tick(3)
    reaper.kill()
    again = start()
    again.press("Panel")
    assert again.get("fake.dock") == 513


def test_a_turn_is_short_and_reads_no_file(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    bridge.beat(jobs=[job(f"j{number}", "failed") for number in range(20)])
    reaper.do("opened = 0 local open = io.open io.open = function(...) opened = opened + 1 return open(...) end")
    song(reaper, tmp_path / "song")
    reaper.do("for n = 1, 300 do fake.new_track(song, 'x') end")
    reaper.press("Panel")
    reaper.seconds(8)  # the watcher has gone: nothing is open
    assert reaper.get("#fake.scripts") == 1
    reaper.do("opened = 0")
    spent = reaper.do("""
        local times = {}
        for n = 1, 90 do local began = os.clock() fake.tick() times[n] = (os.clock() - began) * 1000 end
        table.sort(times)
        return times[80]""")
    assert reaper.get("opened") <= 3 * 2 * 6, "twice a second, a few files"
    assert spent < 5.0, f"{spent} ms"


def test_what_is_typed_and_not_sent_survives(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    reaper = opened(start(), tmp_path)
    type_prompt(reaper, "Zoë's rain")
    click(reaper, "Generate instead")
    assert any("Zoë's rain" in one for one in texts(reaper)), "the other action begins with it"
    click(reaper, "Transform instead")
    click(reaper, "More settings")
    type_prompt(reaper, " and more")
    assert any("Zoë's rain and more" in one for one in texts(reaper)), "a click elsewhere leaves the field its keys"
    reaper.do("fake.key = -1 fake.tick()")
    reaper.kill()
    again = opened(start(), tmp_path / "two")
    assert any("Zoë's rain and more" in one for one in texts(again))


@pytest.mark.parametrize("text", ["x" * 16_000, "word " * 3200, "ü" * 8000])
@pytest.mark.parametrize("width", [160, 420])
def test_a_long_text_stays_in_its_field_and_costs_no_time(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, text: str, width: int
) -> None:
    song(reaper, tmp_path / "song")
    told = json.dumps({"prompt": text, "length": "1" * 300, "seed": "9" * 2000}, ensure_ascii=True)
    reaper.do(f"reaper.SetExtState('DAW Bridge', 'kept_draft_transform', {to_lua(told)}, false)")
    reaper.press("Panel")
    reaper.do(f"gfx.w = {width}")
    reaper.tick(3)
    click(reaper, "More settings")
    reaper.do(f"gfx.w = {width}")
    reaper.tick(3)
    right = reaper.do("""
        local right = 0
        for _, s in ipairs(fake.shapes) do
          local w = s.kind == 'text' and utf8.len(s.text) * s.w * 0.5 or 0
          right = math.max(right, s.x + w)
        end
        return right""")
    assert right <= max(width, 420 * 0.6), "no text is drawn beyond the window"
    spent = reaper.do("""
        local began = os.clock()
        for n = 1, 30 do fake.tick() end
        return (os.clock() - began) * 1000 / 30""")
    assert spent < 10, f"{spent} ms for a turn"
    reaper.check()


def test_money_is_told_once_and_truly(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    problem = {"code": "E-FAILED", "text": "The service could not make it.", "next": ""}
    bridge.beat(jobs=[job("j1", "failed", charge="confirmed", problem=problem)])
    opened(reaper, tmp_path)
    shown = " ".join(texts(reaper))
    assert "$0.58 spent" in shown
    assert "Nothing was spent" not in shown
    reaper.press("Show status window")
    reaper.seconds(1)
    assert "Nothing was spent" not in " ".join(reaper.get("fake.drawn"))


def test_two_presses_on_send_while_the_first_is_captured_are_one(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    opened(reaper, tmp_path)
    type_prompt(reaper, "rain")
    reaper.do("fake.render = 'background'")
    for _ in range(3):
        click(reaper, "Send (Ctrl+Enter)")
    assert "this one was ignored" in " ".join(texts(reaper))
    reaper.seconds(3)
    assert len(bridge.requests()) == 1
    reaper.do("song.time_selection = {13, 14}")
    click(reaper, "Send (Ctrl+Enter)")
    reaper.seconds(3)
    assert len(bridge.requests()) == 1, "another place is another press"
    assert reaper.get("#fake.modals") == 0
    reaper.check()


@pytest.mark.parametrize("what", ["a status", "a take that arrives", "a press"])
def test_what_we_do_ourselves_leaves_who_listens_alone(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, what: str
) -> None:
    """The hidden track is no part of any undo step of ours, and news do not stop it."""
    file, _ = bridge.take(tmp_path / "library", "j1", seconds=6.0)
    bridge.beat(jobs=[job("j1", "placed", file=str(file)), job("j2", "generating")])
    opened(reaper, tmp_path)
    reaper.do("guitar.info.I_SOLO = 1")
    type_prompt(reaper, "rain")
    reaper.do(CONTROL_ENTER)
    reaper.seconds(3)
    sent = bridge.request()
    (name,) = bridge.status(sent, "generating", fraction=0.1)
    reaper.seconds(3)
    tracks = reaper.get("#song.tracks")
    click(reaper, "Listen")
    assert reaper.get("song.tracks[#song.tracks].info.I_SOLO") == 1, "heard beside a track that is soloed"
    if what == "a status":
        bridge.status(sent, "generating", fraction=0.9)
    elif what == "a take that arrives":
        bridge.status(sent, "stored")
        bridge.result(sent, name)
    else:
        reaper.do("fake.answers = {{Prompt = 'snow'}}")
        reaper.press("Generate at cursor or time selection")
        reaper.seconds(0.5)
        reaper.do("fake.undo(song)")
        assert reaper.get("#song.tracks") == tracks, "the step was made without the hidden track"
        assert reaper.get("song.play_state") == 0
        return
    reaper.seconds(2)
    assert reaper.get("#song.tracks == " + str(tracks + 1) + " and song.play_state == 1"), "it plays on"
    reaper.seconds(8)
    assert reaper.get("#song.tracks") == tracks
    if what == "a take that arrives":
        assert reaper.get("#fake.all_items(song)[2].takes") == 1, "and comes when it has ended"
        reaper.do("fake.undo(song)")
        assert reaper.get("#song.tracks") == tracks
    reaper.check()


def test_a_take_whose_item_is_gone_and_one_that_was_cancelled_can_be_placed(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    file, _ = bridge.take(tmp_path / "library", "j1")
    bridge.beat(jobs=[job("j1", "stored", charge="confirmed", wanted=False, file=str(file))])
    opened(reaper, tmp_path)
    click(reaper, "Place")
    assert marks(bridge) == [{"command": "deliver", "job": "j1"}]
    assert "The action Place unplaced takes puts it into this project" in " ".join(texts(reaper))


def test_a_job_asked_for_anew_in_the_panel_comes_into_its_item(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    opened(reaper, tmp_path)
    type_prompt(reaper, "rain")
    reaper.do(CONTROL_ENTER)
    reaper.seconds(3)
    sent = bridge.request()
    (name,) = bridge.status(sent, "failed", charge="confirmed")
    bridge.beat(jobs=[job(name, "failed", id=sent["id"], charge="confirmed")])
    reaper.seconds(3)
    reaper.do(f"fake.answers = {{{YES}}}")
    click(reaper, "Ask anew, $0.58")
    (command,) = list(bridge.inbox.glob("*.command.json"))
    new = {"id": command.name.partition(".")[0], "place": sent["place"]}
    assert marks(bridge) == [{"command": "retry", "job": name, "again": True, "confirm_usd": 0.58}]
    (second,) = bridge.status(new, "stored")
    bridge.result(new, second)
    bridge.beat()
    reaper.seconds(5)
    assert reaper.get("#fake.all_items(song)[2].takes") == 1
    reaper.check()


def test_many_selected_items_are_gone_through_once(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("""
        song.time_selection, guitar.selected = {0, 0}, false
        for n = 1, 2000 do fake.new_audio_item(guitar, 40 + n / 20, 0.01).selected = true end""")
    reaper.press("Panel")
    reaper.do("fake.calls = {}")
    reaper.seconds(1)
    assert "2000 items on Guitar" in " ".join(texts(reaper))
    assert reaper.get("fake.calls.GetSelectedMediaItem == nil and fake.calls.IsMediaItemSelected <= 2 * 2001")


def test_a_take_is_not_heard_through_a_folder_that_has_no_end(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    heard(reaper, bridge, tmp_path)
    reaper.do("guitar.info.I_FOLDERDEPTH = 1 fake.new_track(song, 'child')")
    reaper.tick(2)
    click(reaper, "Listen")
    assert reaper.get("song.tracks[1].info.B_SHOWINTCP") == 0
    click(reaper, "Stop")
    assert reaper.get("#song.tracks == 2 and song.tracks[1] == guitar")
    reaper.check()
