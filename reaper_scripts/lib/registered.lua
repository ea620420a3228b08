-- The action of the watcher in REAPER's list. It is put there once, by Setup or the first press: who removes it has removed it.

local registered = {}

local SECTION, NAME = "DAW Bridge", "watcher_command"

-- Put a script into the list, and remember its name there. Returns its number, 0 where REAPER has not taken it.
function registered.add(script)
  local command = reaper.AddRemoveReaScript(true, 0, script, true)
  local name = command ~= 0 and reaper.ReverseNamedCommandLookup(command)
  if name then
    reaper.SetExtState(SECTION, NAME, "_" .. name, true)
  end
  return command
end

-- Return the name by which REAPER finds it, or "" where it never was in the list.
function registered.name()
  return reaper.GetExtState(SECTION, NAME)
end

-- Return the number of the action; 0 if somebody has removed it.
function registered.find(script)
  local name = registered.name()
  return name == "" and registered.add(script) or reaper.NamedCommandLookup(name)
end

return registered
