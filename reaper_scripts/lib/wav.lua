-- Writes a WAV file, 32 bit float, piece by piece.

local wav = {}
wav.__index = wav

local BYTES = 4
local HEADER = 58 -- with the fact chunk that float files have
local PIECE = 1000 -- values that string.pack takes at once

local function header(rate, channels, frames)
  local size = frames * channels * BYTES
  return string.pack("<c4I4c4", "RIFF", HEADER - 8 + size, "WAVE")
    .. string.pack("<c4I4I2I2I4I4I2I2I2", "fmt ", 18, 3, channels, rate, rate * channels * BYTES, channels * BYTES, 32, 0)
    .. string.pack("<c4I4I4", "fact", 4, frames)
    .. string.pack("<c4I4", "data", size)
end

-- Begin a file. Returns the writer, or nil and why not.
function wav.create(path, rate, channels)
  local file, problem = io.open(path, "wb")
  if not file then
    return nil, problem
  end
  local self = setmetatable({ file = file, path = path, rate = rate, channels = channels, frames = 0 }, wav)
  local written, why = file:write(header(rate, channels, 0))
  if not written then
    file:close()
    return nil, why
  end
  return self
end

local FORMAT = "<" .. ("f"):rep(PIECE)

-- Append interleaved samples, a table of count = frames * channels numbers. Returns true, or nil and why not.
function wav:write(samples, count)
  local from = 1
  while from <= count do
    local stop = math.min(count, from + PIECE - 1)
    local format = stop - from + 1 == PIECE and FORMAT or "<" .. ("f"):rep(stop - from + 1)
    local written, problem = self.file:write(string.pack(format, table.unpack(samples, from, stop)))
    if not written then
      return nil, problem
    end
    from = stop + 1
  end
  self.frames = self.frames + count // self.channels
  return true
end

-- End the file. Returns true, or nil and why not.
function wav:close()
  self.file:seek("set", 0)
  local written, problem = self.file:write(header(self.rate, self.channels, self.frames))
  local closed, why = self.file:close()
  if not (written and closed) then
    return nil, problem or why
  end
  return true
end

return wav
