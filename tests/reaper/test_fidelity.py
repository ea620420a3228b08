"""The fake keeps to each line of README.md, and each of these tests fails when its line is broken on purpose."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reaper.reaper import HERE, LuaError, Reaper

#: What all pieces may use.
COMMON = """
local song = fake.tabs[1]
local track = fake.new_track(song, "one")
local item = fake.new_audio_item(track, 2.0, 4.0)
local P, T, I = song.pointer, track.pointer, item.pointer
local function script(text)
  fake.count = (fake.count or 0) + 1
  local path = fake.resources .. "/script " .. fake.count .. ".lua"
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end
local function fails(run, ...) return not pcall(run, ...) end
local path = fake.resources .. "/song.rpp"
local function set_up_render(name)
  fake.make_folder(fake.resources .. "/out")
  local set = function(key, value) reaper.GetSetProjectInfo(P, key, value, true) end
  set("RENDER_SETTINGS", 0) set("RENDER_BOUNDSFLAG", 0) set("RENDER_STARTPOS", 2.0) set("RENDER_ENDPOS", 3.0)
  local text = function(key, value) reaper.GetSetProjectInfo_String(P, key, value, true) end
  text("RENDER_FILE", fake.resources .. "/out") text("RENDER_PATTERN", name) text("RENDER_FORMAT", "ZXZhdxgBAA==")
  return fake.resources .. "/out/" .. name .. ".wav"
