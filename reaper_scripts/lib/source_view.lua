-- The waveform of what will be sent, from REAPER's own peaks, one item in each step.

local source_view = {}
source_view.__index = source_view

local MOST_ITEMS = 200 -- that are drawn
local WIDTH = 240 -- columns

local function items_of(selection)
  if selection.kind == "items" then
    return selection.items
  end
  local items = {}
  for _, track in ipairs(selection.tracks) do
    for index = 0, math.min(reaper.CountTrackMediaItems(track), MOST_ITEMS) - 1 do
      items[#items + 1] = reaper.GetTrackMediaItem(track, index)
    end
  end
  return items
end

-- Begin with a selection that has an end.
function source_view.new(selection)
  local self = setmetatable({ selection = selection, at = 0, columns = {}, known = false }, source_view)
  self.items = items_of(selection)
  self.rate = WIDTH / (selection.stop - selection.start)
  self.buffer = reaper.new_array(2 * WIDTH)
  for index = 1, WIDTH do
    self.columns[index] = 0
  end
  return self
end

function source_view:draw(item)
  local take = reaper.GetActiveTake(item)
  local source = take and reaper.GetMediaItemTake_Source(take)
  if not source or reaper.GetMediaItemInfo_Value(item, "B_MUTE") ~= 0 then
    return
  end
  local position = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local stop = position + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local from, to = math.max(position, self.selection.start), math.min(stop, self.selection.stop)
  local first = math.floor((from - self.selection.start) * self.rate)
  local count = math.floor((to - from) * self.rate)
  local playrate = reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE")
  if count < 1 or playrate <= 0 then
    return
  end
  local start = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS") + (from - position) * playrate
  local silent = math.min(count, math.max(0, math.ceil(-start / playrate * self.rate))) -- the source begins later than the item
  first, count, start = first + silent, count - silent, math.max(0.0, start)
  if count < 1 then
    return
  end
  local got = reaper.PCM_Source_GetPeaks(source, self.rate / playrate, start, 1, count, 0, self.buffer) & 0xFFFFF
  local values = got > 0 and self.buffer.table(1, 2 * count) or {}
  self.known = self.known or got > 0
  for index = 1, math.min(got, WIDTH - first) do
    local level = math.max(math.abs(values[index]), math.abs(values[count + index]))
    self.columns[first + index] = math.max(self.columns[first + index], math.min(1, level))
  end
end

-- Go on with one item. Returns false when all are drawn.
function source_view:step()
  self.at = self.at + 1
  local item = self.at <= MOST_ITEMS and self.items[self.at]
  if not item then
    return false
  elseif reaper.ValidatePtr2(self.selection.project, item, "MediaItem*") then
    self:draw(item)
  end
  return true
end

return source_view
