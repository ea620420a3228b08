-- Plays a file to somebody, before or after it is placed. With SWS it is a preview of REAPER, which leaves the project alone. Else it plays
-- on a hidden track of our own, behind the end of the project, which goes when the file has ended, when the project is changed, and
-- when the script ends. Its mark lets one be found that a crash, a save or an undo has left.

local import = ...
local wav = import("wav")

local listen = {}
listen.__index = listen

local MARK = "P_EXT:daw_bridge_preview"
local SECTION, UNTIL = "DAW Bridge", "listening until"
local APART = 10 -- s between the end of the project and what is played
local LATE = 0.5 -- s that playing may last longer than the file

-- Return a player.
function listen.new()
  return setmetatable({}, listen)
end

local function has_preview()
  return reaper.CF_CreatePreview ~= nil and reaper.CF_Preview_Play ~= nil and reaper.CF_Preview_Stop ~= nil
end

local function is_left_over(track)
  local there, text = reaper.GetSetMediaTrackInfo_String(track, MARK, "", false)
  return there and text ~= ""
end

-- Remove the hidden tracks that something has left in a project. Returns how many.
function listen.sweep(project)
  local removed = 0
  for index = reaper.CountTracks(project) - 1, 0, -1 do
    local track = reaper.GetTrack(project, index)
    if is_left_over(track) then
      reaper.DeleteTrack(track)
      removed = removed + 1
    end
  end
  return removed
end

-- Return a new track that is in no folder: it would be heard through the folder's effects.
local function new_track(project)
  local count = reaper.CountTracks(project)
  reaper.InsertTrackAtIndex(count, false)
  local track = reaper.GetTrack(project, count)
  if not reaper.GetParentTrack(track) then
    return track
  end
  reaper.DeleteTrack(track) -- the last folder has no end
  reaper.InsertTrackAtIndex(0, false)
  return reaper.GetTrack(project, 0)
end

-- The hidden track, while REAPER's transport stands.
local function on_track(self, source, length)
  local project = reaper.EnumProjects(-1)
  if reaper.GetPlayStateEx(project) ~= 0 then
    return nil, "REAPER plays or records. Stop it first, or install SWS: then a take can be heard at any time."
  end
  listen.sweep(project)
  local position = reaper.GetProjectLength(project) + APART
  local cursor = reaper.GetCursorPositionEx(project)
  reaper.PreventUIRefresh(1)
  local track = new_track(project)
  reaper.GetSetMediaTrackInfo_String(track, MARK, "1", true)
  reaper.SetMediaTrackInfo_Value(track, "B_SHOWINTCP", 0)
  reaper.SetMediaTrackInfo_Value(track, "B_SHOWINMIXER", 0)
  local item = reaper.AddMediaItemToTrack(track)
  reaper.SetMediaItemInfo_Value(item, "D_POSITION", position)
  reaper.SetMediaItemInfo_Value(item, "D_LENGTH", length)
  reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 0)
  reaper.SetMediaItemTake_Source(reaper.AddTakeToMediaItem(item), source)
  if reaper.AnyTrackSolo(project) then -- else it would be silent
    reaper.SetMediaTrackInfo_Value(track, "I_SOLO", 1)
  end
  reaper.SetEditCurPos2(project, position, false, false)
  reaper.OnPlayButtonEx(project)
  reaper.SetEditCurPos2(project, cursor, false, false)
  reaper.PreventUIRefresh(-1)
  self.project, self.track, self.position, self.length = project, track, position, length
  self.count, self.until_when = reaper.GetProjectStateChangeCount(project), reaper.time_precise() + length + LATE
  reaper.SetExtState(SECTION, UNTIL, string.format("%.3f", self.until_when), false)
  return true
end

-- Tell whether the hidden track may stand in a project now: what changes the project then would stop it, and have it in its undo step.
function listen.is_on_track()
  local until_when = tonumber(reaper.GetExtState(SECTION, UNTIL))
  return until_when ~= nil and reaper.time_precise() < until_when
end

-- Play a file. ``name`` is what the player is asked for later. Returns true, or nil and why not.
function listen:play(path, name)
  self:stop()
  self:let_go()
  local source = reaper.PCM_Source_CreateFromFile(path)
  local rate, frames = wav.size_of(path) -- REAPER may say 0 of a source that was just made
  local length = source and (frames and frames / rate or reaper.GetMediaSourceLength(source)) or 0
  if length <= 0 then
    if source then
      reaper.PCM_Source_Destroy(source)
    end
    return nil, "REAPER cannot read " .. path
  end
  local fine, problem = true, nil
  if has_preview() then
    self.source, self.preview = source, reaper.CF_CreatePreview(source)
    reaper.CF_Preview_Play(self.preview)
    self.length, self.until_when = length, reaper.time_precise() + length + LATE
  else
    fine, problem = on_track(self, source, length)
    if not fine then
      reaper.PCM_Source_Destroy(source)
    end
  end
  self.name = fine and name or nil
  return fine, problem
end

-- Return how far the file has been played, 0 to 1, or nil if it is not played.
function listen:part(name)
  if self.name ~= name or not name then
    return nil
  end
  return math.max(0, math.min(1, 1 - (self.until_when - reaper.time_precise()) / self.length))
end

local function is_over(self)
  if reaper.time_precise() >= self.until_when then
    return true
  elseif self.track then -- somebody has stopped or changed the project: the track may not get into an undo step of theirs
    return not reaper.ValidatePtr2(nil, self.project, "ReaProject*") or reaper.GetPlayStateEx(self.project) & 1 == 0
      or reaper.GetProjectStateChangeCount(self.project) ~= self.count
  end
  return false
end

-- The preview has stopped in an earlier turn, so nothing plays its source any more.
function listen:let_go()
  if self.left then
    reaper.PCM_Source_Destroy(self.left)
    self.left = nil
  end
end

-- Look once: what has ended is cleared away.
function listen:step()
  self:let_go()
  if self.name and is_over(self) then
    self:stop()
  end
end

local function remove_track(self)
  reaper.SetExtState(SECTION, UNTIL, "", false)
  if not reaper.ValidatePtr2(nil, self.project, "ReaProject*") then
    return
  end
  local position = reaper.GetPlayPositionEx(self.project)
  if reaper.GetPlayStateEx(self.project) & 1 ~= 0 and position >= self.position - APART then
    reaper.OnStopButtonEx(self.project)
  end
  listen.sweep(self.project)
end

-- Stop, and leave nothing behind.
-- ``now``: the script ends, and no other turn comes.
function listen:stop(now)
  if not self.name then
    return
  end
  if self.preview then
    pcall(reaper.CF_Preview_Stop, self.preview) -- one that has ended is gone by itself, and an error then
    self.left, self.source, self.preview = self.source, nil, nil
    if now then
      self:let_go()
    end
  else
    remove_track(self)
  end
  self.name, self.track, self.project = nil, nil, nil
end

return listen
