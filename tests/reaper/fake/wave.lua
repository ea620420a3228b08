-- WAV files of the fake: how long one is, and tones as rendered audio.

local wave = {}

-- Return seconds, rate and channels of a WAV file, or nil where it is none.
function wave.length(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local head = file:read(12)
  if not head or #head < 12 or head:sub(1, 4) ~= "RIFF" or head:sub(9, 12) ~= "WAVE" then
    file:close()
    return nil
  end
  local rate, align, seconds, channels
  while true do
    local chunk = file:read(8)
    if not chunk or #chunk < 8 then
      break
    end
    local name, size = string.unpack("<c4I4", chunk)
    if name == "fmt " then
      local body = file:read(size)
      local _, count, hertz, _, block = string.unpack("<I2I2I4I4I2", body)
      rate, align, channels = hertz, block, count
    elseif name == "data" and rate then
      seconds = size // align / rate
      break
    else
      file:seek("cur", size + size % 2)
    end
  end
  file:close()
  return seconds, rate, channels
end

-- Write a tone of 24 bit, in stereo, from -0.25 to 0.25.
function wave.write(path, seconds, rate, hertz)
  local frames = math.floor(seconds * rate + 0.5)
  local file = assert(io.open(path, "wb"))
  local size = frames * 6
  file:write(string.pack("<c4I4c4", "RIFF", 36 + size, "WAVE"))
  file:write(string.pack("<c4I4I2I2I4I4I2I2", "fmt ", 16, 1, 2, rate, rate * 6, 6, 24), string.pack("<c4I4", "data", size))
  local period = math.max(1, math.floor(rate / (hertz or 220)))
  local cycle = {}
  for index = 1, period do
    local value = math.floor(2097152 * math.sin(2 * math.pi * index / period))
    cycle[index] = string.pack("<i3i3", value, value)
  end
  local one = table.concat(cycle)
  local whole = one:rep(frames // period)
  file:write(whole, one:sub(1, (frames % period) * 6))
  file:close()
end

return wave
