-- A selection in words, so that another script can find it again; and the person's own selection, kept while ours is rendered.

local import = ...
local tag = import("tag")

local selection = {}

local function guid(item)
  local _, text = reaper.GetSetMediaItemInfo_String(item, "GUID", "", false)
  return text
end

-- Return a selection without pointers.
function selection.to_words(found)
  local words = { kind = found.kind, razor = found.razor, start = found.start, stop = found.stop, tracks = {}, items = {} }
  for index, track in ipairs(found.tracks) do
    words.tracks[index] = reaper.GetTrackGUID(track)
  end
  for index, item in ipairs(found.items) do
    words.items[index] = guid(item)
  end
  return words
end

local function set_of(list)
  local set = {}
  for _, one in ipairs(list) do
    set[one] = true
  end
  return set
end

local function each_track(project, look)
  for index = 0, reaper.CountTracks(project) - 1 do
    local track = reaper.GetTrack(project, index)
    look(track, reaper.GetTrackGUID(track))
  end
end

local function each_item(project, look)
  for index = 0, reaper.CountMediaItems(project) - 1 do
    local item = reaper.GetMediaItem(project, index)
    look(item, guid(item))
  end
end

-- Return where items begin and end, s.
function selection.bounds(items)
  local start, stop = math.huge, -math.huge
  for _, item in ipairs(items) do
    local from, length = tag.bounds(item)
    start, stop = math.min(start, from), math.max(stop, from + length)
  end
  return start, stop
end

-- Items that were moved or trimmed since they were told of would be paid for as another sound.
local function stand_still(found)
  if found.kind ~= "items" then
    return true
  end
  local start, stop = selection.bounds(found.items)
  return math.abs(start - found.start) <= tag.SAME and math.abs(stop - found.stop) <= tag.SAME
end

-- Return the selection that words mean in a project, or nil if something of it is gone or its items stand elsewhere.
function selection.find(project, words)
  local found = { project = project, kind = words.kind, start = words.start, stop = words.stop, tracks = {}, items = {} }
  found.razor = words.razor
  local tracks, items = set_of(words.tracks), set_of(words.items)
  each_track(project, function(track, name)
    if tracks[name] then
      found.tracks[#found.tracks + 1] = track
    end
  end)
  each_item(project, function(item, name)
    if items[name] then
      found.items[#found.items + 1] = item
    end
  end)
  if #found.tracks == #words.tracks and #found.items == #words.items and stand_still(found) then
    return found
  end
end

local function flip(changed, object, kind, now, wanted, set)
  if now ~= wanted then
    set(object, wanted)
    changed[#changed + 1] = { object = object, kind = kind, was = now, set = set }
  end
end

-- Select what is meant and nothing else. Returns a function that takes back what was changed here, and leaves alone what somebody has
-- selected since.
function selection.select(found)
  local project = found.project
  local tracks, items, changed = set_of(found.tracks), set_of(found.items), {}
  each_track(project, function(track)
    flip(changed, track, "MediaTrack*", reaper.IsTrackSelected(track), tracks[track] or false, reaper.SetTrackSelected)
  end)
  if found.kind == "items" then
    each_item(project, function(item)
      local now = reaper.IsMediaItemSelected(item)
      flip(changed, item, "MediaItem*", now, items[item] or false, reaper.SetMediaItemSelected)
    end)
  end
  return function()
    for _, one in ipairs(changed) do
      if reaper.ValidatePtr2(project, one.object, one.kind) then
        one.set(one.object, one.was)
      end
    end
  end
end

return selection
