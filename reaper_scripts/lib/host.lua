-- What the modules that other DAWs use as well (json, files, mailbox, config, memory, log and what they need) ask of the DAW they run in:
-- here of REAPER. The scripts of another DAW have a module of this name with the same functions.

local host = {}

host.SEPARATOR = package.config:sub(1, 1)
host.INSTALL = "daw-bridge install reaper" -- what puts the scripts where they belong

local SECTION = "DAW Bridge"

-- Return a new UUID.
function host.uuid()
  return (reaper.genGuid(""):gsub("[{}]", ""):lower())
end

-- Make a folder and those above it, if that can be.
function host.make_folder(path)
  reaper.RecursiveCreateDirectory(path, 0)
end

-- Return the name of a file in a folder by its number, from 0, or nil behind the last. A number of -1 forgets an old listing.
function host.name_in(folder, number)
  return reaper.EnumerateFiles(folder, number)
end

-- Return the folder of this DAW that the settings of the scripts are looked for in, when they do not lie beside them.
function host.settings_folder()
  return reaper.GetResourcePath() .. host.SEPARATOR .. "Scripts" .. host.SEPARATOR .. "DAW Bridge"
end

-- Return what is remembered under a name, or "".
function host.get(name)
  return reaper.GetExtState(SECTION, name)
end

-- Remember a text under a name; ``keep``: also over a restart of the DAW.
function host.set(name, text, keep)
  reaper.SetExtState(SECTION, name, text, keep)
end

return host
