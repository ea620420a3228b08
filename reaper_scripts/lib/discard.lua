-- Takes placeholders away that nothing will come into, with the tracks that were made for them, as one undo step of a project.

local import = ...
local tabs = import("tabs")
local undo = import("undo")

local discard = {}

local TRACKS_AND_ITEMS = undo.TRACKS_AND_ITEMS

-- Tell whether nobody has put anything on a track since it was made under a name.
local function is_untouched(track, name)
  local _, now = reaper.GetSetMediaTrackInfo_String(track, "P_NAME", "", false)
  return now == name and reaper.CountTrackMediaItems(track) == 0 and reaper.TrackFX_GetCount(track) == 0
end

-- Take the track that was made for an item away, if nobody has put anything on it.
function discard.track(project, made)
  local track = made and tabs.track(project, made.guid)
  if track and is_untouched(track, made.name) then
    reaper.DeleteTrack(track)
  end
end

-- Take items of a project away. ``list``: item and data of each. Those that have a take stay. Returns how many went.
function discard.items(project, list, title)
  local empty = {}
  for _, one in ipairs(list) do
    if reaper.ValidatePtr2(project, one.item, "MediaItem*") and reaper.CountTakes(one.item) == 0 then
      empty[#empty + 1] = one
    end
  end
  if #empty == 0 then
    return 0
  end
  undo.step(project, title, TRACKS_AND_ITEMS, function()
    for _, one in ipairs(empty) do
      reaper.DeleteTrackMediaItem(reaper.GetMediaItemTrack(one.item), one.item)
    end
    for _, one in ipairs(empty) do
      discard.track(project, one.data.new_track)
    end
  end)
  return #empty
end

return discard
