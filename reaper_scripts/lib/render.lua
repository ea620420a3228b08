-- @noindex
-- The capture of what is heard: REAPER's own renderer writes the selection into a file of ours. REAPER may do that at once and
-- stand still meanwhile, or in the background; the person may cancel it. Both look the same here.

local import = ...
local files = import("files")
local selections = import("selection")
local settings = import("render_settings")

local render = {}
render.__index = render

local RENDER_NOW = 42230 -- File: Render project, using the most recent render settings, auto-close render dialog
local RENDERING = 0x40000000 -- EnumProjects: the project that is being rendered
local RECORDING = 4 -- bit of GetPlayStateEx
local WAV_24_BIT = "ZXZhdxgBAA=="
local MASTER, STEMS, ITEMS, TRACKS_VIA_MASTER, ONE_FILE = 0, 2, 32, 128, 4 << 16
local PATIENCE = 2.0 -- s that a file may take to appear after a render

-- What REAPER leaves beside a render where the person ticked it.
local SIDECARS = { ".RPP", ".RPP-bak", ".reapeaks" }

local function source_of(selection)
  if selection.kind == "master" then
    return MASTER
  elseif selection.kind == "items" then
    return #selection.items > 1 and ITEMS | ONE_FILE or ITEMS
  end
  return #selection.tracks > 1 and TRACKS_VIA_MASTER or STEMS
end

local function all_tracks(project)
  local tracks = {}
  for index = 0, reaper.CountTracks(project) - 1 do
    tracks[#tracks + 1] = reaper.GetTrack(project, index)
  end
  return tracks
end

local function effects_of(selection)
  local tracks, items = {}, selection.items
  if selection.kind == "master" then
    tracks = all_tracks(selection.project)
  else
    table.move(selection.tracks, 1, #selection.tracks, 1, tracks)
  end
  tracks[#tracks + 1] = reaper.GetMasterTrack(selection.project)
  return tracks, items
end

-- Return why nothing can be rendered now, or nil.
function render.obstacle(project)
  if reaper.EnumProjects(RENDERING) then
    return "REAPER renders something else. Start this again when it has ended."
  elseif reaper.GetPlayStateEx(project) & RECORDING ~= 0 then
    return "REAPER records. Stop the recording first."
  end
end

local function set_up(kept, selection, folder, name, effects)
  kept:set({
    RENDER_SETTINGS = source_of(selection),
    RENDER_BOUNDSFLAG = 0,
    RENDER_STARTPOS = selection.start,
    RENDER_ENDPOS = selection.stop,
    RENDER_CHANNELS = 2,
    RENDER_SRATE = 0, -- the project's
    RENDER_TAILFLAG = 0,
    RENDER_TAILMS = 0,
    RENDER_ADDTOPROJ = 0,
    RENDER_DITHER = 0,
    RENDER_NORMALIZE = 0,
  }, { RENDER_FILE = folder, RENDER_PATTERN = name, RENDER_FORMAT = WAV_24_BIT, RENDER_FORMAT2 = "" })
  if not effects then
    kept:without_effects(effects_of(selection))
  end
end

-- Begin to render a selection into ``folder``/``name``.wav, a name that is new and has no $ in it. Returns the render, or nil and
-- why not; nothing is changed then.
function render.start(selection, folder, name, effects)
  local obstacle = render.obstacle(selection.project)
  if obstacle then
    return nil, obstacle
  end
  local ready, problem = files.make_folder(folder)
  if not ready then
    return nil, "The capture cannot be written: " .. tostring(problem)
  end
  local self = setmetatable({ project = selection.project, path = files.join(folder, name .. ".wav") }, render)
  self.kept = settings.keep(selection.project)
  local fine, trouble = pcall(function()
    set_up(self.kept, selection, folder, name, effects)
    if selection.kind ~= "master" then
      self.kept:later(selections.select(selection))
    end
    reaper.Main_OnCommandEx(RENDER_NOW, 0, selection.project)
  end)
  if not fine then
    self:stop()
    return nil, "REAPER could not render: " .. tostring(trouble)
  end
  return self
end

local function remove_sidecars(path)
  for _, ending in ipairs(SIDECARS) do
    os.remove(path .. ending)
    os.remove((path:gsub("%.wav$", ending)))
  end
end

-- Look once in a tick. Returns "going", "done", "cancelled", or "failed" and why.
function render:step()
  if reaper.EnumProjects(RENDERING) then
    self.ended = nil
    return "going"
  end
  self.kept:restore() -- only now: a render in the background reads the settings while it runs
  local now = reaper.time_precise()
  self.ended = self.ended or now
  local size = files.size(self.path)
  if not size then
    return now - self.ended > PATIENCE and "cancelled" or "going"
  end
  local steady = self.size == size
  self.size = size
  if not steady then
    return "going"
  elseif size <= 44 then
    self:stop()
    return "failed", "REAPER rendered an empty file."
  end
  remove_sidecars(self.path)
  return "done"
end

-- Break off, in any state: the settings are put back, and no file is left.
function render:stop()
  self.kept:restore()
  os.remove(self.path)
  remove_sidecars(self.path)
end

return render
