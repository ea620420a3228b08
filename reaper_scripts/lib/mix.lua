-- Sums WAV files of one render (one for each track) into one file, a little in each tick.

local import = ...
local files = import("files")
local wav = import("wav")

local mix = {}
mix.__index = mix

local BLOCK = 16384 -- frames in one tick, of all files together
local LEAST_BLOCK = 1024
local PIECE = 1000 -- values that string.unpack gives at once
local FLOAT = 3 -- format tags of WAV
local EXTENSIBLE = 0xFFFE
local KINDS = { [16] = { "i2", 32768 }, [24] = { "i3", 8388608 }, [32] = { "i4", 2147483648 } }

-- Return the file, placed at its first sample, with rate, channels, kind of its values and count of its frames; or nil and why not.
local function open(path)
  local file, problem = io.open(path, "rb")
  if not file then
    return nil, problem
  end
  local found = { file = file }
  local head = file:read(12)
  while head and #head >= 8 do
    local chunk = file:read(8)
    if not chunk or #chunk < 8 then
      break
    end
    local name, size = string.unpack("<c4I4", chunk)
    if name == "fmt " then
      local body = file:read(size + size % 2)
      local format, channels, rate, _, align, bits = string.unpack("<I2I2I4I4I2I2", body)
      if format == EXTENSIBLE then
        format = string.unpack("<I2", body, 25)
      end
      found.channels, found.rate, found.align = channels, rate, align
      found.kind = format == FLOAT and { "f", 1 } or KINDS[bits]
    elseif name == "data" and found.kind then
      found.frames = size // found.align
      return found
    else
      file:seek("cur", size + size % 2)
    end
  end
  file:close()
  return nil, path .. " is no WAV file"
end

-- Begin. Returns the mix, or nil and why not.
function mix.start(paths, target)
  local self = setmetatable({ inputs = {}, paths = paths, at = 0, frames = 0 }, mix)
  for index, path in ipairs(paths) do
    local input, problem = open(path)
    if not input then
      self:stop()
      return nil, problem
    end
    self.inputs[index] = input
    self.frames = math.max(self.frames, input.frames)
  end
  local first = self.inputs[1]
  for _, input in ipairs(self.inputs) do
    if input.rate ~= first.rate or input.channels ~= first.channels then
      self:stop()
      return nil, "the files of the render differ"
    end
  end
  local problem
  self.output, problem = wav.create(target, first.rate, first.channels)
  if not self.output then
    self:stop()
    return nil, problem
  end
  return self
end

-- Add the next values of a file to a sum.
local function add(sum, input, count)
  local format, scale = input.kind[1], input.kind[2]
  local size = input.align // input.channels
  local bytes = input.file:read(count * size) or ""
  local there = #bytes // size
  local from = 1
  while from <= there do
    local stop = math.min(there, from + PIECE - 1)
    local values = { string.unpack("<" .. format:rep(stop - from + 1), bytes, (from - 1) * size + 1) }
    for index = from, stop do
      sum[index] = sum[index] + values[index - from + 1] / scale
    end
    from = stop + 1
  end
end

-- Go on for one tick. Returns "going", "done", or "failed" and why.
function mix:step()
  local frames = math.min(math.max(LEAST_BLOCK, BLOCK // #self.inputs), self.frames - self.at)
  local count = frames * self.output.channels
  local sum = {}
  for index = 1, count do
    sum[index] = 0.0
  end
  for _, input in ipairs(self.inputs) do
    add(sum, input, count)
  end
  local written, problem = self.output:write(sum, count)
  self.at = self.at + frames
  if written and self.at < self.frames then
    return "going"
  end
  local output = self.output
  self.output = nil
  local closed, why = output:close()
  self:stop()
  if not (written and closed) then
    return "failed", tostring(problem or why)
  end
  return "done"
end

-- End, in any state; the files that were summed are removed.
function mix:stop()
  for _, input in ipairs(self.inputs) do
    input.file:close()
  end
  self.inputs = {}
  if self.output then
    self.output:close()
    self.output = nil
  end
  for _, path in ipairs(self.paths) do
    files.remove(path)
  end
end

return mix
