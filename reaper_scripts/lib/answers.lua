-- Answers to commands: the bridge writes them some time later, and a refusal must not be lost.

local import = ...
local words = import("words")

local answers = {}

local SECTION, LIST = "DAW Bridge", "answers" -- the ids, each with the time at which it was asked
local LATEST = 60 -- s

local function waiting()
  local list = {}
  for id, at in reaper.GetExtState(SECTION, LIST):gmatch("(%S+) (%d+)") do
    list[#list + 1] = { id = id, at = tonumber(at) }
  end
  return list
end

-- Look for the answer to a command from now on.
function answers.expect(id)
  local text = string.format("%s %s %d", reaper.GetExtState(SECTION, LIST), id, os.time())
  reaper.SetExtState(SECTION, LIST, text, false)
end

-- Tell whether an answer is waited for.
function answers.are_waited_for()
  return #waiting() > 0
end

-- Return what is to be told of one command: text, "" if it was done, or nil while there is no answer.
local function outcome(box, one)
  local status = box:status(one.id)
  if status then
    return status.refused and "Not done. " .. words.problem(status.refused) or ""
  elseif os.time() - one.at > LATEST then
    return "The bridge has not answered. What you chose is done when it runs; what may cost only within ten minutes."
  end
end

-- Look once. Returns the first thing to tell, or nil.
function answers.look(box)
  local kept, told = {}, nil
  for _, one in ipairs(waiting()) do
    local text = not told and outcome(box, one)
    if text and text ~= "" then
      told = text
    elseif not text then
      kept[#kept + 1] = string.format("%s %d", one.id, one.at)
    end
  end
  reaper.SetExtState(SECTION, LIST, table.concat(kept, " "), false)
  return told
end

return answers
