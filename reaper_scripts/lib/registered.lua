-- The actions in REAPER's list that a script starts by itself: the watcher and, with REAPER, the panel. They are put there once, by Setup
-- or the first press: who removes one has removed it.

local registered = {}

local SECTION = "DAW Bridge"
registered.WATCHER, registered.PANEL = "watcher_command", "panel_command" -- under which their names are remembered

-- Put a script into the list, and remember its name there. Returns its number, 0 if REAPER has not taken it.
function registered.add(script, which)
  local command = reaper.AddRemoveReaScript(true, 0, script, true)
  local name = command ~= 0 and reaper.ReverseNamedCommandLookup(command)
  if name then
    reaper.SetExtState(SECTION, which, "_" .. name, true)
  end
  return command
end

-- Return the name by which REAPER finds one, or "" if it never was in the list.
function registered.name(which)
  return reaper.GetExtState(SECTION, which)
end

-- Return the number of the watcher's action; 0 if somebody has removed it.
function registered.find(script)
  local name = registered.name(registered.WATCHER)
  return name == "" and registered.add(script, registered.WATCHER) or reaper.NamedCommandLookup(name)
end

return registered
