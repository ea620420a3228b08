-- WAV files: writes one, 32 bit float, piece by piece, with a time stamp (Broadcast Wave) where one is given; and reads how long one is.

local wav = {}
wav.__index = wav

local BYTES = 4
local HEADER = 58 -- with the fact chunk that float files have
local PIECE = 1000 -- values that string.pack takes at once

-- Return the chunk that says at which sample of its project a file begins (EBU Tech 3285, version 1).
local function bext(stamp)
  local date, time = os.date("%Y-%m-%d"), os.date("%H:%M:%S")
  local body = string.pack("<c256c32c32c10c8I8I2", "", "daw-bridge", "", date, time, stamp, 1) .. ("\0"):rep(254)
  return string.pack("<c4I4", "bext", #body) .. body
end

local function header(rate, channels, frames, more)
  local size = frames * channels * BYTES
  return string.pack("<c4I4c4", "RIFF", HEADER - 8 + #more + size, "WAVE")
    .. more
    .. string.pack("<c4I4I2I2I4I4I2I2I2", "fmt ", 18, 3, channels, rate, rate * channels * BYTES, channels * BYTES, 32, 0)
    .. string.pack("<c4I4I4", "fact", 4, frames)
    .. string.pack("<c4I4", "data", size)
end

-- Begin a file. ``stamp``: the sample of its project that it begins at, or nil. Returns the writer, or nil and why not.
function wav.create(path, rate, channels, stamp)
  local file, problem = io.open(path, "wb")
  if not file then
    return nil, problem
  end
  local self = setmetatable({ file = file, path = path, rate = rate, channels = channels, frames = 0 }, wav)
  self.more = stamp and bext(stamp) or ""
  local written, why = file:write(header(rate, channels, 0, self.more))
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
  local written, problem = self.file:write(header(self.rate, self.channels, self.frames, self.more))
  local closed, why = self.file:close()
  if not (written and closed) then
    return nil, problem or why
  end
  return true
end

local LEAST_FMT = 16

-- Return rate and frames that the head of an open file tells, checked against its size; or nil.
local function size_in(file)
  local riff, size = file:read(12), file:seek("end")
  if not riff or #riff < 12 or not (riff:sub(1, 4) == "RIFF" or riff:sub(1, 4) == "RF64") or riff:sub(9, 12) ~= "WAVE" then
    return nil
  end
  local at, rate, frame = 12, nil, nil
  while at + 8 <= size do
    file:seek("set", at)
    local name, length = string.unpack("<c4I4", file:read(8))
    if name == "data" then
      local there = math.min(length, size - at - 8) -- a file that was cut off has less than it says
      return rate, frame and frame > 0 and there // frame or nil
    elseif name == "fmt " and length >= LEAST_FMT then
      local fmt = file:read(LEAST_FMT)
      if not fmt or #fmt < LEAST_FMT then
        return nil
      end
      rate, frame = string.unpack("<I4", fmt, 5), string.unpack("<I2", fmt, 13)
    end
    at = at + 8 + length + length % 2
  end
end

-- Return rate (Hz) and frames of a file, or nil if it is no WAV file.
function wav.size_of(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local rate, frames = size_in(file)
  file:close()
  return frames and rate, frames
end

return wav
