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
local PLAYING, RECORDING = 1, 4 -- bits of GetPlayStateEx
local WAV_24_BIT = "ZXZhdxgBAA=="
local MASTER, ITEM, TRACK = 0, 64, 128 -- of RENDER_SETTINGS: the mix; selected items and selected tracks, both through the master
local EMPTY = 44 -- bytes of a WAV file without audio
local PATIENCE = 2.0 -- s that a file may take to appear after a render

-- What REAPER leaves beside a render where the person ticked it.
local SIDECARS = { ".RPP", ".RPP-bak", ".reapeaks" }

-- One track, or one item, through its folders, sends and the master; several are soloed in a render of the mix. So it is REAPER that sums,
-- and nothing is in it twice. Of several items all is rendered that sounds on their tracks meanwhile.
local function source_of(selection)
  if selection.kind == "items" and #selection.items == 1 then
    return ITEM
  end
  return selection.kind ~= "master" and #selection.tracks == 1 and TRACK or MASTER
end

local function all_tracks(project)
  local tracks = {}
  for index = 0, reaper.CountTracks(project) - 1 do
    tracks[#tracks + 1] = reaper.GetTrack(project, index)
  end
  return tracks
end

-- Return all that may colour what is rendered: folders and the targets of sends are heard, too.
local function effects_of(selection)
  local items, project = {}, selection.project
  for index = 0, reaper.CountMediaItems(project) - 1 do
    local item = reaper.GetMediaItem(project, index)
    local from = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
    if from < selection.stop and from + reaper.GetMediaItemInfo_Value(item, "D_LENGTH") > selection.start then
      items[#items + 1] = item
    end
  end
  return all_tracks(project), items
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
  if selection.kind ~= "master" and source_of(selection) == MASTER then
    kept:solo(all_tracks(selection.project), selection.tracks)
  end
  if not effects then
    kept:without_effects(effects_of(selection))
  end
end

-- Return why this project cannot be rendered now with its effects on or off, or nil.
local function obstacle_to(project, effects)
  if not effects and reaper.GetPlayStateEx(project) & PLAYING ~= 0 then
    return "REAPER plays, and effects that are switched off for the capture would be heard. Stop the playback first, or capture dry."
  end
  return render.obstacle(project)
end

-- Begin to render a selection into ``folder``/``name``.wav, a name that is new and has no $ in it. Returns the render, or nil and
-- why not; nothing is changed then.
function render.start(selection, folder, name, effects)
  local obstacle = obstacle_to(selection.project, effects)
  if obstacle then
    return nil, obstacle
  end
  local ready, problem = files.make_folder(folder)
  if not ready then
    return nil, "The capture cannot be written: " .. tostring(problem)
  end
  local self = setmetatable({ project = selection.project, folder = folder, name = name }, render)
  self.path = files.join(folder, name .. ".wav")
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
    files.remove(path .. ending)
    files.remove((path:gsub("%.wav$", ending)))
  end
end

-- Return the files of this render that are there, and their sizes as a text.
function render:written()
  local paths, sizes = {}, {}
  for _, name in ipairs(files.list(self.folder)) do
    if name:sub(1, #self.name) == self.name and name:match("%.wav$") then
      paths[#paths + 1] = files.join(self.folder, name)
      sizes[#sizes + 1] = name .. " " .. tostring(files.size(paths[#paths]))
    end
  end
  return paths, table.concat(sizes, " ")
end

-- Make one file of what was written. Returns "going", "done", or "failed" and why.
function render:finish(paths)
  for _, path in ipairs(paths) do
    remove_sidecars(path)
    if (files.size(path) or 0) <= EMPTY then
      self:stop()
      return "failed", "REAPER rendered an empty file."
    end
  end
  if #paths > 1 then
    self:stop()
    return "failed", "REAPER wrote more than one file."
  elseif paths[1] ~= self.path then
    files.move(paths[1], self.path)
  end
  return "done"
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
  local paths, sizes = self:written()
  if #paths == 0 then
    return now - self.ended > PATIENCE and "cancelled" or "going"
  end
  local steady = self.sizes == sizes
  self.sizes = sizes
  return steady and self:finish(paths) or "going"
end

-- Break off, in any state: the settings are put back, and no file is left.
function render:stop()
  self.kept:restore()
  for _, path in ipairs((self:written())) do
    files.remove(path)
    remove_sidecars(path)
  end
end

return render
