-- Lets a test speak to the fake: pieces of Lua in, JSON out. Loaded by lupa, or run by Debian's lua5.3 and lua5.4 as
-- ``lua5.4 driver.lua FOLDER``, which reads "LENGTH\n" and a piece, again and again.

local folder, host = ...

local function quote(text)
  return '"' .. text:gsub('[%c"\\\127-\255]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

-- Bytes beyond ASCII are told one by one, as Latin-1; the test puts them together again.
local function to_json(value)
  local kind = type(value)
  if kind == "table" then
    local parts = {}
    if #value > 0 or next(value) == nil then
      for index, one in ipairs(value) do
        parts[index] = to_json(one)
      end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    for key, one in pairs(value) do
      parts[#parts + 1] = quote(tostring(key)) .. ":" .. to_json(one)
    end
    return "{" .. table.concat(parts, ",") .. "}"
  elseif kind == "string" then
    return quote(value)
  elseif kind == "number" then
    return math.type(value) == "integer" and tostring(value) or string.format("%.17g", value)
  elseif kind == "boolean" or kind == "nil" then
    return value == nil and "null" or tostring(value)
  end
  return quote(tostring(value))
end

local world = setmetatable({}, { __index = _G })
world.new_fake = assert(loadfile(folder .. "/fake.lua"))(folder, host)
world.start = function(options)
  world.fake = world.new_fake(options)
  world.reaper, world.gfx = world.fake.reaper, world.fake.gfx
end

local function call(piece)
  local chunk, problem = load(piece, "=test", "t", world)
  if not chunk then
    return to_json({ error = problem })
  end
  local fine, value = xpcall(chunk, debug.traceback)
  return fine and to_json({ value = value == nil and "\0nil" or value }) or to_json({ error = value })
end

if arg == nil then
  return call
end

while true do
  local line = io.read("l")
  if not line then
    break
  end
  local answer = call(io.read(tonumber(line)))
  io.write(answer, "\n")
  io.flush()
end
