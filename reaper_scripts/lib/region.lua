-- What is selected: a region of time, and the tracks or items whose sound is meant.

local import = ...
local selections = import("selection")

local region = {}

local ITEMS = 1 -- of GetCursorContext2
local FEW = 50 -- items

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

-- Of many, REAPER looks for each from the start again: then all items are gone through once.
local function selected_items(project)
  local count, items = reaper.CountSelectedMediaItems(project), {}
  if count <= FEW then
    for index = 0, count - 1 do
      items[#items + 1] = reaper.GetSelectedMediaItem(project, index)
    end
    return items
  end
  for number = 0, reaper.CountTracks(project) - 1 do
    local track = reaper.GetTrack(project, number)
    for index = 0, reaper.CountTrackMediaItems(track) - 1 do
      local item = reaper.GetTrackMediaItem(track, index)
      if reaper.IsMediaItemSelected(item) then
        items[#items + 1] = item
      end
    end
  end
  return items
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

-- Return the razor edit areas on the media of all tracks: their tracks, and the range that holds them; or nil.
local function razor_edits(project)
  local tracks, start, stop = {}, math.huge, -math.huge
  for index = 0, reaper.CountTracks(project) - 1 do
    local track, cut = reaper.GetTrack(project, index), false
    local _, areas = reaper.GetSetMediaTrackInfo_String(track, "P_RAZOREDITS", "", false)
    for from, to, envelope in areas:gmatch('(%S+) (%S+) "([^"]*)"') do
      from, to = tonumber(from), tonumber(to)
      if from and to and to > from and envelope == "" then
        start, stop, cut = math.min(start, from), math.max(stop, to), true
      end
    end
    if cut then
      tracks[#tracks + 1] = track
    end
  end
  if #tracks > 0 then
    return tracks, start, stop
  end
end

local function found(project, kind, start, stop, tracks, items)
  return { project = project, kind = kind, start = start, stop = stop, tracks = tracks, items = items or {} }
end

-- Return what a transform is made of, or nil and a sentence for a person. In this order: razor edit areas; the selected items, if
-- items were clicked last or there is no time selection on tracks; the time selection on the selected tracks; the time selection
-- of the whole mix, which is asked about ("master").
function region.to_transform(project)
  local cut, first, last = razor_edits(project)
  if cut then
    local areas = found(project, "tracks", first, last, cut)
    areas.razor = true
    return areas
  end
  local start, stop = time_selection(project)
  local tracks, items = selected_tracks(project), selected_items(project)
  local on_tracks = start and #tracks > 0
  if #items > 0 and (not on_tracks or reaper.GetCursorContext2(true) == ITEMS) then
    start, stop = selections.bounds(items)
    return found(project, "items", start, stop, tracks_of(items), items)
  elseif start then
    return found(project, on_tracks and "tracks" or "master", start, stop, tracks)
  end
  return nil, "Nothing is selected. Select items, or make a time selection and select the tracks that you mean."
end

local MOST_NAMES = 2

local function names_of(tracks)
  local names = {}
  for index, track in ipairs(tracks) do
    if index <= MOST_NAMES then
      local _, name = reaper.GetSetMediaTrackInfo_String(track, "P_NAME", "", false)
      local number = math.tointeger(reaper.GetMediaTrackInfo_Value(track, "IP_TRACKNUMBER")) or 0
      names[index] = name ~= "" and name or "track " .. number
    end
  end
  if #tracks > MOST_NAMES then
    names[#names + 1] = (#tracks - MOST_NAMES) .. " more"
  end
  return table.concat(names, " + ")
end

local function seconds(number)
  return (string.format("%.2f", number):gsub(",", "."))
end

-- Return what is selected, in words: what sounds, from when to when, how long.
function region.describe(selection)
  local what = selection.kind == "master" and "the whole mix" or names_of(selection.tracks)
  if selection.kind == "items" then
    what = (#selection.items == 1 and "1 item on " or #selection.items .. " items on ") .. what
  elseif selection.razor then
    what = "razor edits on " .. what
  elseif selection.kind == "nothing" then
    what = ""
  end
  local ruler = reaper.GetProjectTimeOffset(selection.project, false) -- of a project that does not begin at 0
  if not selection.stop then
    return what .. "at " .. seconds(selection.start + ruler) .. " s"
  end
  local length = seconds(selection.stop - selection.start)
  what = what ~= "" and what .. ", " or ""
  return string.format("%s%s–%s s = %s s", what, seconds(selection.start + ruler), seconds(selection.stop + ruler), length)
end

-- Return where something new goes: the time selection, else the edit cursor without an end.
function region.to_generate(project)
  local start, stop = time_selection(project)
  local tracks = selected_tracks(project)
  start = start or reaper.GetCursorPositionEx(project)
  return found(project, "nothing", start, stop, tracks)
end

return region
