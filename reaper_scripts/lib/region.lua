-- @noindex
-- What is selected: a region of time, and the tracks or items whose sound is meant.

local region = {}

local function time_selection(project)
  local start, stop = reaper.GetSet_LoopTimeRange2(project, false, false, 0, 0, false)
  if stop > start then
    return start, stop
  end
end

local function selected_tracks(project)
  local tracks = {}
  for index = 0, reaper.CountSelectedTracks(project) - 1 do
    tracks[#tracks + 1] = reaper.GetSelectedTrack(project, index)
  end
  return tracks
end

local function selected_items(project)
  local items = {}
  for index = 0, reaper.CountSelectedMediaItems(project) - 1 do
    items[#items + 1] = reaper.GetSelectedMediaItem(project, index)
  end
  return items
end

local function bounds(items)
  local start, stop = math.huge, -math.huge
  for _, item in ipairs(items) do
    local from = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
    start = math.min(start, from)
    stop = math.max(stop, from + reaper.GetMediaItemInfo_Value(item, "D_LENGTH"))
  end
  return start, stop
end

local function tracks_of(items)
  local tracks, known = {}, {}
  for _, item in ipairs(items) do
    local track = reaper.GetMediaItemTrack(item)
    if not known[track] then
      known[track] = true
      tracks[#tracks + 1] = track
    end
  end
  return tracks
end

-- Return what a transform is made of: the time selection on the selected tracks, the selected items, or the time selection
-- of the whole mix; or nil and a sentence for a person.
function region.to_transform(project)
  local start, stop = time_selection(project)
  local tracks = selected_tracks(project)
  if start then
    local kind = #tracks > 0 and "tracks" or "master"
    return { project = project, kind = kind, start = start, stop = stop, tracks = tracks, items = {} }
  end
  local items = selected_items(project)
  if #items == 0 then
    return nil, "Nothing is selected. Make a time selection on the tracks that you mean and select them, or select items."
  end
  start, stop = bounds(items)
  return { project = project, kind = "items", start = start, stop = stop, tracks = tracks_of(items), items = items }
end

-- Return where something new goes: the time selection, else the edit cursor without an end.
function region.to_generate(project)
  local start, stop = time_selection(project)
  local tracks = selected_tracks(project)
  start = start or reaper.GetCursorPositionEx(project)
  return { project = project, kind = "nothing", start = start, stop = stop, tracks = tracks, items = {} }
end

return region
