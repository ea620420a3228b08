-- Our block in Scripts/__startup.lua, which REAPER runs when it starts. The file is shared with other scripts: only what stands
-- between our two lines is ever changed.

local import = ...
local files = import("files")

local startup = {}

local FIRST = "-- >>> DAW Bridge (added by DAW Bridge_Setup)"
local LAST = "-- <<< DAW Bridge"

local function path()
  return files.join(reaper.GetResourcePath(), "Scripts", "__startup.lua")
end

local function split(text)
  local from = text:find(FIRST, 1, true)
  local _, to = text:find(LAST, from or 1, true)
  if not from or not to then
    return nil
  end
  if text:sub(to + 1, to + 1) == "\n" then
    to = to + 1
  end
  return text:sub(1, from - 1), text:sub(to + 1)
end

-- Write the file whole; the one before it stays as .bak until the new one is there.
local function replace(text)
  local target = path()
  local draft, backup = target .. ".tmp", target .. ".bak"
  local done, problem = files.write(draft, text)
  if done and os.rename(draft, target) then
    return true
  elseif done and files.exists(target) then -- Windows renames onto no file
    done, problem = files.write(backup, files.read(target) or "")
  end
  if done then
    done, problem = files.write(target, text)
  end
  files.remove(draft)
  if not done then
    return nil, problem
  end
  files.remove(backup)
  return true
end

-- Tell whether our block is there.
function startup.is_there()
  local text = files.read(path())
  return text ~= nil and split(text) ~= nil
end

local LINE = "do local id = reaper.NamedCommandLookup(%q); if id ~= 0 and %sreaper.file_exists(%q) then "
  .. "reaper.Main_OnCommand(id, 0) end end"
local IF_OPEN = 'reaper.GetExtState("DAW Bridge", "panel") == "open" and ' -- lib/panel.lua keeps it

-- Add our block, or bring it up to date. It starts scripts that are there still, by the names of their actions: where somebody has removed
-- an action, nothing is started. ``watcher`` and ``panel``: script and name of each; the panel is opened if it was open when REAPER ended.
-- Returns true, or nil and why not.
function startup.add(watcher, panel)
  local text = files.exists(path()) and files.read(path()) or ""
  if not text then
    return nil, "it cannot be read"
  end
  local before, after = split(text)
  before = before or (text == "" or text:sub(-1) == "\n") and text or text .. "\n"
  local lines = { FIRST, LINE:format(watcher.name, "", watcher.script), LINE:format(panel.name, IF_OPEN, panel.script), LAST, "" }
  local whole = before .. table.concat(lines, "\n") .. (after or "")
  return whole == text or replace(whole)
end

-- Take our block away. Returns true, or nil and why not.
function startup.remove()
  local text = files.read(path())
  if not text then
    return true
  end
  local before, after = split(text)
  if not before then
    return true
  elseif before .. after == "" then
    return files.remove(path())
  end
  return replace(before .. after)
end

return startup
