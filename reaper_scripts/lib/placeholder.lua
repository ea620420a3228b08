-- The empty item that stands where the take will stand.

local import = ...
local tag = import("tag")
local undo = import("undo")

local placeholder = {}

local STEP = "DAW Bridge: ask for a take"
local GREY = { 96, 96, 110 }
local LANES_SINCE = 7
local FIXED_LANES = 2 -- of I_FREEMODE

local function index_of(track)
  return math.tointeger(reaper.GetMediaTrackInfo_Value(track, "IP_TRACKNUMBER")) or 0
end

local function new_track(project, below, name)
  local index = below and index_of(below) or reaper.CountTracks(project)
  -- Of the active project, which is the one somebody pressed in; without the defaults of new tracks: their effects would colour the
  -- take, and it might be armed.
  reaper.InsertTrackAtIndex(index, false)
  local track = reaper.GetTrack(project, index)
  reaper.GetSetMediaTrackInfo_String(track, "P_NAME", name, true)
  return track
end

local function major()
  return tonumber(reaper.GetAppVersion():match("^(%d+)")) or 0
end

-- Return the first lane of a track that nothing stands in. Makes the track one with fixed lanes.
local function free_lane(track)
  reaper.SetMediaTrackInfo_Value(track, "I_FREEMODE", FIXED_LANES)
  local highest = 0
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local item = reaper.GetTrackMediaItem(track, index)
    highest = math.max(highest, reaper.GetMediaItemInfo_Value(item, "I_FIXEDLANE") + 1)
  end
  return highest
end

local function choose_track(where)
  local last = where.tracks[#where.tracks]
  if where.track == "new" or not last then
    return new_track(where.project, last, where.name)
  elseif where.track == "lane" and major() >= LANES_SINCE then
    return last, free_lane(last)
  end
  return where.tracks[1]
end

local function make(where, data, text)
  local count = reaper.CountTracks(where.project)
  local track, lane = choose_track(where)
  if reaper.CountTracks(where.project) > count then
    data.new_track = { guid = reaper.GetTrackGUID(track), name = where.name }
  end
  local item = reaper.AddMediaItemToTrack(track)
  reaper.SetMediaItemInfo_Value(item, "D_POSITION", where.position)
  reaper.SetMediaItemInfo_Value(item, "D_LENGTH", where.length)
  reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 0)
  if lane then
    reaper.SetMediaItemInfo_Value(item, "I_FIXEDLANE", lane)
    reaper.UpdateTimeline()
  end
  reaper.SetMediaItemInfo_Value(item, "I_CUSTOMCOLOR", reaper.ColorToNative(table.unpack(GREY)) | 0x1000000)
  reaper.GetSetMediaItemInfo_String(item, "P_NOTES", text, true)
  tag.write(item, data)
  reaper.UpdateItemInProject(item)
  return item, track
end

-- Make a placeholder as one undo step. ``where``: project, tracks, track ("new", "same", "lane"), name, position and length
-- in s. ``data`` is its tag without the place. Returns item and track.
function placeholder.create(where, data, text)
  local whole = tag.with(data, {
    version = 1,
    anchor = where.position,
    position = where.position,
    span = where.length,
    takes = {},
  })
  return undo.step(where.project, STEP, undo.TRACKS_AND_ITEMS, make, where, whole, text)
end

-- Show a text in an item. It is no undo step, and nothing is written where nothing is new.
function placeholder.tell(project, item, text)
  local _, old = reaper.GetSetMediaItemInfo_String(item, "P_NOTES", "", false)
  if old == text then
    return false
  end
  reaper.GetSetMediaItemInfo_String(item, "P_NOTES", text, true)
  reaper.UpdateItemInProject(item)
  return reaper.ValidatePtr2(project, item, "MediaItem*")
end

-- Take a placeholder away that nothing was sent for, with the track that was made for it: our own undo step is undone where it is the
-- last one, else the item alone goes.
function placeholder.remove(project, mark)
  undo.take_back(project, STEP)
  for index = reaper.CountMediaItems(project) - 1, 0, -1 do
    local item = reaper.GetMediaItem(project, index)
    local data = tag.read(item)
    if data and data.mark == mark and reaper.CountTakes(item) == 0 then
      undo.step(project, "DAW Bridge: nothing was sent", undo.ITEMS, function()
        reaper.DeleteTrackMediaItem(reaper.GetMediaItemTrack(item), item)
      end)
    end
  end
end

return placeholder
