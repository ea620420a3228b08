-- The quick capture: what the items of the tracks play, before all effects, faders and sends. It changes no setting, shows no
-- window and reads a little in each tick.

local import = ...
local files = import("files")
local tag = import("tag")
local wav = import("wav")

local dry = {}
dry.__index = dry

local CHANNELS = 2
local BLOCK = 2048 -- frames that are read at once, of each track
local PACE = 0.005 -- s of work in one tick
local MOST = 1048576 -- frames in one tick, of all tracks together, whatever the clock says

local function has_items(track, start, stop)
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local position, length = tag.bounds(reaper.GetTrackMediaItem(track, index))
    if position < stop and position + length > start then
      return true
    end
  end
  return false
end

-- What plays nothing in the selection costs nothing.
local function open_accessors(selection)
  local accessors = {}
  for _, track in ipairs(selection.tracks) do
    if has_items(track, selection.start, selection.stop) then
      accessors[#accessors + 1] = reaper.CreateTrackAudioAccessor(track)
    end
  end
  return accessors
end

-- Begin to capture. ``selection``: tracks, start and stop in s. Returns the capture, or nil and why not.
function dry.start(selection, path, rate)
  if #selection.tracks == 0 then
    return nil, "A dry capture needs tracks or items; none is selected."
  end
  local writer, problem = wav.create(path, rate, CHANNELS)
  if not writer then
    return nil, "The capture cannot be written: " .. tostring(problem)
  end
  local self = setmetatable({ writer = writer, path = path, rate = rate, at = 0, heard = false }, dry)
  self.start_time = selection.start
  self.frames = math.floor((selection.stop - selection.start) * rate + 0.5)
  self.accessors = open_accessors(selection)
  self.buffer = reaper.new_array(BLOCK * CHANNELS)
  return self
end

-- Add tables of count numbers into the first of them, three at a time: going through them is what costs.
local function sum_of(parts, count)
  local sum = parts[1]
  for index = 2, #parts, 3 do
    local a, b, c = parts[index], parts[index + 1], parts[index + 2]
    if c then
      for at = 1, count do
        sum[at] = sum[at] + a[at] + b[at] + c[at]
      end
    else
      for at = 1, count do
        sum[at] = sum[at] + a[at] + (b and b[at] or 0)
      end
    end
  end
  return sum
end

local function silence(count)
  local samples = {}
  for at = 1, count do
    samples[at] = 0.0
  end
  return samples
end

function dry:block(frames)
  local parts, count = {}, frames * CHANNELS
  for _, accessor in ipairs(self.accessors) do
    self.buffer.clear() -- what lies behind the end of the items is left as it was
    local from = self.start_time + self.at / self.rate
    local got = reaper.GetAudioAccessorSamples(accessor, self.rate, CHANNELS, from, frames, self.buffer)
    if got < 0 then
      return nil, "REAPER could not read the audio of a track."
    elseif got > 0 then
      parts[#parts + 1] = self.buffer.table(1, count)
    end
  end
  self.heard = self.heard or #parts > 0
  return sum_of(#parts > 0 and parts or { silence(count) }, count)
end

-- Read and write the next frames. Returns what went wrong, or nil.
function dry:go_on()
  local frames = math.min(BLOCK, self.frames - self.at)
  local samples, problem = self:block(frames)
  if not samples then
    return problem
  end
  self.at = self.at + frames
  local written, why = self.writer:write(samples, frames * CHANNELS)
  return not written and "The capture cannot be written: " .. tostring(why) or nil
end

-- Go on for one tick: as many blocks as its time allows, by what the last one took. Returns "going", "done", or "failed" and why.
function dry:step()
  local began, stop = reaper.time_precise(), self.at + MOST // math.max(1, #self.accessors)
  repeat
    local before = reaper.time_precise()
    local problem = self:go_on()
    if problem then
      self:stop()
      return "failed", problem
    end
    local now = reaper.time_precise()
  until self.at >= math.min(self.frames, stop) or now - began + (now - before) > PACE
  if self.at < self.frames then
    return "going"
  end
  return self:finish()
end

function dry:finish()
  self:let_go()
  local writer = self.writer
  self.writer = nil
  local closed, problem = writer:close()
  if not closed then
    files.remove(self.path)
    return "failed", "The capture cannot be written: " .. tostring(problem)
  elseif not self.heard then
    files.remove(self.path)
    return "failed", "There is no audio in the selection."
  end
  return "done"
end

function dry:let_go()
  for _, accessor in ipairs(self.accessors) do
    reaper.DestroyAudioAccessor(accessor)
  end
  self.accessors = {}
end

-- Break off, in any state, and leave no file.
function dry:stop()
  self:let_go()
  if self.writer then
    self.writer:close()
    self.writer = nil
  end
  files.remove(self.path)
end

return dry
