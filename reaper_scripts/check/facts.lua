-- What is counted on of REAPER, each as a test that runs in it. The numbers are those of tests/reaper/README.md, where each has its source.
-- A test gets ``c`` (lib of the check) and ends with an error where the fact does not hold. What needs a person, another setting or
-- another program says so instead.

local facts = {}

local function fact(number, text, run)
  facts[#facts + 1] = { number = number, text = text, run = run }
end

local function untried(number, text, why)
  facts[#facts + 1] = { number = number, text = text, why = why }
end

local function notes(item, text)
  local _, now = reaper.GetSetMediaItemInfo_String(item, "P_NOTES", text or "", text ~= nil)
  return now
end

local function guid(item)
  local _, text = reaper.GetSetMediaItemInfo_String(item, "GUID", "", false)
  return text
end

local function fails(run, ...)
  return not pcall(run, ...)
end

fact(1, "a function that REAPER does not have is nil", function()
  assert(reaper.ThereIsNoSuchFunction == nil) -- luacheck: ignore 143
end)

fact(2, "indices begin with 0", function(c)
  local _, item, _, track = c.item()
  assert(reaper.GetTrack(c.project, reaper.CountTracks(c.project) - 1) == track)
  assert(reaper.GetTrackMediaItem(track, 0) == item and not reaper.GetTrackMediaItem(track, 1))
end)

fact(3, "0 or nil for a project is the active one", function(c)
  c.item()
  local count = reaper.CountTracks(c.project)
  assert(count > 0 and reaper.CountTracks(0) == count and reaper.CountTracks(nil) == count)
end)

fact(4, "one object is one userdata, and two objects are two", function(c)
  local _, _, _, one = c.item()
  local _, _, _, other = c.item()
  assert(one ~= other and reaper.GetTrack(c.project, reaper.CountTracks(c.project) - 1) == other)
end)

fact(5, "the pointer of a deleted item is not valid any more, though it is not nil", function(c)
  local _, item, _, track = c.item()
  assert(reaper.ValidatePtr2(c.project, item, "MediaItem*"))
  reaper.DeleteTrackMediaItem(track, item)
  assert(item ~= nil and not reaper.ValidatePtr2(c.project, item, "MediaItem*"))
end)

fact(6, "undo makes new objects; old pointers are not valid", function(c)
  local _, item = c.item()
  c.step("check a", notes, item, "a")
  c.step("check b", notes, item, "b")
  reaper.Undo_DoUndo2(c.project)
  assert(not reaper.ValidatePtr2(c.project, item, "MediaItem*"))
end)

fact(7, "closing a project makes its pointers invalid", function(c)
  local project = c.new_tab()
  local _, item = c.item(project)
  c.save(project, "closed.rpp")
  c.close()
  assert(not reaper.ValidatePtr2(nil, project, "ReaProject*") and not reaper.ValidatePtr2(nil, item, "MediaItem*"))
end)

fact(8, "what undo makes anew has its old GUID", function(c)
  local number, item = c.item()
  c.step("check a", notes, item, "a")
  local before = guid(item)
  c.step("check b", notes, item, "b")
  reaper.Undo_DoUndo2(c.project)
  assert(guid(c.last_item(number)) == before)
end)

fact(9, "the same file opened again is another project", function(c)
  local project = c.new_tab()
  c.item(project)
  c.save(project, "again.rpp")
  c.close()
  c.open("again.rpp")
  local again = reaper.EnumProjects(-1)
  c.close()
  assert(again ~= project and not reaper.ValidatePtr2(nil, project, "ReaProject*"))
end)

fact(10, "EnumProjects(-1) is the active tab", function(c)
  local project = c.new_tab()
  local active = reaper.EnumProjects(-1)
  c.save(project, "active.rpp")
  c.close()
  assert(active == project and project ~= c.project and reaper.EnumProjects(-1) == c.project)
end)

fact(11, "behind the last tab EnumProjects is nil", function()
  assert(reaper.EnumProjects(500) == nil)
end)

fact(12, "EnumProjects(0x40000000) is nil while nothing is rendered", function()
  assert(reaper.EnumProjects(0x40000000) == nil)
end)

fact(13, 'an ExtState that is absent is ""', function()
  assert(reaper.GetExtState("DAW Bridge check", "absent") == "")
end)

fact(14, 'an ExtState of a project that is absent is 0 and ""', function(c)
  local count, value = reaper.GetProjExtState(c.project, "DAW Bridge check", "absent")
  assert(count == 0 and value == "")
end)

fact(15, "what scripts write into items and projects comes back only when the project was saved", function(c)
  local project = c.new_tab()
  local _, item = c.item(project)
  local function mark(value)
    reaper.SetProjExtState(project, "DAW Bridge check", "key", value)
    reaper.GetSetMediaItemInfo_String(item, "P_EXT:daw_bridge_check", value, true)
  end
  mark("söme\ntext")
  c.save(project, "marks.rpp")
  mark("")
  c.save(project, "other.rpp")
  c.close()
  c.open("marks.rpp")
  project = reaper.EnumProjects(-1)
  local _, one = reaper.GetProjExtState(project, "DAW Bridge check", "key")
  local _, two = reaper.GetSetMediaItemInfo_String(reaper.GetMediaItem(project, 0), "P_EXT:daw_bridge_check", "", false)
  c.close()
  assert(two == "söme\ntext", "the item has " .. two)
  assert(one:match("^söme"), "the project has " .. one)
end)

fact(16, "EnumerateFiles tells an old listing until it is asked with -1", function(c)
  local folder = c.folder("list")
  reaper.EnumerateFiles(folder, -1)
  assert(c.write(folder, "a.txt", "") and reaper.EnumerateFiles(folder, -1) == nil)
  assert(reaper.EnumerateFiles(folder, 0) == "a.txt")
  c.write(folder, "b.txt", "")
  assert(reaper.EnumerateFiles(folder, 1) == nil, "the new file is listed at once")
  reaper.EnumerateFiles(folder, -1)
  assert(reaper.EnumerateFiles(folder, 1) ~= nil)
end)

fact(17, "file_exists is true for folders", function(c)
  local folder = c.folder("there")
  assert(reaper.file_exists(folder) and not reaper.file_exists(folder .. "/nothing"))
end)

fact(18, "ExecProcess gives nil, or the exit code and what was said", function()
  local line = reaper.GetOS():match("^Win") and "cmd.exe /c echo hello" or "/bin/echo hello"
  local answer = reaper.ExecProcess(line, 5000)
  assert(answer == nil or answer:match("^0\r?\nhello"), tostring(answer))
end)

fact(19, "what is deferred runs in a later turn, never at once", function(c)
  local ran = false
  reaper.defer(function() ran = true end)
  assert(not ran)
  c.wait(function() return ran end, 2)
end)

fact(20, "a script that never defers gets an undo step by itself, one that defers gets none", function(c)
  c.step("check: before", notes, select(2, c.item()), "x")
  c.run_script("reaper.defer(function() end)")
  assert(reaper.Undo_CanUndo2(c.project) == "check: before", "one that defers got a step")
  c.run_script("local x = 1")
  assert(reaper.Undo_CanUndo2(c.project) ~= "check: before", "one that never defers got none")
end)

untried(21, "PreventUIRefresh is back at 0 behind each turn", "a duty of scripts, which REAPER does not tell")
untried(22, "each undo block that was begun is ended", "a duty of scripts, which REAPER does not tell")

fact(23, "a render in the foreground returns when the file is there", function(c)
  assert(c.exists(c.render("foreground")), "the file is not there when the call returns")
end)

untried(24, "a render in the background returns at once", "needs another setting of REAPER")
untried(25, "a render that was cancelled leaves no file", "needs a person")
untried(26, "a render may leave files beside its own", "depends on settings of REAPER")

fact(27, "a render takes the settings of its project", function(c)
  local path = c.render("by our name")
  c.wait(function() return c.exists(path) end, 30)
end)

fact(28, "an accessor leaves what lies behind the end of the audio as it was in the buffer", function(c)
  local _, item, _, track = c.item()
  local stop = reaper.GetMediaItemInfo_Value(item, "D_POSITION") + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local accessor, buffer = reaper.CreateTrackAudioAccessor(track), reaper.new_array(8000)
  buffer.clear(7)
  local there = reaper.GetAudioAccessorSamples(accessor, 8000, 1, stop - 0.5, 8000, buffer)
  reaper.DestroyAudioAccessor(accessor)
  local values = buffer.table(1, 8000)
  assert(there == 1 and values[1000] ~= 7, "no audio was read")
  assert(values[7900] == 7, "behind the end stands " .. tostring(values[7900]))
end)

untried(29, "GetUserInputs splits values with quotes and parentheses", "needs a person")
untried(30, "while a dialog is open no deferred function runs", "needs a person")

fact(31, "the version is a text like 7.08/linux-x86_64, the system one of a few words", function()
  local systems = { Win32 = 1, Win64 = 1, OSX32 = 1, OSX64 = 1, ["macOS-arm64"] = 1, Other = 1 }
  assert(reaper.GetAppVersion():match("^%d+%.%d+"), reaper.GetAppVersion())
  assert(systems[reaper.GetOS()], reaper.GetOS())
end)

fact(32, "a wrong type is an error", function(c)
  local _, item = c.item()
  assert(fails(reaper.GetTrack, c.project, 0.5) and fails(reaper.GetTrackGUID, item) and fails(reaper.GetTrackGUID, nil))
end)

untried(33, "too many or too few arguments are an error", "the fake is stricter than REAPER on purpose")

fact(34, "undo takes back also what was written outside of undo blocks since the step before", function(c)
  local number, item = c.item()
  c.step("check a", notes, item, "a")
  reaper.GetSetMediaItemInfo_String(item, "P_EXT:daw_bridge_check", "half", true)
  c.step("check b", reaper.SetMediaItemInfo_Value, item, "D_POSITION", 90.0)
  reaper.Undo_DoUndo2(c.project)
  local _, text = reaper.GetSetMediaItemInfo_String(c.last_item(number), "P_EXT:daw_bridge_check", "", false)
  assert(text == "", "it was kept")
end)

untried(35, "a script that is deferred and is started again makes REAPER ask", "needs a person")

fact(36, "the halves of an item keep what scripts wrote in it", function(c)
  local _, item = c.item()
  reaper.GetSetMediaItemInfo_String(item, "P_EXT:daw_bridge_check", "mine", true)
  local half = reaper.SplitMediaItem(item, reaper.GetMediaItemInfo_Value(item, "D_POSITION") + 0.5)
  for _, one in ipairs({ item, half }) do
    local _, text = reaper.GetSetMediaItemInfo_String(one, "P_EXT:daw_bridge_check", "", false)
    assert(text == "mine", text)
  end
end)

untried(37, "setting a source does not destroy the one before", "REAPER does not tell what it holds")

fact(38, "a new item loops its source", function(c)
  local _, _, _, track = c.item()
  assert(reaper.GetMediaItemInfo_Value(reaper.AddMediaItemToTrack(track), "B_LOOPSRC") == 1)
end)

fact(39, "peaks are built in steps: 0 begins, 1 until it returns 0, 2 ends", function(c)
  local _, _, take = c.item()
  local source, turns = reaper.GetMediaItemTake_Source(take), 0
  local left = reaper.PCM_Source_BuildPeaks(source, 0)
  while left > 0 and turns < 10000 do
    left, turns = reaper.PCM_Source_BuildPeaks(source, 1), turns + 1
  end
  reaper.PCM_Source_BuildPeaks(source, 2)
  assert(left == 0, "it does not come to an end")
end)

untried(40, "an ExtState that does not persist ends with REAPER", "needs a second start")

fact(41, "each run of a script has its own Lua", function(c)
  c.run_script("reaper.SetExtState('DAW Bridge check', 'n', tostring(daw_bridge_check_global), false) daw_bridge_check_global = 1", 2)
  assert(reaper.GetExtState("DAW Bridge check", "n") == "nil")
end)

untried(42, "a new track has what the person has set for new tracks", "there are no such settings here")
untried(43, "what persists and is not ASCII may come back as ?", "needs a second start")
untried(44, "GetCursorContext2: what was clicked last", "needs a person")
untried(45, "P_RAZOREDITS of a track", "needs a person")
untried(46, "Dear ImGui: the whole label is the id of a widget", "tested with Dear ImGui itself")

fact(47, "io.open works below a folder whose name has accents", function(c)
  local folder = c.folder("Zoë 日本")
  assert(c.write(folder, "ü.txt", "text") and c.exists(folder .. "/ü.txt"))
  local renamed = os.rename(folder .. "/ü.txt", folder .. "/ö.txt")
  return renamed and "os.rename works, too" or "os.rename does not work: files are handed over in place"
end)

assert(loadfile(debug.getinfo(1, "S").source:match("^@?(.*[/\\])") .. "facts_of_tracks.lua"))(facts)

return facts
