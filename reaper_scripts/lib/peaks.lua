-- Builds the peaks of new takes, a little in each tick.

local peaks = {}
peaks.__index = peaks

local START, GO_ON, FINISH = 0, 1, 2

function peaks.new()
  return setmetatable({ waiting = {} }, peaks)
end

-- Begin for a take.
function peaks:add(project, take)
  local source = reaper.GetMediaItemTake_Source(take)
  if source and reaper.PCM_Source_BuildPeaks(source, START) ~= 0 then
    self.waiting[#self.waiting + 1] = { project = project, take = take }
  end
end

local function is_there(one)
  return reaper.ValidatePtr2(nil, one.project, "ReaProject*")
    and reaper.ValidatePtr2(one.project, one.take, "MediaItem_Take*")
end

-- Go on for one tick. Returns true when nothing is left.
function peaks:step()
  local one = self.waiting[1]
  if not one then
    return true
  end
  local source = is_there(one) and reaper.GetMediaItemTake_Source(one.take)
  if source and reaper.PCM_Source_BuildPeaks(source, GO_ON) ~= 0 then
    return false
  elseif source then
    reaper.PCM_Source_BuildPeaks(source, FINISH)
    reaper.UpdateArrange()
  end
  table.remove(self.waiting, 1)
  return #self.waiting == 0
end

return peaks
