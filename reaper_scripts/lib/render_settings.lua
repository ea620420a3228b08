-- The render settings of a project and the switches of effects: read once, changed, and put back exactly once whatever
-- happens in between. What they were stands in the project meanwhile: where REAPER dies and the project was saved while ours counted, they
-- are put back when it is open again.

local import = ...
local json = import("json")
local tabs = import("tabs")

local settings = {}
settings.__index = settings

-- The bounds' times go back before the flag that says which bounds count.
local NUMBERS = {
  "RENDER_SETTINGS",
  "RENDER_STARTPOS",
  "RENDER_ENDPOS",
  "RENDER_BOUNDSFLAG",
  "RENDER_CHANNELS",
  "RENDER_SRATE",
  "RENDER_TAILFLAG",
  "RENDER_TAILMS",
  "RENDER_ADDTOPROJ",
  "RENDER_DITHER",
  "RENDER_NORMALIZE",
}
local TEXTS = { "RENDER_FILE", "RENDER_PATTERN", "RENDER_FORMAT", "RENDER_FORMAT2" }

local SECTION, BEFORE = "DAW Bridge", "before_capture"
local MASTER = "master"
local IN_PLACE = 2 -- of I_SOLO

local function track_of(project, name)
  if name == MASTER then
    return reaper.GetMasterTrack(project)
  end
  return tabs.track(project, name)
end

-- Write what was kept into a project.
local function put_back(project, kept)
  for name, before in pairs(kept.tracks) do
    local track = track_of(project, name)
    if track then
      reaper.SetMediaTrackInfo_Value(track, "I_FXEN", before)
    end
  end
  for name, before in pairs(kept.solos) do
    local track = track_of(project, name)
    if track then
      reaper.SetMediaTrackInfo_Value(track, "I_SOLO", before)
    end
  end
  for name, indices in pairs(kept.takes) do
    local take = reaper.GetMediaItemTakeByGUID(project, name)
    for _, index in ipairs(take and indices or {}) do
      reaper.TakeFX_SetEnabled(take, index, true)
    end
  end
  for _, key in ipairs(NUMBERS) do
    if kept.numbers[key] then
      reaper.GetSetProjectInfo(project, key, kept.numbers[key], true)
    end
  end
  for _, key in ipairs(TEXTS) do
    if kept.texts[key] then
      reaper.GetSetProjectInfo_String(project, key, kept.texts[key], true)
    end
  end
  reaper.SetProjExtState(project, SECTION, BEFORE, "")
end

-- Put back what a capture of an earlier life has left changed in a project; not while one goes on. Tells whether there was something.
function settings.repair(project)
  local _, text = reaper.GetProjExtState(project, SECTION, BEFORE)
  local kept = text ~= "" and json.decode(text)
  if type(kept) ~= "table" then
    return false
  end
  for _, key in ipairs({ "tracks", "solos", "takes", "numbers", "texts" }) do
    kept[key] = type(kept[key]) == "table" and kept[key] or {}
  end
  put_back(project, kept)
  return true
end

-- Note everything that a render of ours changes.
function settings.keep(project)
  settings.repair(project)
  local self = setmetatable({ project = project, undone = {}, put_back = false }, settings)
  self.numbers, self.texts, self.tracks, self.solos, self.takes = {}, {}, {}, {}, {}
  for _, key in ipairs(NUMBERS) do
    self.numbers[key] = reaper.GetSetProjectInfo(project, key, 0, false)
  end
  for _, key in ipairs(TEXTS) do
    local known, text = reaper.GetSetProjectInfo_String(project, key, "", false)
    self.texts[key] = known and text or nil
  end
  return self
end

-- Set numbers and texts, and write down before what they were.
function settings:set(numbers, texts)
  self:note()
  for key, value in pairs(numbers) do
    reaper.GetSetProjectInfo(self.project, key, value, true)
  end
  for key, value in pairs(texts) do
    reaper.GetSetProjectInfo_String(self.project, key, value, true)
  end
end

function settings:note()
  local kept = { numbers = self.numbers, texts = self.texts, tracks = self.tracks, solos = self.solos, takes = self.takes }
  reaper.SetProjExtState(self.project, SECTION, BEFORE, json.encode(kept))
end

-- Have something put back with the settings.
function settings:later(undo)
  self.undone[#self.undone + 1] = undo
end

-- Have some tracks alone in the mix until restore, with what they send heard where it goes. ``tracks``: all of the project.
function settings:solo(tracks, wanted)
  local changes, meant = {}, {}
  for _, track in ipairs(wanted) do
    meant[track] = true
  end
  for _, track in ipairs(tracks) do
    local before = reaper.GetMediaTrackInfo_Value(track, "I_SOLO")
    local now = meant[track] and IN_PLACE or (before <= IN_PLACE and 0 or before) -- above: safe from solos, such as returns
    if now ~= before then
      self.solos[reaper.GetTrackGUID(track)], changes[track] = before, now
    end
  end
  self:note()
  for track, now in pairs(changes) do
    reaper.SetMediaTrackInfo_Value(track, "I_SOLO", now)
  end
end

-- Switch the effects of tracks, of the master and of items off until restore.
function settings:without_effects(tracks, items)
  local switched = { [MASTER] = reaper.GetMasterTrack(self.project) }
  for _, track in ipairs(tracks) do
    switched[reaper.GetTrackGUID(track)] = track
  end
  for name, track in pairs(switched) do
    self.tracks[name] = reaper.GetMediaTrackInfo_Value(track, "I_FXEN")
  end
  local takes = {}
  for _, item in ipairs(items) do
    local take, indices = reaper.GetActiveTake(item), {}
    for index = 0, (take and reaper.TakeFX_GetCount(take) or 0) - 1 do
      if reaper.TakeFX_GetEnabled(take, index) then
        indices[#indices + 1] = index
      end
    end
    if #indices > 0 then
      local _, name = reaper.GetSetMediaItemTakeInfo_String(take, "GUID", "", false)
      self.takes[name], takes[take] = indices, indices
    end
  end
  self:note()
  for _, track in pairs(switched) do
    reaper.SetMediaTrackInfo_Value(track, "I_FXEN", 0)
  end
  for take, indices in pairs(takes) do
    for _, index in ipairs(indices) do
      reaper.TakeFX_SetEnabled(take, index, false)
    end
  end
end

-- Put everything back; a second call does nothing.
function settings:restore()
  if self.put_back then
    return
  end
  self.put_back = true
  if not reaper.ValidatePtr2(nil, self.project, "ReaProject*") then
    return -- closed: its settings are gone with it
  end
  for _, undo in ipairs(self.undone) do
    undo()
  end
  put_back(self.project, self)
end

return settings
