-- What is done around a take when it arrives, inside of its undo step: the source items are muted, the edges faded, the neighbours drawn
-- into a crossfade; or the take goes into the item that it was made of.

local import = ...
local guarded = import("guarded")
local tag = import("tag")

local settle = {}

-- Return the items of a project that have these GUIDs, by them: one walk through all items.
local function find(project, guids)
  local wanted, found = {}, {}
  for _, guid in ipairs(guids) do
    wanted[guid] = true
  end
  for index = 0, next(wanted) and reaper.CountMediaItems(project) - 1 or -1 do
    local item = reaper.GetMediaItem(project, index)
    local _, guid = reaper.GetSetMediaItemInfo_String(item, "GUID", "", false)
    found[guid] = wanted[guid] and item or nil
  end
  return found
end

local function near(a, b)
  return math.abs(a - b) <= tag.SAME
end

local function stop_of(item)
  local position, length = tag.bounds(item)
  return position + length
end

-- Return the item that a take goes into instead of its placeholder: the one that it was made of, if that is as it was; or nil.
function settle.target(project, item, data, seconds)
  local wanted = data.placing and data.placing.into
  local target = wanted and find(project, { wanted })[wanted]
  if not target or target == item or guarded.item(target) or tag.read(target) or reaper.CountTakes(item) > 0 then
    return nil
  end
  local _, notes = reaper.GetSetMediaItemInfo_String(target, "P_NOTES", "", false)
  if notes ~= "" then
    return nil -- ours would be written over them
  end
  local position, length = tag.bounds(target)
  local same = near(position, data.position) and near(length, data.span)
  return same and seconds >= length - tag.SAME and target or nil
end

local function counted(number, what)
  return string.format("%d %s%s", number, what, number == 1 and "" or "s")
end

-- Mute the source items. Adds to ``remarks`` what was left alone.
local function mute(project, noted, remarks)
  local locked = 0
  for _, item in pairs(find(project, noted.mute or {})) do
    if guarded.item(item) then
      locked = locked + 1
    else
      reaper.SetMediaItemInfo_Value(item, "B_MUTE", 1)
    end
  end
  if locked > 0 then
    remarks[#remarks + 1] = "Not muted: " .. counted(locked, "locked item") .. "."
  end
  if (tonumber(noted.beyond) or 0) > 0 then
    remarks[#remarks + 1] = "Not muted: " .. counted(noted.beyond, "item") .. " not wholly within what was sent."
  elseif noted.whole_mix then
    remarks[#remarks + 1] = "Not muted: the whole mix was sent."
  end
end

-- Return how much earlier (left) and later (right) the sound of an item goes on behind its edges, s.
local function spare(item)
  local take = reaper.GetActiveTake(item)
  local source = take and reaper.GetMediaItemTake_Source(take)
  if not source then
    return 0, 0
  end
  local rate = reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE")
  local offset = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
  local length, in_beats = reaper.GetMediaSourceLength(source)
  local _, span = tag.bounds(item)
  if in_beats or rate <= 0 then
    return 0, 0
  end
  return math.max(0, offset / rate), math.max(0, (length - offset) / rate - span)
end

-- Draw the neighbour on the left over our edge, as far as its sound goes. Returns the length of the crossfade, s.
local function from_left(neighbour, seconds)
  local _, right = spare(neighbour)
  local length = math.min(seconds, right)
  if length > 0 then
    local _, span = tag.bounds(neighbour)
    reaper.SetMediaItemInfo_Value(neighbour, "D_LENGTH", span + length)
    reaper.SetMediaItemInfo_Value(neighbour, "D_FADEOUTLEN", length)
    reaper.UpdateItemInProject(neighbour)
  end
  return length
end

-- The same for the neighbour on the right: it begins earlier, and what it plays stays where it is.
local function from_right(neighbour, seconds)
  local left = spare(neighbour)
  local length = math.min(seconds, left)
  if length > 0 then
    local position, span = tag.bounds(neighbour)
    for index = 0, reaper.CountTakes(neighbour) - 1 do
      local take = reaper.GetTake(neighbour, index)
      if take then
        local rate = reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE")
        local offset = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
        reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", offset - length * rate)
        for marker = reaper.GetTakeNumStretchMarkers(take) - 1, 0, -1 do -- they stand by the edge; the last first, none passes another
          local _, at = reaper.GetTakeStretchMarker(take, marker)
          reaper.SetTakeStretchMarker(take, marker, at + length * rate)
        end
      end
    end
    reaper.SetMediaItemInfo_Value(neighbour, "D_POSITION", position - length)
    reaper.SetMediaItemInfo_Value(neighbour, "D_LENGTH", span + length)
    reaper.SetMediaItemInfo_Value(neighbour, "D_FADEINLEN", length)
    reaper.UpdateItemInProject(neighbour)
  end
  return length
end

-- Returns the lengths of the crossfades at both edges, 0 if nothing stands there.
local function crossfade(item, seconds)
  local left, right = 0, 0
  local track, lane = reaper.GetMediaItemTrack(item), reaper.GetMediaItemInfo_Value(item, "I_FIXEDLANE")
  local start, stop = tag.bounds(item), stop_of(item)
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local other = reaper.GetTrackMediaItem(track, index)
    if other ~= item and reaper.GetMediaItemInfo_Value(other, "I_FIXEDLANE") == lane and not guarded.item(other) then
      if near(stop_of(other), start) then
        left = math.max(left, from_left(other, seconds))
      elseif near((tag.bounds(other)), stop) then
        right = math.max(right, from_right(other, seconds))
      end
    end
  end
  return left, right
end

-- Do what is noted, for the first take of an item of ours. Returns sentences about what was left alone.
function settle.around(project, item, data)
  local noted, remarks = data.placing, {}
  if not noted then
    return remarks
  end
  mute(project, noted, remarks)
  local left, right = 0, 0
  if (tonumber(noted.crossfade) or 0) > 0 then
    left, right = crossfade(item, noted.crossfade)
  end
  local whole = near(data.anchor, data.position) -- else it is the right part of a split: no fade inside of the take
  local fade = math.min(tonumber(noted.fade) or 0, data.span / 2)
  reaper.SetMediaItemInfo_Value(item, "D_FADEINLEN", left > 0 and left or whole and fade or 0)
  local last = noted.length == nil or near(data.position + data.span, data.anchor + noted.length)
  reaper.SetMediaItemInfo_Value(item, "D_FADEOUTLEN", right > 0 and right or last and fade or 0)
  return remarks
end

return settle