end
"""

#: (fact, broken as) → what must hold.
POINTS: dict[tuple[int, str], str] = {
    (1, "unknown"): "assert(reaper.ThereIsNoSuchFunction == nil)",
    (
        2,
        "zero_based",
    ): "assert(reaper.GetTrack(P, 0) == T and reaper.GetMediaItem(P, 0) == I and not reaper.GetTrack(P, 1))",
    (3, "project_zero"): "assert(reaper.CountTracks(0) == 1 and reaper.CountTracks(nil) == 1)",
    (4, "identity"): "fake.new_track(song, 'two') assert(reaper.GetTrack(P, 0) == T and reaper.GetTrack(P, 1) ~= T)",
    (5, "stale_delete"): """
        assert(reaper.ValidatePtr2(P, I, "MediaItem*"))
        reaper.DeleteTrackMediaItem(T, I)
        assert(I ~= nil and not reaper.ValidatePtr2(P, I, "MediaItem*") and fails(reaper.GetMediaItemTrack, I))""",
    (6, "stale_undo"): """
        fake.undo_point(song, "a") fake.undo_point(song, "b")
        fake.undo(song)
        assert(reaper.CountMediaItems(P) == 1 and not reaper.ValidatePtr2(P, I, "MediaItem*"))""",
    (7, "stale_close"): """
        fake.close(song)
        assert(not reaper.ValidatePtr2(nil, P, "ReaProject*") and not reaper.ValidatePtr2(nil, I, "MediaItem*"))""",
    (8, "undo_guid"): """
        fake.undo_point(song, "a") fake.undo_point(song, "b")
        local _, before = reaper.GetSetMediaItemInfo_String(I, "GUID", "", false)
        fake.undo(song)
        local _, after = reaper.GetSetMediaItemInfo_String(reaper.GetMediaItem(P, 0), "GUID", "", false)
        assert(before == after)""",
    (9, "reopened"): """
        fake.save(song, path) fake.close(song)
        local again = fake.open(path)
        assert(again.pointer ~= P and not reaper.ValidatePtr2(nil, P, "ReaProject*"))""",
    (10, "enum_current"): """
        local other = fake.new_project("")
        assert(reaper.EnumProjects(-1) == other.pointer and reaper.EnumProjects(0) == P)""",
    (11, "enum_end"): "assert(reaper.EnumProjects(1) == nil)",
    (12, "render_background"): """
        assert(reaper.EnumProjects(0x40000000) == nil)
        set_up_render("a") fake.render = "background"
        reaper.Main_OnCommandEx(42230, 0, P)
        assert(reaper.EnumProjects(0x40000000) == P)
        for _ = 1, 30 do fake.tick() end
        assert(reaper.EnumProjects(0x40000000) == nil)""",
    (13, "ext_absent"): "assert(reaper.GetExtState('a', 'b') == '')",
    (14, "proj_ext_absent"): "local n, v = reaper.GetProjExtState(P, 'a', 'b') assert(n == 0 and v == '')",
    (15, "save_keeps_nothing"): """
        local mark = function(value)
          reaper.SetProjExtState(song.pointer, "s", "k", value)
          reaper.GetSetMediaItemInfo_String(reaper.GetMediaItem(song.pointer, 0), "P_EXT:x", value, true)
        end
        local read = function()
          local _, one = reaper.GetProjExtState(song.pointer, "s", "k")
          local _, two = reaper.GetSetMediaItemInfo_String(reaper.GetMediaItem(song.pointer, 0), "P_EXT:x", "", false)
          return one .. two
        end
        mark("a") fake.save(song, path)
        mark("b") fake.close(song)
        song = fake.open(path)
        assert(read() == "aa", read())""",
    (16, "listing_cache"): """
        local folder = fake.resources .. "/list"
        fake.make_folder(folder)
        local put = function(name) assert(io.open(folder .. "/" .. name, "wb")):close() end
        put("a") assert(reaper.EnumerateFiles(folder, 0) == "a")
        put("b") assert(reaper.EnumerateFiles(folder, 1) == nil)
        reaper.EnumerateFiles(folder, -1)
        assert(reaper.EnumerateFiles(folder, 1) ~= nil)""",
    (
        17,
        "exists_folder",
    ): "assert(reaper.file_exists(fake.resources) and not reaper.file_exists(fake.resources .. '/no'))",
    (18, "exec"): """
        assert(reaper.ExecProcess("nobody", 1) == nil)
        fake.processes["who"] = {0, "me"}
        assert(reaper.ExecProcess("who", 1) == "0\\nme")""",
    (19, "defer_inline"): """
        fake.run(script("local function say(x) "
          .. "reaper.SetExtState('a', 'log', reaper.GetExtState('a', 'log') .. x, false) end "
          .. "reaper.defer(function() say('later') end) say('now ')"))
        assert(reaper.GetExtState("a", "log") == "now ")
        fake.tick()
        assert(reaper.GetExtState("a", "log") == "now later")""",
    (20, "automatic_undo"): """
        local before = #song.history
        fake.run(script("local x = 1"))
        assert(#song.history == before + 1)
        fake.run(script("reaper.defer(function() end)"))
        assert(#song.history == before + 1)""",
    (21, "refresh"): "fake.run(script('reaper.PreventUIRefresh(1)')) assert(#fake.errors == 1)",
    (22, "undo_balance"): """
        fake.run(script('reaper.Undo_BeginBlock2(0)'))
        assert(#fake.errors == 1)
        song.blocks = 0
        assert(fails(reaper.Undo_EndBlock2, P, "a", -1))""",
    (23, "render_blocking"): """
        local file, before = set_up_render("a"), fake.now
        reaper.Main_OnCommandEx(42230, 0, P)
        assert(fake.is_file(file) and fake.now > before + 1)""",
    (24, "render_background"): """
        local file = set_up_render("a")
        fake.render = "background"
        reaper.Main_OnCommandEx(42230, 0, P)
        assert(not fake.is_file(file))
        for _ = 1, 30 do fake.tick() end
        assert(fake.is_file(file))""",
    (25, "render_cancel"): """
        local file = set_up_render("a")
        fake.render = "cancel"
        reaper.Main_OnCommandEx(42230, 0, P)
        assert(not fake.is_file(file))""",
    (26, "sidecars"): """
        local file = set_up_render("a")
        fake.sidecars = true
        reaper.Main_OnCommandEx(42230, 0, P)
        assert(fake.is_file(file .. ".RPP"))""",
    (27, "render_settings"): """
        local file = set_up_render("named")
        fake.render = "background"
        reaper.Main_OnCommandEx(42230, 0, P)
        set_up_render("later")
        for _ = 1, 30 do fake.tick() end
        assert(fake.is_file(file) and #fake.renders == 1)""",
    (28, "accessor_tail"): """
        local accessor = reaper.CreateTrackAudioAccessor(T)
        local buffer = reaper.new_array(200)
        assert(reaper.GetAudioAccessorSamples(accessor, 10, 2, 5.0, 40, buffer) == 1)
        local values = buffer.table(1, 80)
        assert(values[20] == 0.25 and values[21] == 9e9)""",
    (29, "inputs_csv"): """
        fake.answers = {{}, {}, {}}
        local _, plain = reaper.GetUserInputs("t", 2, "a,b", "1,2")
        local _, other = reaper.GetUserInputs("t", 2, "a,b,separator=|", "1,5|2")
        assert(plain == "1,2" and other == "1,5|2")
        reaper.GetUserInputs("t", 2, "a,b,separator=|", 'say "|2')
        assert(fake.shown.fields[1] == 'say "|2' and fake.shown.fields[2] == "")
        fake.answers = {{}, {}}
        for _, mark in ipairs({"'", "`"}) do
          reaper.GetUserInputs("t", 2, "a,b,separator=|", "it" .. mark .. "s|2")
          assert(fake.shown.fields[1] == "it" .. mark .. "s|2" and fake.shown.fields[2] == "")
        end""",
    (30, "modal_stalls"): """
        fake.ran = false
        fake.run(script("reaper.defer(function() reaper.SetExtState('a', 'ran', '1', false) end)"))
        local before = fake.now
        reaper.MB("text", "title", 0)
        assert(reaper.GetExtState("a", "ran") == "" and fake.now > before + 1 and #fake.modals == 1)
        fake.tick()
        assert(reaper.GetExtState("a", "ran") == "1")""",
    (31, "version"): "assert(reaper.GetAppVersion():match('^%d+%.%d+/') and reaper.GetOS() == 'Other')",
    (32, "types"): """
        assert(fails(reaper.CountTracks, "x") and fails(reaper.GetTrack, P, 0.5) and fails(reaper.GetTrackGUID, I))
        assert(fails(reaper.GetMediaItemInfo_Value, I, 3) and fails(reaper.GetTrackGUID, nil))""",
    (
        33,
        "counts",
    ): "assert(fails(reaper.CountTracks, P, 1) and fails(reaper.GetTrack, P) and fails(reaper.GetTrackGUID))",
    (34, "rollback"): """
        fake.undo_point(song, "a")
        reaper.GetSetMediaItemInfo_String(I, "P_NOTES", "half", true)
        fake.undo_point(song, "b")
        reaper.GetSetMediaItemInfo_String(I, "P_NOTES", "new", true)
        fake.undo(song)
        local _, text = reaper.GetSetMediaItemInfo_String(reaper.GetMediaItem(P, 0), "P_NOTES", "", false)
        assert(text == "", text)""",
    (35, "relaunch"): """
        local loop = "local function go() reaper.defer(go) end go()"
        local silent, loud = script("reaper.set_action_options(3) " .. loop), script(loop)
        fake.run(silent) fake.run(silent)
        assert(#fake.modals == 0 and #fake.scripts == 1)
        fake.run(loud) fake.run(loud)
        assert(#fake.modals == 1)""",
    (36, "copy_loses"): """
        reaper.GetSetMediaItemInfo_String(I, "P_EXT:x", "mine", true)
        local copied, half = fake.copy_item(item, track, 20.0), fake.split_item(item, 3.0)
        for _, one in ipairs({copied, half}) do
          local _, text = reaper.GetSetMediaItemInfo_String(one.pointer, "P_EXT:x", "", false)
          assert(text == "mine")
        end
        assert(half.info.D_LENGTH == 3.0 and half.takes[1].info.D_STARTOFFS == 1.0)""",
    (37, "old_source"): """
        local file = set_up_render("a")
        reaper.Main_OnCommandEx(42230, 0, P)
        local take = reaper.AddTakeToMediaItem(I)
        reaper.SetMediaItemTake_Source(take, reaper.PCM_Source_CreateFromFile(file))
        assert(fake.loose_sources == 0)
        reaper.SetMediaItemTake_Source(take, reaper.PCM_Source_CreateFromFile(file))
        assert(fake.loose_sources == 1)""",
    (38, "loop_default"): "assert(reaper.GetMediaItemInfo_Value(reaper.AddMediaItemToTrack(T), 'B_LOOPSRC') == 1)",
    (39, "peaks"): """
        local file = set_up_render("a")
        reaper.Main_OnCommandEx(42230, 0, P)
        local source = reaper.PCM_Source_CreateFromFile(file)
        assert(reaper.PCM_Source_BuildPeaks(source, 0) > 0 and reaper.PCM_Source_BuildPeaks(source, 1) > 0)""",
    (40, "ext_persist"): """
        reaper.SetExtState("a", "kept", "1", true)
        reaper.SetExtState("a", "gone", "1", false)
        fake = new_fake({resources = fake.resources})
        assert(fake.reaper.GetExtState("a", "kept") == "1" and fake.reaper.GetExtState("a", "gone") == "")""",
    (41, "own_state"): """
        local one = script("counter = (counter or 0) + 1 reaper.SetExtState('a', 'n', tostring(counter), false)")
        fake.run(one) fake.run(one)
        assert(reaper.GetExtState("a", "n") == "1")""",
    (42, "track_defaults"): """
        reaper.InsertTrackAtIndex(0, true) reaper.InsertTrackAtIndex(0, false)
        assert(reaper.GetMediaTrackInfo_Value(reaper.GetTrack(0, 1), "I_RECARM") == 1)
        assert(reaper.GetMediaTrackInfo_Value(reaper.GetTrack(0, 0), "I_RECARM") == 0)""",
    (43, "ext_ascii"): """
        reaper.SetExtState("a", "kept", "Zoë 日", true)
        assert(reaper.GetExtState("a", "kept") == "Zoë 日")
        fake = new_fake({resources = fake.resources})
        assert(fake.reaper.GetExtState("a", "kept") == "Zo? ?")""",
    (44, "cursor_context"): "fake.cursor_context = 1 assert(reaper.GetCursorContext2(true) == 1)",
    (45, "razor"): """
        track.razor = '1.5 2.5 ""'
        local _, areas = reaper.GetSetMediaTrackInfo_String(T, "P_RAZOREDITS", "", false)
        assert(areas == '1.5 2.5 ""')""",
    (46, "imgui_ids"): """
        fake = new_fake({resources = fake.resources, imgui = true, broken = next(fake.broken)})
        local reaper = fake.reaper
        local context = reaper.ImGui_CreateContext("t")
        local function drag(labels)
          fake.ui.drag = {label = "Strength", values = {0.1, 0.2, 0.3}}
          local value
          for _, label in ipairs(labels) do
            reaper.ImGui_Begin(context, "w", true)
            local moved, now = reaper.ImGui_SliderDouble(context, label, 0.9, 0, 1)
            value = moved and now or value
            reaper.ImGui_End(context)
          end
          return value
        end
        assert(drag({"Strength (a)###s", "Strength###s", "Strength###s"}) == 0.3)
        assert(drag({"Strength (a)##s", "Strength##s", "Strength##s"}) == 0.1)""",
    (48, "folder_order"): """
        reaper.SetMediaTrackInfo_Value(T, "I_FOLDERDEPTH", 1)
        reaper.InsertTrackAtIndex(1, false)
        assert(reaper.GetParentTrack(T) == nil and reaper.GetParentTrack(reaper.GetTrack(P, 1)) == T)""",
    (49, "phantom_lane"): """
        reaper.SetMediaTrackInfo_Value(T, "I_FREEMODE", 2)
        fake.save(song, path)
        assert(reaper.GetMediaTrackInfo_Value(T, "I_NUMFIXEDLANES") == 2)""",
    (50, "lanes_play"): """
        reaper.SetMediaTrackInfo_Value(T, "I_FREEMODE", 2)
        reaper.SetMediaTrackInfo_Value(T, "I_NUMFIXEDLANES", 2)
        local function plays(lane) return reaper.GetMediaTrackInfo_Value(T, "C_LANEPLAYS:" .. lane) end
        assert(plays(0) == 2 and plays(1) == 2)
        reaper.SetMediaTrackInfo_Value(T, "C_LANEPLAYS:1", 1)
        assert(plays(0) == 0 and plays(1) == 1)""",
    (51, "solo"): """
        fake.new_track(song, "two").info.I_SOLO = 2
        set_up_render("solo")
        reaper.Main_OnCommandEx(42230, 0, P)
        local heard = fake.renders[1].settings.heard
        assert(#heard == 1 and heard[1] == "two")""",
    (57, "command_names"): """
        local command = reaper.AddRemoveReaScript(true, 0, script("local x = 1"), true)
        local name = "_" .. reaper.ReverseNamedCommandLookup(command)
        assert(reaper.NamedCommandLookup(name) == command and reaper.NamedCommandLookup("_RSnone") == 0)""",
    (58, "length_at_once"): """
        local source = reaper.PCM_Source_CreateFromFile((function() set_up_render("len")
          reaper.Main_OnCommandEx(42230, 0, P) return fake.resources .. "/out/len.wav" end)())
        assert(reaper.GetMediaSourceLength(source) == 0)
        fake.tick()
        assert(reaper.GetMediaSourceLength(source) > 0)""",
    (59, "not_seen"): """
        track.frozen = true
        local _, chunk = reaper.GetTrackStateChunk(T, "", false)
        assert(chunk:find("\\n<FREEZE"))""",
    (60, "comp_lane"): """
        fake.add_comp_lane(track)
        local function plays(lane) return reaper.GetMediaTrackInfo_Value(T, "C_LANEPLAYS:" .. lane) end
        assert(reaper.GetMediaItemInfo_Value(I, "I_FIXEDLANE") == 1 and plays(0) == 1 and plays(1) == 0)""",
    (61, "track_lock"): """
        fake.new_audio_item(track, 9.0, 1.0).info.C_LOCK = 1
        local function own() return (select(2, reaper.GetTrackStateChunk(T, "", false)):gsub("<ITEM.-\\n>\\n", "")) end
        assert(not own():find("LOCK"))
        reaper.SetOnlyTrackSelected(T) reaper.Main_OnCommand(41312, 0)
        assert(own():find("\\nLOCK 1\\n"))
        assert(reaper.SetMediaTrackInfo_Value(T, "D_VOL", 0.5) and track.info.D_VOL == 0.5)
        reaper.Main_OnCommand(41313, 0)
        assert(not own():find("LOCK"))""",
    (62, "accessor_cost"): """
        local accessor, buffer = reaper.CreateTrackAudioAccessor(T), reaper.new_array(2000)
        local began = reaper.time_precise()
        reaper.GetAudioAccessorSamples(accessor, 48000, 2, 0, 1000, buffer)
        assert(math.abs(reaper.time_precise() - began - 15e-6) < 1e-9)""",
    (63, "stretch_markers"): """
        local take = item.takes[1]
        take.source = {path = "x", length = 8.0}
        reaper.SetTakeStretchMarker(take.pointer, -1, 1.0, 1.0) reaper.SetTakeStretchMarker(take.pointer, -1, 3.0, 2.0)
        reaper.SetMediaItemTakeInfo_Value(take.pointer, "D_STARTOFFS", 0.5)
        local _, at, source = reaper.GetTakeStretchMarker(take.pointer, 1)
        assert(at == 3.0 and source == 2.0 and fake.source_at(take, 2.0 + 2.0) == 1.5)""",
    (64, "imgui_calls"): """
        local other = new_fake({resources = fake.resources, imgui = true, broken = next(fake.broken)})
        local r, ui = other.reaper, other.ui
        local context = r.ImGui_CreateContext("x")
        assert(r.ImGui_Begin(context, "x", true))
        assert(fails(r.ImGui_Button, context) and fails(r.ImGui_Button, context, 5))
        assert(fails(r.ImGui_SliderInt, context, "x", 1, 0.5, 2) and fails(r.ImGui_Button, context, "x", 1, 1, 1))
        ui.held = 525
        assert(r.ImGui_IsKeyPressed(context, 525) and not r.ImGui_IsKeyPressed(context, 525, false))
        r.ImGui_End(context)
        ui.collapsed = true
        assert(not r.ImGui_Begin(context, "x", true) and fails(r.ImGui_End, context))""",
    (47, "narrow"): """
        fake.narrow = true
        local before = fake.resources .. "/é"
        assert(io.open(before, "wb")):close()
        fake.run(script(("local a = %q local done = os.rename(a, a .. 'x') or os.remove(a) "
          .. "reaper.SetExtState('a', 'n', tostring(done), false)"):format(before)))
        assert(reaper.GetExtState("a", "n") == "nil" and fake.is_file(before))""",
    (52, "toggle"): """
        reaper.SetToggleCommandState(0, 7, 1)
        assert(fake.shown_toggles[7] == nil)
        reaper.RefreshToolbar2(0, 7)
        assert(fake.shown_toggles[7] == 1)""",
    (53, "preview"): """
        local other = new_fake({resources = fake.resources, sws = true, broken = next(fake.broken)})
        local source = { path = "x", length = 0.1 }
        other.pointers.make("PCM_source", source)
        local played = other.reaper.CF_CreatePreview(source.pointer)
        local silent = other.reaper.CF_CreatePreview(source.pointer)
        other.reaper.CF_Preview_Play(played)
        other.tick()
        assert(fails(other.reaper.CF_Preview_Stop, silent))
        assert(other.reaper.CF_Preview_GetValue(played, "D_POSITION"))
        for _ = 1, 5 do other.tick() end
        assert(fails(other.reaper.CF_Preview_Stop, played))
        assert(other.pointers.find(source.pointer, "PCM_source") and reaper.CF_CreatePreview == nil)""",
    (54, "transport"): """
        reaper.SetEditCurPos2(P, 5.0, false, false)
        reaper.OnPlayButtonEx(P)
        reaper.SetEditCurPos2(P, 1.0, false, false)
        for _ = 1, 30 do fake.tick() end
        assert(math.abs(reaper.GetPlayPositionEx(P) - 6.0) < 0.01)
        reaper.OnStopButtonEx(P)
        assert(reaper.GetPlayStateEx(P) == 0 and reaper.GetCursorPositionEx(P) == 1.0)""",
    (55, "source_peaks"): """
        local source = { path = "x", length = 4.0, peaks = 0 }
        fake.pointers.make("PCM_source", source)
        local buffer = reaper.new_array(200)
        assert(fails(reaper.PCM_Source_GetPeaks, source.pointer, 10, 0, 1, 101, 0, buffer))
        assert(reaper.PCM_Source_GetPeaks(source.pointer, 10, 0, 1, 100, 0, buffer) & 0xFFFFF == 0)
        source.peaks_ready = true
        assert(reaper.PCM_Source_GetPeaks(source.pointer, 10, 0, 1, 100, 0, buffer) & 0xFFFFF == 40)
        assert(buffer.values[3] > 0 and buffer.values[103] < 0)""",
    (65, "menu_marks"): """
        fake.answers = {"Drum & bass", "c", 2}
        assert(gfx.showmenu("a||#off|!Drum && bass|c") == 3)
        assert(gfx.showmenu(">a|b|<c") == 2 and gfx.showmenu("a|b") == 2)
        assert(fake.menu_lines[2] == "b")
        fake.answers = {"x y"}
        assert(gfx.showmenu("a||x &y") == 2)""",
    (66, "track_in_front"): """
        local other = fake.new_project("")
        reaper.InsertTrackAtIndex(0, false)
        assert(#other.tracks == 1 and #song.tracks == 1)""",
    (56, "dock"): """
        gfx.init("x", 10, 10, 257)
        assert(gfx.dock(-1) == 257 and gfx.dock(-1) == 257)""",
}

Start = Callable[..., Reaper]


@pytest.mark.parametrize(("fact", "broken"), POINTS, ids=[f"{fact}-{name}" for fact, name in POINTS])
def test_the_fake_keeps_to_it_and_this_test_would_see_it_broken(start: Start, fact: int, broken: str) -> None:
    right = start()
    right.do(COMMON + POINTS[fact, broken])
    shutil.rmtree(right.resources)
    with pytest.raises(LuaError):
        start(broken=broken).do(COMMON + POINTS[fact, broken])


def test_each_line_of_the_list_has_its_test() -> None:
    lines = re.findall(r"^\| (\d+) \|.*\| `(\w+)` \|$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {(int(fact), broken) for fact, broken in lines} == set(POINTS)


def test_each_way_to_break_the_fake_is_a_line_of_the_list() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(HERE / "fake").glob("*.lua")))
    assert set(re.findall(r"broken\.(\w+)", code)) == {broken for _, broken in POINTS}


def test_each_fact_that_the_code_names_is_in_the_list() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(HERE / "fake").glob("*.lua")))
    named = {int(number) for line in re.findall(r"facts? ([\d, and]+)", code) for number in re.findall(r"\d+", line)}
    assert named <= {fact for fact, _ in POINTS}


def test_a_function_that_the_fake_lacks_is_an_error(start: Start) -> None:
    with pytest.raises(LuaError, match="the fake has no InsertMedia"):
        start().do("reaper.InsertMedia('x', 0)")


def test_functions_of_a_later_reaper_are_not_there(start: Start) -> None:
    assert start(version="6.47").get("reaper.set_action_options == nil and reaper.PCM_Source_BuildPeaks ~= nil") is True
