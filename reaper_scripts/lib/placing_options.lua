-- How a take is put into place: mute the source items or leave them, fades at the edges, a crossfade into neighbours, and whether the
-- take goes into the source item. Chosen in the panel, remembered, noted in the placeholder at the press, done when the first take arrives.

local import = ...
local form = import("form")
local memory = import("memory")
local tag = import("tag")

local options = {}

options.FADE, options.LONGEST = 5, 500 -- ms
local NAME = "placing"

local function milliseconds(text, usual)
  local number = tonumber((tostring(text or ""):gsub(",", ".")))
  return number and math.max(0, math.min(options.LONGEST, number)) or usual
end

-- Return what is chosen: mute (true or false), fade and crossfade in ms.
function options.load()
  local kept = memory.values(NAME)
  return { mute = kept.mute == "yes", fade = milliseconds(kept.fade, options.FADE), crossfade = milliseconds(kept.crossfade, 0) }
end

-- Remember what is chosen.
function options.save(chosen)
  local fade, crossfade = string.format("%g", chosen.fade), string.format("%g", chosen.crossfade)
  memory.keep_values(NAME, { mute = chosen.mute and "yes" or "no", fade = fade, crossfade = crossfade })
end

local function guid(item)
  local _, text = reaper.GetSetMediaItemInfo_String(item, "GUID", "", false)
  return text
end

-- Return the GUIDs of the items of tracks that lie within a selection of time, and how many reach beyond it: those sound elsewhere, too.
local function within(selection)
  local inside, beyond = {}, 0
  for _, track in ipairs(selection.tracks) do
    for index = 0, reaper.CountTrackMediaItems(track) - 1 do
      local item = reaper.GetTrackMediaItem(track, index)
      local position, length = tag.bounds(item)
      local stop = position + length
      if position >= selection.start - tag.SAME and stop <= selection.stop + tag.SAME then
        inside[#inside + 1] = guid(item)
      elseif position < selection.stop - tag.SAME and stop > selection.start + tag.SAME then
        beyond = beyond + 1
      end
    end
  end
  return inside, beyond
end

-- Return what is to be muted when the take is there.
local function to_mute(selection)
  if selection.kind == "master" then
    return { whole_mix = true }
  elseif selection.kind == "tracks" then
    local inside, beyond = within(selection)
    return { mute = inside, beyond = beyond }
  end
  local list = {}
  for index, item in ipairs(selection.items) do
    list[index] = guid(item)
  end
  return { mute = list }
end

-- Return what a placeholder notes, for a selection as it is at the press. Times are in s.
function options.note(chosen, values, selection)
  local noted = { fade = chosen.fade / 1000, crossfade = chosen.crossfade / 1000 }
  if chosen.mute and values.track ~= form.INTO and selection.kind ~= "nothing" then
    noted = tag.with(noted, to_mute(selection))
  end
  noted.into = values.track == form.INTO and #selection.items == 1 and guid(selection.items[1]) or nil
  return noted
end

return options
