-- What is selected: a range on tracks, else regions. A part is a stretch of one track; all parts together are sent as one source.

local import = ...
local session = import("session")

local selection = {}

local function name_of(tracks)
  return #tracks == 1 and tracks[1]:name() or #tracks .. " tracks"
end

local function result(parts, tracks, what)
  local from, to = math.maxinteger, math.mininteger
  for _, part in ipairs(parts) do
    from, to = math.min(from, part.from), math.max(to, part.to)
  end
  return { parts = parts, from = from, to = to, track = tracks[1]:name(), subject = what .. " on " .. name_of(tracks) }
end

local function of_range(chosen)
  local from, to = chosen.time:start_sample(), chosen.time:end_sample()
  if to <= from then
    return nil
  end
  local parts, tracks, names = {}, {}, {}
  for route in chosen.tracks:routelist():iter() do
    names[route:to_stateful():id():to_s()] = true
  end
  for _, track in ipairs(session.tracks()) do
    if names[track:to_stateful():id():to_s()] then
      parts[#parts + 1] = { track = track, from = from, to = to }
      tracks[#tracks + 1] = track
    end
  end
  return #parts > 0 and result(parts, tracks, "the range") or nil
end

local function of_regions(chosen)
  local ids = {}
  for region in chosen.regions:regionlist():iter() do
    ids[region:to_stateful():id():to_s()] = true
  end
  local parts, tracks = {}, {}
  for _, track in ipairs(session.tracks()) do
    local before = #parts
    for _, region in ipairs(session.regions_of(track)) do
      if ids[region:to_stateful():id():to_s()] then
        local from = region:position():samples()
        parts[#parts + 1] = { track = track, from = from, to = from + region:length():samples() }
      end
    end
    if #parts > before then
      tracks[#tracks + 1] = track
    end
  end
  return #parts > 0 and result(parts, tracks, #parts == 1 and "the region" or #parts .. " regions") or nil
end

-- Return what is selected: its parts {track, from, to}, from and to of all (samples), a track's name, and a line that describes it; or nil
-- and a sentence for a person.
function selection.get()
  local chosen = Editor:get_selection()
  local found = of_range(chosen) or of_regions(chosen)
  if not found then
    return nil, "Select regions, or a range on audio tracks, and press again."
  end
  found.subject = string.format("Send %s, %.2f s", found.subject, (found.to - found.from) / session.rate())
  return found
end

return selection
