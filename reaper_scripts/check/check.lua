-- Runs in a REAPER that was started for it, in a resource folder of its own (daw-bridge install reaper --check): each fact that our tests
-- count on, one take of the sketch engine from press to placed, save, reopen and undo. Writes one report and changes nothing of anybody.

local here = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
local base = here:gsub("check[/\\]$", "")
local import = dofile(base .. "lib/app.lua").importer(base .. "lib/")
import("place_of_scripts").folder = base
local files, json, memory, press, tag = import("files"), import("json"), import("memory"), import("press"), import("tag")
local fitting = import("fitting")

local RESOURCES = reaper.GetResourcePath()
local MARK = files.join(RESOURCES, "daw_bridge_check.json") -- written by who made this resource folder
local NEW_TAB, CLOSE_TAB, RENDER = 41929, 40860, 42230
local TAKE, STILL = 90, 30 -- s that a take and anything else may need

local c = {}
local report = { version = 1, facts = json.array(), take = json.array() }

-- What the tests use

function c.folder(name)
  local path = files.join(RESOURCES, "check", name)
  reaper.RecursiveCreateDirectory(path, 0)
  return path
end

function c.write(folder, name, text)
  return files.write(files.join(folder, name), text)
end

function c.exists(path)
  return (files.size(path) or 0) > 0
end

function c.wait(done, seconds)
  local until_when = reaper.time_precise() + seconds
  while not done() do
    assert(reaper.time_precise() < until_when, "nothing came in " .. seconds .. " s")
    coroutine.yield()
  end
end

function c.step(title, run, ...)
  reaper.Undo_BeginBlock2(c.project)
  local fine, problem = pcall(run, ...)
  reaper.Undo_EndBlock2(c.project, title, -1)
  assert(fine, problem)
end

function c.new_tab()
  reaper.Main_OnCommand(NEW_TAB, 0)
  return reaper.EnumProjects(-1)
end

-- Close the tab in front, which is saved: then REAPER asks nothing.
function c.close()
  reaper.Main_OnCommand(CLOSE_TAB, 0)
  if reaper.ValidatePtr2(nil, c.project, "ReaProject*") then
    reaper.SelectProjectInstance(c.project)
  end
end

function c.save(project, name)
  local path = files.join(c.folder("projects"), name)
  reaper.Main_SaveProjectEx(project, path, 0)
  assert(c.exists(path), "the project was not saved")
end

function c.open(name)
  reaper.Main_OnCommand(NEW_TAB, 0)
  reaper.Main_openProject("noprompt:" .. files.join(c.folder("projects"), name))
end

