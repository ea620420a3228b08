-- What a press leaves for the watcher to do: captures, which take longer than an action may stay. It lives as long as REAPER does.

local import = ...
local json = import("json")

local todo = {}

local SECTION, LIST = "DAW Bridge", "todo"

local function key(id)
  return "todo " .. id
end

-- Leave something to do under a name that is new.
function todo.add(id, data)
  reaper.SetExtState(SECTION, key(id), json.encode(data), false)
  reaper.SetExtState(SECTION, LIST, reaper.GetExtState(SECTION, LIST) .. " " .. id, false)
end

-- Take the oldest thing that is to be done, or nil.
function todo.take()
  local id, rest = reaper.GetExtState(SECTION, LIST):match("^%s*(%S+)(.*)$")
  if not id then
    return nil
  end
  reaper.SetExtState(SECTION, LIST, rest, false)
  local data = json.decode(reaper.GetExtState(SECTION, key(id)))
  reaper.SetExtState(SECTION, key(id), "", false)
  return data
end

-- Return the names of what is to be done, the oldest first.
function todo.names()
  local names = {}
  for name in reaper.GetExtState(SECTION, LIST):gmatch("%S+") do
    names[#names + 1] = name
  end
  return names
end

-- Tell whether something is to be done.
function todo.is_waiting()
  return reaper.GetExtState(SECTION, LIST):find("%S") ~= nil
end

return todo
