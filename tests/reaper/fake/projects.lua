-- Projects, tabs, tracks, time, undo.

local import = ...
local model = import("model")

local CURRENT, RENDERING = -1, 0x40000000

return function(fake, own)
  local pointers, broken = fake.pointers, fake.broken

  local function register_item(item)
    pointers.make("MediaItem", item)
    for _, take in ipairs(item.takes) do
      pointers.make("MediaItem_Take", take)
      take.item = item
    end
  end

  local function kill_item(item)
    pointers.kill(item)
    for _, take in ipairs(item.takes) do
      pointers.kill(take)
    end
  end

  fake.register_item, fake.kill_item = register_item, kill_item

  local function adopt_track(project, track)
    pointers.make("MediaTrack", track)
    track.project = project
    for _, item in ipairs(track.items) do
      item.track = track
      register_item(item)
    end
  end

  local function load_take(plain)
    local take = model.copy(plain)
    take.file = nil
    if plain.file then
      take.source = fake.open_source(plain.file) or { path = plain.file, length = 0, offline = true }
      pointers.make("PCM_source", take.source)
    end
    return take
  end

  local function load_tracks(project, plain)
    project.tracks = {}
    for index, one in ipairs(plain) do
      local track = model.copy(one)
      for _, item in ipairs(track.items) do
        for number, take in ipairs(item.takes) do
          item.takes[number] = load_take(take)
        end
      end
      project.tracks[index] = track
      adopt_track(project, track)
    end
  end

  local function kill_tracks(project)
    for _, track in ipairs(project.tracks) do
      pointers.kill(track)
      for _, item in ipairs(track.items) do
        kill_item(item)
      end
    end
  end

  -- Everything that changes a project comes through here.
  function fake.touch(project)
    project.changes = project.changes + 1
    project.dirty = true
  end

  -- fact 3: nil and 0 are the active project
  function fake.project(pointer)
    if pointer == nil or pointer == 0 then
      if broken.project_zero then
        error("no project")
      end
      return fake.tabs[fake.active]
    end
    return pointers.find(pointer, "ReaProject") or error("stale ReaProject")
  end

  -- Tabs, as a person uses them

  function fake.new_project(path)
    local project = model.new_project(path)
    pointers.make("ReaProject", project)
    pointers.make("MediaTrack", project.master)
    fake.tabs[#fake.tabs + 1] = project
    fake.active = #fake.tabs
    project.history = { { title = "", state = model.snapshot(project) } }
    project.at = 1
    return project
  end

  function fake.new_track(project, name)
    local track = model.new_track(name)
    project.tracks[#project.tracks + 1] = track
    adopt_track(project, track)
    return track
  end

  function fake.save(project, path)
    project.path = path or project.path
    assert(project.path ~= "", "a name is needed")
    local file = assert(io.open(project.path, "wb"))
    for _, track in ipairs(project.tracks) do
      if track.info.half_set_up == 1 then -- fact 49
        fake.grow_lanes(track, track.info.I_NUMFIXEDLANES + 1)
        track.info.half_set_up = 0
      end
    end
    file:write(model.to_text(model.to_file(project)))
    file:close()
    project.dirty = false
  end

  -- fact 7: a closed project's pointers are stale
  function fake.close(project)
    for index, tab in ipairs(fake.tabs) do
      if tab == project then
        table.remove(fake.tabs, index)
        fake.active = math.max(1, math.min(fake.active, #fake.tabs))
      end
    end
    if not broken.stale_close then
      kill_tracks(project)
      pointers.kill(project.master)
      pointers.kill(project)
    end
    fake.closed[project.path] = project
  end

  -- fact 9: a file opened again is a new project
  function fake.open(path)
    local file = assert(io.open(path, "rb"))
    local plain = model.from_text(file:read("a"))
    file:close()
    if broken.reopened and fake.closed[path] then
      local old = fake.closed[path]
      pointers.objects[old.pointer].alive = true
      fake.tabs[#fake.tabs + 1] = old
      fake.active = #fake.tabs
      return old
    end
    local project = fake.new_project(path)
    model.from_file(project, plain)
    if broken.save_keeps_nothing then
      project.ext = {}
    end
    load_tracks(project, plain.tracks)
    project.history = { { title = "", state = model.snapshot(project) } }
    project.at, project.dirty = 1, false
    return project
  end

  -- Undo

  function fake.undo_point(project, title)
    project.at = project.at + 1
    for index = #project.history, project.at, -1 do
      project.history[index] = nil
    end
    project.history[project.at] = { title = title, state = model.snapshot(project) }
    fake.touch(project)
  end

  -- facts 6 and 8: the objects are made anew, with their old GUIDs
  local function go_to(project, at)
    local state = project.history[at].state
    if not broken.stale_undo then
      kill_tracks(project)
    end
    local plain = model.copy(broken.rollback and model.snapshot(project) or state) -- fact 34
    if broken.undo_guid then
      for _, track in ipairs(plain) do
        for _, item in ipairs(track.items) do
          item.guid = model.guid()
        end
      end
    end
    project.at = at
    load_tracks(project, plain)
    fake.touch(project)
  end

  function fake.undo(project)
    if project.at <= 1 then
      return 0
    end
    go_to(project, project.at - 1)
    return 1
  end

  function fake.redo(project)
    if project.at >= #project.history then
      return 0
    end
    go_to(project, project.at + 1)
    return 1
  end

  function own.Undo_BeginBlock2(pointer)
    local project = fake.project(pointer)
    project.blocks = project.blocks + 1
    fake.open_blocks[project] = true
  end

  function own.Undo_EndBlock2(pointer, title, flags)
    local project = fake.project(pointer)
    assert(flags == -1 or flags >= 0, "flags of an undo block")
    if title == "" then
      error("an undo step needs a title", 3)
    elseif project.blocks == 0 and not broken.undo_balance then
      error("Undo_EndBlock2 without Undo_BeginBlock2", 3)
    end
    project.blocks = math.max(0, project.blocks - 1)
    if project.blocks == 0 then
      fake.open_blocks[project] = nil
      fake.undo_point(project, title)
    end
  end

  function own.Undo_CanUndo2(pointer)
    local project = fake.project(pointer)
    return project.at > 1 and project.history[project.at].title or nil
  end

  function own.Undo_CanRedo2(pointer)
    local project = fake.project(pointer)
    return project.at < #project.history and project.history[project.at + 1].title or nil
  end

  function own.Undo_DoUndo2(pointer)
    return fake.undo(fake.project(pointer))
  end

  function own.Undo_DoRedo2(pointer)
    return fake.redo(fake.project(pointer))
  end

  function own.Main_SaveProjectEx(pointer, path)
    fake.save(fake.project(pointer), path)
  end

  -- Into the tab in front, which is new.
  function own.Main_openProject(path)
    fake.close(fake.tabs[fake.active])
    fake.open((path:gsub("^noprompt:", "")))
  end

  function own.SelectProjectInstance(pointer)
    for index, tab in ipairs(fake.tabs) do
      fake.active = tab == fake.project(pointer) and index or fake.active
    end
  end

  fake.actions[41929] = function() fake.new_project("") end
  fake.actions[40860] = function(project)
    assert(not project.dirty, "REAPER asks whether to save")
    fake.close(project)
  end

  function own.PreventUIRefresh(count)
    fake.frozen = fake.frozen + count
  end

  function own.UpdateArrange() end
  function own.UpdateTimeline() end

  -- Tabs, as a script sees them

  function own.EnumProjects(index)
    if index == RENDERING then -- fact 12
      local rendering = fake.rendering and not broken.render_background and fake.rendering.project
      return rendering and pointers.of(rendering) or nil, rendering and rendering.path or nil
    end
    local project
    if index == CURRENT then -- fact 10
      project = fake.tabs[broken.enum_current and 1 or fake.active]
    else
      project = fake.tabs[index + (broken.zero_based and 0 or 1)] -- fact 2
      if broken.enum_end and not project then
        project = fake.tabs[#fake.tabs] -- fact 11
      end
    end
    if project then
      return pointers.of(project), project.path
    end
  end

  local KINDS = { ["ReaProject*"] = "ReaProject", ["MediaTrack*"] = "MediaTrack", ["MediaItem*"] = "MediaItem",
    ["MediaItem_Take*"] = "MediaItem_Take", ["PCM_source*"] = "PCM_source" }

  function own.ValidatePtr2(_, pointer, kind)
    return pointer ~= nil and pointers.find(pointer, assert(KINDS[kind], "a type like MediaItem*")) ~= nil
  end

  function own.GetProjectStateChangeCount(pointer)
    return fake.project(pointer).changes
  end

  function own.IsProjectDirty(pointer)
    return fake.project(pointer).dirty and not fake.never_dirty and 1 or 0
  end

  function own.MarkProjectDirty(pointer)
    fake.project(pointer).dirty = true
  end

  function own.GetProjectName(pointer)
    return fake.project(pointer).path:match("[^/]*$")
  end

  function own.GetProjectPathEx(pointer)
    local project = fake.project(pointer)
    return project.path == "" and fake.default_media or (project.path:match("^(.*)/") .. "/Media")
  end

  function own.GetProjectTimeOffset(pointer)
    return fake.project(pointer).offset
  end

  function own.GetPlayStateEx(pointer)
    return fake.project(pointer).play_state
  end

  function own.GetCursorPositionEx(pointer)
    return fake.project(pointer).cursor
  end

  function own.GetSet_LoopTimeRange2(pointer, set, _, start, stop)
    local project = fake.project(pointer)
    if set then
      project.time_selection = { start, stop }
      fake.touch(project)
    end
    return project.time_selection[1], project.time_selection[2]
  end

  -- The tempo map: one tempo from the start on, and others from the times of ``tempo_changes`` on. Quarter notes.

  local function stretches(project)
    local list, from, quarters, tempo = {}, 0.0, 0.0, project.tempo
    for _, change in ipairs(project.tempo_changes) do
      list[#list + 1] = { from = from, quarters = quarters, tempo = tempo }
      quarters = quarters + (change.at - from) * tempo / 60
      from, tempo = change.at, change.tempo
    end
    list[#list + 1] = { from = from, quarters = quarters, tempo = tempo }
    return list
  end

  local function stretch_at(project, key, value)
    local found
    for _, one in ipairs(stretches(project)) do
      found = (found == nil or one[key] <= value + 1e-12) and one or found
    end
    return found
  end

  function own.TimeMap_GetTimeSigAtTime(pointer, time)
    local project = fake.project(pointer)
    return project.signature[1], project.signature[2], stretch_at(project, "from", time).tempo
  end

  function own.TimeMap2_timeToQN(pointer, time)
    local one = stretch_at(fake.project(pointer), "from", time)
    return one.quarters + (time - one.from) * one.tempo / 60
  end

  function own.TimeMap2_QNToTime(pointer, quarters)
    local one = stretch_at(fake.project(pointer), "quarters", quarters)
    return one.from + (quarters - one.quarters) * 60 / one.tempo
  end

  function own.TimeMap2_timeToBeats(pointer, time)
    local project = fake.project(pointer)
    local beats = own.TimeMap2_timeToQN(pointer, time)
    return beats % project.signature[1], math.floor(beats / project.signature[1]), project.signature[1], beats, project.signature[2]
  end

  -- fact 14: 0 and "" where nothing is
  function own.GetProjExtState(pointer, section, key)
    local project = fake.project(pointer)
    local value = project.ext[section .. "\n" .. key]
    if value == nil then
      if broken.proj_ext_absent then
        return nil
      end
      return 0, ""
    end
    return 1, value
  end

  function own.SetProjExtState(pointer, section, key, value)
    local project = fake.project(pointer)
    project.ext[section .. "\n" .. key] = value ~= "" and value or nil
    project.dirty = true
    return 1
  end

  function own.GetSetProjectInfo(pointer, key, value, set)
    local project = fake.project(pointer)
    if set then
      project.numbers[key] = value
      if fake.rendering and fake.rendering.project == project then
        fake.rendering.touched = true
      end
      fake.touch(project)
    end
    return project.numbers[key] or 0
  end

  function own.GetSetProjectInfo_String(pointer, key, value, set)
    local project = fake.project(pointer)
    if set then
      project.texts[key] = value
      fake.touch(project)
    end
    return project.texts[key] ~= nil, project.texts[key] or ""
  end

  -- Tracks

  local function track_of(pointer)
    return pointers.find(pointer, "MediaTrack") or error("stale MediaTrack")
  end

  fake.track_of = track_of

  local function selected_tracks(project)
    local found = {}
    for _, track in ipairs(project.tracks) do
      if track.selected then
        found[#found + 1] = track
      end
    end
    return found
  end

  fake.selected_tracks = selected_tracks

  local function at(list, index)
    return pointers.of(list[index + (broken.zero_based and 0 or 1)]) -- fact 2
  end

  fake.at = at

  function own.CountTracks(pointer)
    return #fake.project(pointer).tracks
  end

  function own.GetTrack(pointer, index)
    return at(fake.project(pointer).tracks, index)
  end

  function own.CountSelectedTracks(pointer)
    return #selected_tracks(fake.project(pointer))
  end

  function own.GetSelectedTrack(pointer, index)
    return at(selected_tracks(fake.project(pointer)), index)
  end

  function own.IsTrackSelected(pointer)
    return track_of(pointer).selected
  end

  function own.SetTrackSelected(pointer, selected)
    track_of(pointer).selected = selected
    fake.touch(track_of(pointer).project)
  end

  -- fact 44: where somebody clicked last: 0 the track panels, 1 the items, 2 envelopes
  function own.GetCursorContext2(last_valid)
    assert(last_valid == true, "the dialog itself may have the focus")
    return broken.cursor_context and 0 or fake.cursor_context
  end

  function own.GetMasterTrack(pointer)
    return pointers.of(fake.project(pointer).master)
  end

  -- fact 42: with the person's defaults, a new track may be armed and have effects
  -- fact 66: it is the project in front that gets it
  function own.InsertTrackAtIndex(index, defaults)
    local project = fake.tabs[broken.track_in_front and 1 or fake.active]
    local track = model.new_track()
    track.info.I_RECARM = (defaults and not broken.track_defaults) and 1 or 0
    table.insert(project.tracks, math.min(index, #project.tracks) + 1, track)
    adopt_track(project, track)
    fake.touch(project)
  end

  function own.DeleteTrack(pointer)
    local track = track_of(pointer)
    for index, one in ipairs(track.project.tracks) do
      if one == track then
        table.remove(track.project.tracks, index)
      end
    end
    for _, item in ipairs(track.items) do
      kill_item(item)
    end
    pointers.kill(track)
    fake.touch(track.project)
  end

  function own.AnyTrackSolo(pointer)
    for _, track in ipairs(fake.project(pointer).tracks) do
      if track.info.I_SOLO ~= 0 then
        return true
      end
    end
    return false
  end

  function own.TrackFX_GetCount(pointer)
    return #(track_of(pointer).fx or {})
  end

  function own.GetTrackGUID(pointer)
    return track_of(pointer).guid
  end

  function own.GetMediaTrackInfo_Value(pointer, key)
    local track = track_of(pointer)
    if key == "IP_TRACKNUMBER" then
      for index, one in ipairs(track.project and track.project.tracks or {}) do
        if one == track then
          return index + 0.0
        end
      end
      return -1.0
    end
    return (track.info[key] or 0) + 0.0
  end

  local LANES = 2 -- of I_FREEMODE
  local ALONE, WITH_OTHERS = 1, 2 -- of C_LANEPLAYS:N

  local function grow_lanes(track, count)
    for lane = 0, count - 1 do
      track.info["C_LANEPLAYS:" .. lane] = track.info["C_LANEPLAYS:" .. lane] or WITH_OTHERS
    end
    track.info.I_NUMFIXEDLANES = math.max(track.info.I_NUMFIXEDLANES, count)
  end

  -- fact 49: lanes that were switched on by I_FREEMODE alone are one more after a save
  -- fact 50: at first all lanes play; one that plays alone silences the others
  function fake.set_track(track, key, value)
    local lane = key:match("^C_LANEPLAYS:(%d+)$")
    local fresh = key == "I_FREEMODE" and value == LANES and track.info.I_FREEMODE ~= LANES
    if lane and value == ALONE and not broken.lanes_play then
      for number = 0, track.info.I_NUMFIXEDLANES - 1 do
        track.info["C_LANEPLAYS:" .. number] = 0
      end
    end
    track.info[key] = value
    if fresh then
      track.info.half_set_up = not broken.phantom_lane and 1 or 0
      for _, item in ipairs(track.items) do
        grow_lanes(track, math.tointeger(item.info.I_FIXEDLANE) + 1)
      end
      grow_lanes(track, 1)
    elseif key == "I_NUMFIXEDLANES" then
      track.info.half_set_up = 0
      grow_lanes(track, math.tointeger(value))
    end
  end

  fake.grow_lanes = grow_lanes

  -- fact 60: a comp lane is the first, and alone in playing
  function fake.add_comp_lane(track)
    local shift = broken.comp_lane and 0 or 1
    fake.set_track(track, "I_FREEMODE", LANES)
    fake.set_track(track, "I_NUMFIXEDLANES", track.info.I_NUMFIXEDLANES + shift)
    for _, item in ipairs(track.items) do
      item.info.I_FIXEDLANE = item.info.I_FIXEDLANE + shift
    end
    fake.set_track(track, "C_LANEPLAYS:0", ALONE)
    fake.touch(track.project)
  end

  -- facts 59 and 61: what scripts ask of it: whether the track is frozen or locked; an item that is locked has a line LOCK of its own
  function own.GetTrackStateChunk(pointer)
    local track, lines = track_of(pointer), { "<TRACK {0}", "NAME x" }
    if track.locked and not broken.track_lock then
      lines[#lines + 1] = "LOCK 1"
    end
    if track.frozen and not broken.not_seen then
      lines[#lines + 1] = "<FREEZE 1 0 0 0 0 0 0 0\nLOCK 1\n>"
    end
    for _, item in ipairs(track.items) do
      lines[#lines + 1] = "<ITEM\nPOSITION 0" .. (item.info.C_LOCK ~= 0 and "\nLOCK 1" or "") .. "\n>"
    end
    return true, table.concat(lines, "\n") .. "\n>\n"
  end

  local function lock(locked)
    return function(project)
      for _, track in ipairs(fake.selected_tracks(project)) do
        track.locked = locked
      end
    end
  end

  fake.actions[41312], fake.actions[41313] = lock(true), lock(false)
  fake.actions[42797] = function(project)
    for _, track in ipairs(fake.selected_tracks(project)) do
      fake.add_comp_lane(track)
    end
  end

  function own.SetOnlyTrackSelected(pointer)
    for _, one in ipairs(track_of(pointer).project.tracks) do
      one.selected = one.pointer == pointer
    end
  end

  -- fact 48: which track is whose child is told by the order of the tracks alone
  local function parent_of(track)
    local open = {}
    for _, one in ipairs(track.project.tracks) do
      if one == track then
        return open[#open]
      end
      local depth = one.info.I_FOLDERDEPTH
      if depth > 0 then
        open[#open + 1] = one
      end
      for _ = 1, -depth do
        open[#open] = nil
      end
    end
  end

  function own.GetParentTrack(pointer)
    return not broken.folder_order and pointers.of(parent_of(track_of(pointer))) or nil
  end

  function own.SetMediaTrackInfo_Value(pointer, key, value)
    local track = track_of(pointer)
    fake.set_track(track, key, value)
    if track.project then
      fake.touch(track.project)
    end
    return true
  end

  function own.GetSetMediaTrackInfo_String(pointer, key, value, set)
    local track = track_of(pointer)
    if key == "P_RAZOREDITS" then -- fact 45: triples of start, end and the GUID of an envelope, "" for the media
      assert(not set, "not ours to change")
      return true, not broken.razor and track.razor or ""
    end
    return fake.get_set_text(track, key, value, set, track.project)
  end
end
