-- Fixed lanes of a track (REAPER 7). Lanes that were just switched on all play, and a new one plays with them: so what plays is set
-- in words here, at the press as it was before, and when the take is there as the person wants it.

local import = ...
local guarded = import("guarded")

local lanes = {}

local SINCE = 7 -- version of REAPER
local FIXED = 2 -- of I_FREEMODE
local SILENT, ALONE = 0, 1 -- of C_LANEPLAYS:N; 2 plays with others

local function get(track, key)
  return math.tointeger(reaper.GetMediaTrackInfo_Value(track, key)) or 0
end

local function plays(lane)
  return string.format("C_LANEPLAYS:%d", lane)
end

-- Tell whether REAPER has them.
function lanes.are_known()
  return (tonumber(reaper.GetAppVersion():match("^(%d+)")) or 0) >= SINCE
end

-- Tell whether a track has fixed lanes.
function lanes.has(track)
  return lanes.are_known() and get(track, "I_FREEMODE") == FIXED
end

local function count_of(track)
  local count = lanes.has(track) and get(track, "I_NUMFIXEDLANES") or 1
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local lane = math.tointeger(reaper.GetMediaItemInfo_Value(reaper.GetTrackMediaItem(track, index), "I_FIXEDLANE"))
    count = math.max(count, (lane or 0) + 1)
  end
  return count
end

-- One lane that plays alone silences the others; so the silent ones come first.
local function set_playing(track, modes)
  for _, silent in ipairs({ true, false }) do
    for lane, mode in pairs(modes) do
      if (mode == SILENT) == silent and get(track, plays(lane)) ~= mode then
        reaper.SetMediaTrackInfo_Value(track, plays(lane), mode)
      end
    end
  end
end

-- Give a track one more lane, which is silent, and leave alone what plays. Returns its number.
function lanes.add(track)
  local had, lane, modes = lanes.has(track), count_of(track), {}
  for number = 0, lane - 1 do
    modes[number] = had and get(track, plays(number)) or (lane == 1 and ALONE or 2)
  end
  modes[lane] = SILENT
  reaper.SetMediaTrackInfo_Value(track, "I_FREEMODE", FIXED)
  reaper.SetMediaTrackInfo_Value(track, "I_NUMFIXEDLANES", lane + 1) -- else there is one more after a save
  set_playing(track, modes)
  if get(track, "C_LANESCOLLAPSED") ~= 0 then
    reaper.SetMediaTrackInfo_Value(track, "C_LANESCOLLAPSED", 0) -- else a silent lane is not seen
  end
  return lane
end

-- Have the lane of an item play alone, whichever lane and track it is in now. Returns a sentence if that cannot be, or nil.
function lanes.play(item)
  local track = reaper.GetMediaItemTrack(item)
  if not lanes.has(track) then
    return nil
  elseif guarded.track(track) then
    return "Its track is locked: the lanes play as before."
  else
    local lane = math.tointeger(reaper.GetMediaItemInfo_Value(item, "I_FIXEDLANE")) or 0
    reaper.SetMediaTrackInfo_Value(track, plays(lane), ALONE)
  end
end

return lanes
