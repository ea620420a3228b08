-- More of what is counted on of REAPER: tracks, lanes, items and what is measured. See facts.lua, whose list this goes on with.

local facts = ...

local function fact(number, text, run)
  facts[#facts + 1] = { number = number, text = text, run = run }
end

local function untried(number, text, why)
  facts[#facts + 1] = { number = number, text = text, why = why }
end

fact(48, "a track that is inserted below a folder parent is its child", function(c)
  local _, _, _, parent = c.item()
  local at = reaper.CountTracks(c.project)
  reaper.SetMediaTrackInfo_Value(parent, "I_FOLDERDEPTH", 1)
  reaper.InsertTrackAtIndex(at, false)
  local is_child = reaper.GetParentTrack(reaper.GetTrack(c.project, at)) == parent
  reaper.SetMediaTrackInfo_Value(parent, "I_FOLDERDEPTH", 0)
  assert(is_child)
end)

untried(49, "lanes that are switched on by I_FREEMODE alone are one more after a save", "needs a second start")

fact(50, "all lanes play at first; C_LANEPLAYS:N = 1 silences the others", function(c)
  local _, _, _, track = c.item()
  local function plays(lane)
    return reaper.GetMediaTrackInfo_Value(track, "C_LANEPLAYS:" .. lane)
  end
  reaper.SetMediaTrackInfo_Value(track, "I_FREEMODE", 2)
  reaper.SetMediaTrackInfo_Value(track, "I_NUMFIXEDLANES", 2)
  assert(plays(0) > 0 and plays(1) > 0, "a lane is silent at first")
  reaper.SetMediaTrackInfo_Value(track, "C_LANEPLAYS:1", 1)
  assert(plays(0) == 0 and plays(1) == 1)
end)

untried(51, "a render of the master mix has the soloed tracks alone", "needs a look into the sound")

fact(52, "the state of an action for toolbars can be set and read", function()
  local _, _, section, command = reaper.get_action_context()
  if section ~= 0 or command <= 0 then
    return "no action of a toolbar here"
  end
  reaper.SetToggleCommandState(section, command, 1)
  reaper.RefreshToolbar2(section, command)
  assert(reaper.GetToggleCommandStateEx(section, command) == 1)
  reaper.SetToggleCommandState(section, command, 0)
end)

untried(53, "a preview of SWS that does not play is gone at the end of the turn", "SWS is not in a resource folder of its own")
untried(54, "playing begins at the edit cursor; stopping leaves it there", "the audio device is off here")

fact(55, "PCM_Source_GetPeaks: maximums, then minimums, and how many", function(c)
  local source = c.source()
  reaper.PCM_Source_BuildPeaks(source, 0)
  local tries = 0
  while reaper.PCM_Source_BuildPeaks(source, 1) ~= 0 and tries < 1000 do
    tries = tries + 1
  end
  reaper.PCM_Source_BuildPeaks(source, 2)
  local buffer = reaper.new_array(200)
  local got = reaper.PCM_Source_GetPeaks(source, 100, 0, 1, 100, 0, buffer) & 0xFFFFF
  local values = buffer.table(1, 200)
  reaper.PCM_Source_Destroy(source)
  assert(got > 0 and values[1] >= values[101], "peaks: " .. got)
end)

untried(56, "gfx.dock(-1) moves nothing", "it would open a window")

fact(57, "the name of a script's action is told without _ and asked for with it; 0 where it is not in the list", function(c)
  local path = c.folder("names") .. "/named.lua"
  assert(c.write(c.folder("names"), "named.lua", "local x = 1"))
  local command = reaper.AddRemoveReaScript(true, 0, path, true)
  local name = "_" .. reaper.ReverseNamedCommandLookup(command)
  local found = reaper.NamedCommandLookup(name)
  reaper.AddRemoveReaScript(false, 0, path, true)
  assert(found == command, "it is not found by " .. name)
  assert(reaper.NamedCommandLookup(name) == 0, "it is found although it was removed")
end)

fact(58, "the length of a source that was just made is right, or 0", function(c)
  local _, _, take = c.item()
  local source = reaper.PCM_Source_CreateFromFile(reaper.GetMediaSourceFileName(reaper.GetMediaItemTake_Source(take)))
  local at_once = reaper.GetMediaSourceLength(source)
  reaper.PCM_Source_Destroy(source)
  assert(at_once == 0 or math.abs(at_once - 1.0) < 0.01, "it is " .. at_once)
  return string.format("at once: %.3f s", at_once)
end)

fact(59, "frozen tracks, collapsed folders and collapsed lanes are told by their state", function(c)
  local _, _, _, track = c.item()
  for key, value in pairs({ I_FOLDERCOMPACT = 2, C_LANESCOLLAPSED = 1 }) do
    local folder, lanes = key == "I_FOLDERCOMPACT", key == "C_LANESCOLLAPSED"
    reaper.SetMediaTrackInfo_Value(track, "I_FOLDERDEPTH", folder and 1 or 0)
    reaper.SetMediaTrackInfo_Value(track, "I_FREEMODE", lanes and 2 or 0)
    reaper.SetMediaTrackInfo_Value(track, key, value)
    assert(reaper.GetMediaTrackInfo_Value(track, key) == value, key)
    reaper.SetMediaTrackInfo_Value(track, key, 0)
  end
  reaper.SetMediaTrackInfo_Value(track, "I_FOLDERDEPTH", 0)
  local _, state = reaper.GetTrackStateChunk(track, "", false)
  assert(not state:find("<FREEZE"), "a track that is not frozen has a block of one that is")
  return "a track was not frozen: that needs a render"
end)

local COMP_LANE, LOCK, UNLOCK = 42797, 41312, 41313 -- actions on the selected tracks

fact(60, "a comp lane shifts every lane down by one and plays alone", function(c)
  local _, item, _, track = c.item()
  reaper.SetMediaTrackInfo_Value(track, "I_FREEMODE", 2)
  reaper.SetMediaTrackInfo_Value(track, "I_NUMFIXEDLANES", 1)
  reaper.SetOnlyTrackSelected(track)
  reaper.Main_OnCommand(COMP_LANE, 0)
  assert(reaper.GetMediaItemInfo_Value(item, "I_FIXEDLANE") == 1, "the item stayed in its lane")
  local function plays(lane)
    return reaper.GetMediaTrackInfo_Value(track, "C_LANEPLAYS:" .. lane)
  end
  assert(plays(0) == 1 and plays(1) == 0, "the comp lane does not play alone")
end)

fact(61, "a track whose controls are locked has a line LOCK 1 of its own; scripts pass the lock", function(c)
  local _, _, _, track = c.item()
  local function locks()
    local _, state = reaper.GetTrackStateChunk(track, "", false)
    return state:find("\n%s*LOCK 1") ~= nil
  end
  reaper.SetOnlyTrackSelected(track)
  assert(not locks())
  reaper.Main_OnCommand(LOCK, 0)
  local locked = locks()
  reaper.SetMediaTrackInfo_Value(track, "B_SHOWINMIXER", 0)
  local passed = reaper.GetMediaTrackInfo_Value(track, "B_SHOWINMIXER") == 0
  reaper.Main_OnCommand(UNLOCK, 0)
  assert(locked and not locks(), "no line tells the lock")
  return passed and "scripts pass the lock" or "scripts do not pass the lock"
end)

fact(62, "reading audio takes time", function(c)
  local _, item, _, track = c.item()
  local start, frames, times = reaper.GetMediaItemInfo_Value(item, "D_POSITION"), 2048, 20
  local accessor, buffer = reaper.CreateTrackAudioAccessor(track), reaper.new_array(2 * frames)
  local began = reaper.time_precise()
  for index = 1, times do
    reaper.GetAudioAccessorSamples(accessor, 48000, 2, start + index * frames / 48000, frames, buffer)
  end
  local each = (reaper.time_precise() - began) / times / frames
  reaper.DestroyAudioAccessor(accessor)
  assert(each > 0, "it took no time")
  return string.format("%.1f ns a frame", each * 1e9)
end)

fact(63, "a stretch marker stands by the edge of its item; a change of the offset moves none", function(c)
  local _, _, take = c.item()
  local first = reaper.SetTakeStretchMarker(take, -1, 0.25, 0.25)
  local second = reaper.SetTakeStretchMarker(take, -1, 0.75, 0.5)
  assert(first >= 0 and second > first, "it was not set")
  reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", 0.1)
  local _, at, source = reaper.GetTakeStretchMarker(take, second)
  assert(math.abs(at - 0.75) < 1e-6 and math.abs(source - 0.5) < 1e-6, string.format("at %.6f, source %.6f", at, source))
  return string.format("%d markers, where two were set", reaper.GetTakeNumStretchMarkers(take))
end)

untried(64, "functions of ReaImGui take the arguments that its source code names", "ReaImGui is not in a resource folder of its own")
untried(65, "gfx.showmenu: rules are not counted, marks in front mean something, & marks a letter", "needs a person")

fact(66, "InsertTrackAtIndex inserts into the project in front", function(c)
  local count, front = reaper.CountTracks(c.project), c.new_tab()
  local there = reaper.CountTracks(front)
  reaper.InsertTrackAtIndex(0, false)
  local mine, theirs = reaper.CountTracks(c.project) - count, reaper.CountTracks(front) - there
  c.save(front, "front.rpp")
  c.close()
  assert(mine == 0 and theirs == 1, string.format("%d and %d tracks more", mine, theirs))
end)
