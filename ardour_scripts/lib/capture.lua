-- Writes what is selected into one file, as its tracks play it before plugins and faders, with the time stamp of where it stands.

local import = ...
local wav = import("wav")

local capture = {}

local PIECE = 8192 -- samples at once

local function channels_of(parts)
  for _, part in ipairs(parts) do
    for region in part.track:playlist():region_list():iter() do
      local audio = region:to_audioregion()
      if not audio:isnil() and audio:n_channels() > 1 then
        return 2
      end
    end
  end
  return 1
end

local function channels_in(track)
  local most = 1
  for region in track:playlist():region_list():iter() do
    local audio = region:to_audioregion()
    most = math.max(most, not audio:isnil() and audio:n_channels() or 1)
  end
  return most
end

-- Add a stretch of a part to interleaved samples.
local function mix(part, memory, at, count, mixed, channels)
  local from, to = math.max(part.from, at), math.min(part.to, at + count)
  if to <= from then
    return
  end
  local playlist = part.track:playlist():to_audioplaylist()
  local data, mixdown, gain = memory:to_float(0), memory:to_float(PIECE), memory:to_float(2 * PIECE)
  for channel = 1, channels do
    local own = math.min(channel, part.channels) - 1 -- a mono track sounds on both sides
    playlist:read(data, mixdown, gain, Temporal.timepos_t(from), Temporal.timecnt_t(to - from), own)
    local index = (from - at) * channels + channel
    for _, value in ipairs(data:get_table(to - from)) do
      mixed[index] = mixed[index] + value
      index = index + channels
    end
  end
end

-- Write the selection to a file. Returns true, or nil and why not.
function capture.write(selected, path, rate)
  local channels = channels_of(selected.parts)
  for _, part in ipairs(selected.parts) do
    part.channels = channels_in(part.track)
  end
  local file, problem = wav.create(path, rate, channels, selected.from)
  local memory = ARDOUR.DSP.DspShm(3 * PIECE)
  local at = selected.from
  while file and at < selected.to and not problem do
    local count, mixed = math.min(PIECE, selected.to - at), {}
    for index = 1, count * channels do
      mixed[index] = 0.0
    end
    for _, part in ipairs(selected.parts) do
      mix(part, memory, at, count, mixed, channels)
    end
    problem = select(2, file:write(mixed, count * channels))
    at = at + count
  end
  if file then
    local closed, why = file:close()
    problem = problem or (not closed and why) or nil
  end
  if problem then
    os.remove(path)
    return nil, problem
  end
  return true
end

return capture
