-- What a person has protected against changes: locked items, tracks with locked controls, frozen tracks. REAPER lets scripts pass a lock
-- (seen in 7.79), so it is for us to keep to it.

local guarded = {}

-- Return the lines of a track's state that are its own, without those of its items, effects and envelopes.
local function own_lines(track)
  local known, state = reaper.GetTrackStateChunk(track, "", false)
  local lines, depth = {}, 0
  for line in (known and state or ""):gmatch("[^\r\n]+") do
    local mark = line:match("^%s*([<>])")
    if depth == 1 and mark ~= ">" then
      lines[#lines + 1] = line:match("^%s*(.*)$")
    end
    depth = depth + (mark == "<" and 1 or mark == ">" and -1 or 0)
  end
  return lines
end

-- Tell whether a track is frozen (unfreeze puts it back as it was before) or its controls are locked. Only its state tells that in every
-- version of REAPER.
function guarded.track(track)
  for _, line in ipairs(own_lines(track)) do
    if line:find("^<FREEZE") or line:find("^LOCK [^0]") then
      return true
    end
  end
  return false
end

-- Tell whether an item is locked.
function guarded.item(item)
  return (math.tointeger(reaper.GetMediaItemInfo_Value(item, "C_LOCK")) or 0) & 1 ~= 0
end

return guarded
