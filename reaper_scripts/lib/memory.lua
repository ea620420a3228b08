-- @noindex
-- What is remembered from one press to the next, over a restart of REAPER: last values and earlier prompts.

local import = ...
local json = import("json")

local memory = {}

local SECTION = "DAW Bridge"
local MOST_PROMPTS = 20

local function read(key)
  local data = json.decode(reaper.GetExtState(SECTION, key))
  return type(data) == "table" and data or {}
end

-- What REAPER keeps is one line, and in ASCII: on some Windows all else comes back as question marks.
local function write(key, data)
  reaper.SetExtState(SECTION, key, json.encode_ascii(data), true)
end

-- Return the last values of an action's form.
function memory.values(action)
  return read("values_" .. action)
end

-- Return the prompts of before, the newest first.
function memory.prompts()
  return read("prompts")
end

-- Keep the values of a form that was sent.
function memory.keep(action, values)
  write("values_" .. action, values)
  local prompts = json.array({ values.prompt })
  for _, old in ipairs(memory.prompts()) do
    if old ~= values.prompt and #prompts < MOST_PROMPTS then
      prompts[#prompts + 1] = old
    end
  end
  if values.prompt ~= "" then
    write("prompts", prompts)
  end
end

return memory
