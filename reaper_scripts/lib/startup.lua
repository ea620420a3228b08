-- @noindex
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

-- Write the file whole; the one before it stays as .bak where the new one cannot be put in its place.
local function replace(text)
  local target = path()
  local draft, backup = target .. ".tmp", target .. ".bak"
  local file, problem = io.open(draft, "wb")
  if not file then
    return nil, problem
  end
  local written, why = file:write(text)
  local closed, wrong = file:close()
  if not (written and closed) then
    os.remove(draft)
    return nil, why or wrong
  end
  if os.rename(draft, target) then
    return true
  elseif files.exists(target) then
    os.remove(backup)
    local moved
    moved, problem = os.rename(target, backup) -- Windows renames onto no file
    if not moved then
      os.remove(draft)
      return nil, problem
    end
  end
  local done
  done, problem = os.rename(draft, target)
  if not done then
    os.rename(backup, target)
    return nil, problem
  end
  os.remove(backup)
  return true
end

-- Tell whether our block is there.
function startup.is_there()
  local text = files.read(path())
  return text ~= nil and split(text) ~= nil
end

-- Add our block, which starts a script where it is there still. Returns true, or nil and why not.
function startup.add(script)
  local text = files.exists(path()) and files.read(path()) or ""
  if not text then
    return nil, "it cannot be read"
  elseif split(text) then
    return true
  end
  local start = text == "" and "" or (text:sub(-1) == "\n" and text or text .. "\n")
  local block = string.format(
    "%s\ndo local script = %q; if reaper.file_exists(script) then "
      .. "reaper.Main_OnCommand(reaper.AddRemoveReaScript(true, 0, script, true), 0) end end\n%s\n",
    FIRST,
    script,
    LAST
  )
  return replace(start .. block)
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
    return os.remove(path())
  end
  return replace(before .. after)
end

return startup
