-- The empty item that stands where the take will stand.

local import = ...
local discard = import("discard")
local form = import("form")
local guarded = import("guarded")
local lanes = import("lanes")
local tag = import("tag")
local undo = import("undo")

local placeholder = {}

local STEP = "DAW Bridge: ask for a take"
local GREY = { 96, 96, 110 }

-- Return how many tracks stand above the place behind the outermost folder of a track. Anywhere in it a new track would be heard through
-- the folder's effects. A folder that is open at the end of the project is closed there, which changes nothing of what it holds.
local function behind_folder(project, track)
  local level, seen, last = 0, false, nil
  for index = 0, reaper.CountTracks(project) - 1 do
    last = reaper.GetTrack(project, index)
    level = math.max(0, level + (math.tointeger(reaper.GetMediaTrackInfo_Value(last, "I_FOLDERDEPTH")) or 0))
    seen = seen or track == nil or last == track
    if seen and level == 0 and track then
      return index + 1
    end
  end
  if last and level > 0 then
    local depth = reaper.GetMediaTrackInfo_Value(last, "I_FOLDERDEPTH")
    reaper.SetMediaTrackInfo_Value(last, "I_FOLDERDEPTH", depth - level)
  end
  return reaper.CountTracks(project)
end

local function new_track(project, below, name)
  local index = behind_folder(project, below)
  -- Without the defaults of new tracks: their effects would colour the take, and it might be armed.
  reaper.InsertTrackAtIndex(index, false)
  local track = reaper.GetTrack(project, index)
  reaper.GetSetMediaTrackInfo_String(track, "P_NAME", name, true)
  return track
end

local TINY = 2 -- of I_FOLDERCOMPACT: the children are too small to be used

-- Tell whether a person sees what is put on a track.
local function is_seen(track)
  if not track or reaper.GetMediaTrackInfo_Value(track, "B_SHOWINTCP") == 0 then
    return false
  end
  local parent = reaper.GetParentTrack(track)
  while parent do
    if reaper.GetMediaTrackInfo_Value(parent, "I_FOLDERCOMPACT") == TINY then
      return false
    end
    parent = reaper.GetParentTrack(parent)
  end
  return true
end

-- Return the track, and its new lane where it has lanes: in lane 0 it could be silent, or lie upon what plays.
local function choose_track(where)
  local last = where.tracks[#where.tracks]
  local wanted = where.track == "same" and where.tracks[1] or last
  if where.track == "new" or where.track == form.INTO or not is_seen(wanted) or guarded.track(wanted) then
    return new_track(where.project, last, where.name)
  elseif lanes.are_known() and (where.track ~= "same" or lanes.has(wanted)) then
    return wanted, lanes.add(wanted)
  end
  return wanted
end

local function make(where, data, text)
  data.silent = where.track == "silent lane" or nil
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

-- Make a placeholder as one undo step. ``where``: project, tracks, track ("new", "same", "lane", "silent lane"), name, position and length
-- in s. ``data`` is its tag without the place. Returns item and track.
function placeholder.create(where, data, text)
  local whole = tag.with(data, {
    version = 1,
    anchor = where.position,
    position = where.position,
    span = where.length,
    takes = {},
  })
  local front = reaper.EnumProjects(-1)
  if front ~= where.project then -- REAPER inserts tracks into the project in front alone
    reaper.SelectProjectInstance(where.project)
  end
  local made = table.pack(pcall(undo.step, where.project, STEP, undo.TRACKS_AND_ITEMS, make, where, whole, text))
  if front ~= where.project then
    reaper.SelectProjectInstance(front)
  end
  assert(made[1], made[2])
  return made[2], made[3]
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

-- Take a placeholder away that nothing was sent for, with the track that was made for it: it alone, found by its mark. The step that
-- made it is not undone: others may stand upon it by now.
function placeholder.remove(project, mark)
  local list = {}
  for index = 0, reaper.CountMediaItems(project) - 1 do
    local item = reaper.GetMediaItem(project, index)
    local data = tag.read(item)
    if data and data.mark == mark then
      list[#list + 1] = { item = item, data = data }
    end
  end
  discard.items(project, list, "DAW Bridge: nothing was sent")
end

return placeholder
