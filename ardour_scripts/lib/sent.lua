-- The presses that were made and have not come to their end: over a restart, so that a capture is removed once nobody needs it. It is
-- noted before it is written: no folder can be listed in here.

local import = ...
local files = import("files")
local host = import("host")
local json = import("json")
local words = import("words")

local sent = {}

local LIST = "sent"
local LATEST = 3600 -- s after which a press without an answer is given up: a request is valid for less

local function read()
  local data = json.decode(host.get(LIST))
  return type(data) == "table" and data or {}
end

local function write(list)
  host.set(LIST, json.encode(json.array(list)), true)
end

-- Note a press. ``path``: its capture, or nil.
function sent.add(id, path)
  local list = read()
  list[#list + 1] = { id = id, path = path, at = os.time() }
  write(list)
end

local function is_over(box, one)
  local status = box:status(one.id)
  if status then
    return words.all_ended(status)
  end
  return not box:waits(one.id) and os.time() - one.at > LATEST
end

-- Forget what has ended, with its capture. The bridge has kept what it sent.
function sent.tidy(box)
  local list, kept, over, needed = read(), {}, {}, {}
  for _, one in ipairs(list) do
    if type(one) == "table" and type(one.id) == "string" then
      if is_over(box, one) then
        over[#over + 1] = one
      else
        kept[#kept + 1] = one
        needed[one.path or ""] = true -- a press that was sent once more has the capture of the one before
      end
    end
  end
  for _, one in ipairs(over) do
    if type(one.path) == "string" and not needed[one.path] then
      files.remove(one.path)
    end
  end
  if #kept ~= #list then
    write(kept)
  end
end

return sent
