-- What is remembered from one press to the next, over a restart of REAPER: last values and earlier prompts.
--
-- On some Windows REAPER brings back what is not ASCII as question marks. So texts are kept as ASCII with escapes. What an earlier version
-- kept otherwise is read once, and a text with a question mark in it is not taken over: nobody knows what it was.

local import = ...
local host = import("host")
local json = import("json")

local memory = {}

local KEPT = "kept_" -- before the name of what is kept in ASCII
local MOST_PROMPTS = 20

local function decoded(text)
  local data = json.decode(text)
  return type(data) == "table" and data or {}
end

-- What REAPER keeps is one line.
local function write(key, data)
  host.set(KEPT .. key, json.encode_ascii(data), true)
end

local function is_whole(text)
  return type(text) == "string" and not text:find("?", 1, true)
end

-- Take over what an earlier version kept under the plain name.
local function take_over(key)
  local old = host.get(key)
  if old == "" then
    return {}
  end
  local data, kept = decoded(old), json.array()
  if key == "prompts" then
    for _, prompt in ipairs(data) do
      kept[#kept + 1] = is_whole(prompt) and prompt or nil
    end
  else
    kept = {}
    for name, value in pairs(data) do
      kept[name] = is_whole(value) and value or nil
    end
  end
  write(key, kept)
  host.set(key, "", true)
  return kept
end

local function read(key)
  local text = host.get(KEPT .. key)
  return text ~= "" and decoded(text) or take_over(key)
end

-- Return the last values of an action's form.
function memory.values(action)
  return read("values_" .. action)
end

-- Return what was typed into an action's form and not sent, if it was closed or answered with No; {} if there is nothing.
function memory.draft(action)
  return read("draft_" .. action)
end

-- Keep what was typed, until it is sent.
function memory.keep_draft(action, typed)
  write("draft_" .. action, typed)
end

-- Return the prompts of before, the newest first.
function memory.prompts()
  return read("prompts")
end

-- Keep values under a name.
function memory.keep_values(name, values)
  write("values_" .. name, values)
end

-- Tell whether a source, in words, is the one of the last press; and remember it.
function memory.is_last_source(words)
  local same = json.encode_ascii(read("source")) == json.encode_ascii(words)
  write("source", words)
  return same
end

-- Keep the values of a form that was sent.
function memory.keep(action, values)
  memory.keep_values(action, values)
  memory.keep_draft(action, {})
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
