-- What we write into an item, saved with the project: which request it waits for, and which takes it got. It goes where the
-- item goes: into copies, both halves of a split, other tracks, other projects.
--
-- ``anchor`` is where the take begins, in the project's time. It moves when the item is moved, and stays when an edge of the
-- item is: a half of a split shows its own part of the take.

local import = ...
local json = import("json")

local tag = {}

local FIELD = "P_EXT:daw_bridge"
tag.SAME = 0.5 / 44100 -- s: half a sample of a take; the one tolerance for where an item stands

local known = setmetatable({}, { __mode = "v" }) -- decoded texts: items are looked at far more often than they change

local KINDS = { mark = "string", id = "string", anchor = "number", position = "number", span = "number", takes = "table" }

-- Tell whether a tag has all that is counted on: one that has not (somebody else's, a later version's) would end each look.
local function is_ours(data)
  for key, kind in pairs(KINDS) do
    if type(data[key]) ~= kind then
      return false
    end
  end
  return true
end

-- Return what is written in an item, or nil. The table is shared: change a copy.
function tag.read(item)
  local there, text = reaper.GetSetMediaItemInfo_String(item, FIELD, "", false)
  if not there or text == "" then
    return nil
  end
  local data = known[text]
  if data == nil then
    data = json.decode(text)
    if type(data) ~= "table" or not is_ours(data) then
      return nil
    end
    known[text] = data
  end
  return data
end

-- Write into an item.
function tag.write(item, data)
  local text = json.encode(data)
  reaper.GetSetMediaItemInfo_String(item, FIELD, text, true)
end

-- Return a copy of what was read, with some keys changed.
function tag.with(data, changes)
  local copy = {}
  for key, value in pairs(data) do
    copy[key] = value
  end
  for key, value in pairs(changes) do
    copy[key] = value
  end
  return copy
end

-- Return where an item stands and how long it is, s.
function tag.bounds(item)
  return reaper.GetMediaItemInfo_Value(item, "D_POSITION"), reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
end

local function near(a, b)
  return math.abs(a - b) <= tag.SAME
end

-- Return where the take of an item begins now, after whatever was done to the item since it was looked at.
function tag.anchor(data, position, length)
  local start, stop = data.position, data.position + data.span
  local same_start, same_stop = near(position, start), near(position + length, stop)
  local inside = position > start and position + length < stop
  if same_start or same_stop or (inside and not near(length, data.span)) then
    return data.anchor
  end
  return data.anchor + (position - start)
end

-- Bring the anchor up to date. Returns what is written in the item now.
function tag.follow(item, data)
  local position, length = tag.bounds(item)
  if near(position, data.position) and near(length, data.span) then
    return data
  end
  local anchor = tag.anchor(data, position, length)
  local followed = tag.with(data, { anchor = anchor, position = position, span = length })
  tag.write(item, followed)
  return followed
end

-- Write into a take which job and delivery it is.
function tag.write_take(take, job, delivery)
  reaper.GetSetMediaItemTakeInfo_String(take, FIELD, job .. " " .. delivery, true)
end

-- Return the take of an item that is a job's, and the number of its delivery; or nil.
function tag.take_of(item, job)
  for index = 0, reaper.CountTakes(item) - 1 do
    local take = reaper.GetTake(item, index)
    local there, text = false, ""
    if take then -- an empty take has no pointer
      there, text = reaper.GetSetMediaItemTakeInfo_String(take, FIELD, "", false)
    end
    local name, delivery = text:match("^(%S+) (%d+)$")
    if there and name == job then
      return take, math.tointeger(tonumber(delivery))
    end
  end
end

return tag
