-- @noindex
-- The render settings of a project and the switches of effects: read once, changed, and put back exactly once whatever
-- happens in between.

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

-- Note everything that a render of ours changes.
function settings.keep(project)
  local self = setmetatable({ project = project, numbers = {}, texts = {}, undone = {}, put_back = false }, settings)
  for _, key in ipairs(NUMBERS) do
    self.numbers[key] = reaper.GetSetProjectInfo(project, key, 0, false)
  end
  for _, key in ipairs(TEXTS) do
    local known, text = reaper.GetSetProjectInfo_String(project, key, "", false)
    self.texts[key] = known and text or nil
  end
  return self
end

-- Set numbers and texts.
function settings:set(numbers, texts)
  for key, value in pairs(numbers) do
    reaper.GetSetProjectInfo(self.project, key, value, true)
  end
  for key, value in pairs(texts) do
    reaper.GetSetProjectInfo_String(self.project, key, value, true)
  end
end

-- Have something put back with the settings.
function settings:later(undo)
  self.undone[#self.undone + 1] = undo
end

-- Switch the effects of tracks and items off until restore.
function settings:without_effects(tracks, items)
  for _, track in ipairs(tracks) do
    local before = reaper.GetMediaTrackInfo_Value(track, "I_FXEN")
    reaper.SetMediaTrackInfo_Value(track, "I_FXEN", 0)
    self.undone[#self.undone + 1] = function()
      if reaper.ValidatePtr2(self.project, track, "MediaTrack*") then
        reaper.SetMediaTrackInfo_Value(track, "I_FXEN", before)
      end
    end
  end
  for _, item in ipairs(items) do
    local take = reaper.GetActiveTake(item)
    for index = 0, (take and reaper.TakeFX_GetCount(take) or 0) - 1 do
      if reaper.TakeFX_GetEnabled(take, index) then
        reaper.TakeFX_SetEnabled(take, index, false)
        self.undone[#self.undone + 1] = function()
          if reaper.ValidatePtr2(self.project, take, "MediaItem_Take*") then
            reaper.TakeFX_SetEnabled(take, index, true)
          end
        end
      end
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
  for _, key in ipairs(NUMBERS) do
    reaper.GetSetProjectInfo(self.project, key, self.numbers[key], true)
  end
  for _, key in ipairs(TEXTS) do
    if self.texts[key] then
      reaper.GetSetProjectInfo_String(self.project, key, self.texts[key], true)
    end
  end
end

return settings