-- Return the path of a tone of one second.
local function tone()
  local path = files.join(c.folder("media"), "tone.wav")
  if not c.exists(path) then
    local head = string.pack("<c4I4c4c4I4I2I2I4I4I2I2", "RIFF", 36 + 96000, "WAVE", "fmt ", 16, 1, 1, 48000, 96000, 2, 16)
    local parts = { head, string.pack("<c4I4", "data", 96000) }
    for index = 1, 48000 do
      parts[#parts + 1] = string.pack("<i2", math.floor(8000 * math.sin(index / 20)))
    end
    assert(files.write(path, table.concat(parts)))
  end
  return path
end

-- Make a track with an item of one second of sound. Returns the number of the track, item, take, track.
function c.item(project)
  project = project or c.project
  local number = reaper.CountTracks(project)
  reaper.InsertTrackAtIndex(number, false)
  local track = reaper.GetTrack(project, number)
  local item = reaper.AddMediaItemToTrack(track)
  local take = reaper.AddTakeToMediaItem(item)
  assert(reaper.SetMediaItemTake_Source(take, reaper.PCM_Source_CreateFromFile(tone())))
  reaper.SetMediaItemInfo_Value(item, "D_POSITION", 2.0)
  reaper.SetMediaItemInfo_Value(item, "D_LENGTH", 1.0)
  return number, item, take, track
end

-- Return a tone as a source that is nobody's.
function c.source()
  return reaper.PCM_Source_CreateFromFile(tone())
end

function c.last_item(number)
  return reaper.GetTrackMediaItem(reaper.GetTrack(c.project, number), 0)
end

function c.run_script(text, times)
  local name = reaper.genGuid(""):gsub("[{}]", "") .. ".lua"
  local folder = c.folder("scripts")
  c.write(folder, name, text)
  local command = reaper.AddRemoveReaScript(true, 0, files.join(folder, name), true)
  for _ = 1, times or 1 do
    reaper.Main_OnCommand(command, 0)
    coroutine.yield()
  end
end

-- Render a second of the project. Returns the path that was asked for.
function c.render(name)
  c.item()
  local folder, set = c.folder("renders"), reaper.GetSetProjectInfo
  for key, value in pairs({ RENDER_SETTINGS = 0, RENDER_BOUNDSFLAG = 0, RENDER_STARTPOS = 2.0, RENDER_ENDPOS = 3.0, RENDER_CHANNELS = 2,
    RENDER_TAILFLAG = 0, RENDER_ADDTOPROJ = 0, RENDER_NORMALIZE = 0 }) do
    set(c.project, key, value, true)
  end
  for key, value in pairs({ RENDER_FILE = folder, RENDER_PATTERN = name, RENDER_FORMAT = "ZXZhdxgBAA==", RENDER_FORMAT2 = "" }) do
    reaper.GetSetProjectInfo_String(c.project, key, value, true)
  end
  reaper.Main_OnCommandEx(RENDER, 0, c.project)
  return files.join(folder, name .. ".wav")
end

-- The take, from press to placed

local function ours(project, filled)
  for index = 0, reaper.CountMediaItems(project) - 1 do
    local item = reaper.GetMediaItem(project, index)
    if tag.read(item) and (not filled or reaper.CountTakes(item) > 0) then
      return item
    end
  end
end

local TAKE_STEPS = {
  { "a press makes a placeholder at once", function()
    c.tab = c.new_tab()
    local _, item, _, track = c.item(c.tab)
    c.save(c.tab, "take.rpp")
    reaper.SetMediaItemSelected(item, true)
    reaper.SetTrackSelected(track, true)
    reaper.GetSet_LoopTimeRange2(c.tab, true, false, 2.0, 3.0, false)
    memory.keep("transform", { prompt = "rain on a tin roof", capture = "heard", track = "new" })
    press.run("transform", "again")
    c.wait(function() return ours(c.tab) end, STILL)
  end },
  { "the take is placed, to the sample", function()
    c.wait(function() return ours(c.tab, true) end, TAKE)
    local item = ours(c.tab, true)
    assert(math.abs(reaper.GetMediaItemInfo_Value(item, "D_POSITION") - 2.0) < 1e-6, "at another position")
    assert(math.abs(reaper.GetMediaItemInfo_Value(item, "D_LENGTH") - 1.0) < 1e-6, "of another length")
    local source = reaper.GetMediaItemTake_Source(reaper.GetActiveTake(item))
    c.path = reaper.GetMediaSourceFileName(source)
    assert(c.exists(c.path), "its file is not there: " .. tostring(c.path))
  end },
  { "one undo takes it back, a redo brings it again", function()
    local fitted = reaper.Undo_CanUndo2(c.tab) == fitting.TITLE -- a step of its own, before that of the take
    for _ = 1, fitted and 2 or 1 do
      reaper.Undo_DoUndo2(c.tab)
    end
    assert(ours(c.tab) and not ours(c.tab, true), "undo took back something else")
    for _ = 1, fitted and 2 or 1 do
      reaper.Undo_DoRedo2(c.tab)
    end
    assert(ours(c.tab, true), "redo did not bring it")
    return fitted and "its fit was a step of its own" or nil
  end },
  { "saved and opened again it is there", function()
    c.save(c.tab, "take.rpp")
    c.close()
    c.open("take.rpp")
    c.tab = reaper.EnumProjects(-1)
    assert(ours(c.tab, true), "the take or its mark is gone")
    c.close()
  end },
}

-- The run

local function told(list, entry, run)
  local fine, note = xpcall(run, function(problem) return (tostring(problem):gsub("^[^\n]-:%d+: ", "")) end, c)
  entry.result = fine and "holds" or "differs"
  entry.why = note and tostring(note) or nil
  list[#list + 1] = entry
  return fine
end

local function finish()
  report.reaper, report.system, report.lua = reaper.GetAppVersion(), reaper.GetOS(), _VERSION
  report.scripts = import("version")
  files.write(files.join(RESOURCES, "daw_bridge_report.json.part"), "")
  local text = json.encode(report):gsub("}$", ',"end":true}')
  assert(files.write(files.join(RESOURCES, "daw_bridge_report.json"), text))
end

local function all(wanted)
  c.project = c.new_tab()
  for _, one in ipairs(dofile(here .. "facts.lua")) do
    local entry = { fact = one.number, text = one.text, result = "not tried", why = one.why }
    if one.run then
      told(report.facts, entry, one.run)
    else
      report.facts[#report.facts + 1] = entry
    end
  end
  for _, step in ipairs(TAKE_STEPS) do
    local entry = { text = step[1], result = "not tried", why = "there is no bridge to ask" }
    if wanted.take and not report.broken then
      report.broken = not told(report.take, entry, step[2]) or nil
    else
      entry.why = report.broken and "the step before it did not hold" or entry.why
      report.take[#report.take + 1] = entry
    end
  end
  report.broken = nil
end

local wanted = json.decode(files.read(MARK) or "")
if not wanted then
  reaper.MB("This check runs only in a resource folder of its own. Start it with: daw-bridge install reaper --check", "DAW Bridge", 0)
  return
end
reaper.Audio_Quit()
report.audio_off = reaper.Audio_IsRunning() == 0
local thread = coroutine.create(all)
local function go_on(...)
  local fine, problem = coroutine.resume(thread, ...)
  if not fine then
    report.problem = tostring(problem)
  end
  if not fine or coroutine.status(thread) == "dead" then
    return finish()
  end
  reaper.defer(go_on)
end
reaper.defer(function() go_on(wanted) end)
