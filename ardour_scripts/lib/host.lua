-- What the modules that these scripts share with REAPER's (json, files, mailbox, config, memory, log and what they need) ask of Ardour.
-- Its Lua has neither ``package`` nor ``debug``, cannot make or list folders, and remembers nothing over a restart.

local import = ...

local host = {}

local IS_WINDOWS = ARDOUR.LuaAPI.build_filename("a", "b"):find("\\", 1, true) ~= nil

host.SEPARATOR = IS_WINDOWS and "\\" or "/"
host.INSTALL = "daw-bridge install ardour"

local MEMORY = ".ardour.json" -- in the inbox; the bridge passes over names with a dot

-- A number that nobody can foresee. Where the system gives none, what differs from press to press is mixed: clocks, and where things lie.
local function random_seed()
  local file = not IS_WINDOWS and io.open("/dev/urandom", "rb")
  local bytes = file and file:read(7)
  if file then
    file:close()
  end
  if bytes and #bytes == 7 then
    return (string.unpack("<I7", bytes))
  end
  local address = tonumber(tostring({}):match("0x(%x+)") or tostring({}):match("(%x+)$"), 16) or 0
  return ARDOUR.LuaAPI.monotonic_time() ~ (os.time() << 20) ~ (address << 7) ~ math.floor(os.clock() * 1e6)
end

-- Return a new UUID.
function host.uuid()
  local digits = {}
  for part = 1, 4 do
    local seed = random_seed() ~ (part << 40)
    for place = 0, 7 do
      digits[#digits + 1] = string.format("%x", (seed >> (place * 4)) & 15)
    end
  end
  local hex = table.concat(digits)
  local kind = string.format("%x", 8 | (tonumber(hex:sub(17, 17), 16) & 3))
  return string.format("%s-%s-4%s-%s%s-%s", hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16), kind, hex:sub(18, 20), hex:sub(21, 32))
end

-- Folders are made by the installer and by the bridge: nothing in here can.
function host.make_folder(_) end

-- No folder can be listed in here.
function host.name_in(_, _)
  return nil
end

-- Return the folder that the scripts, and their settings, lie in.
function host.settings_folder()
  return ARDOUR.LuaAPI.build_filename(ARDOUR.user_config_directory(-1), "scripts", "daw-bridge")
end

local function memory_path()
  local found = import("config").load()
  return found and import("files").join(found.home, "inbox", found.client, MEMORY)
end

local function remembered()
  local path = memory_path()
  local file = path and io.open(path, "rb")
  if not file then
    return {}
  end
  local data = import("json").decode(file:read("a"))
  file:close()
  return type(data) == "table" and data or {}
end

local passing = {} -- what is remembered for the life of this script engine only

-- Return what is remembered under a name, or "".
function host.get(name)
  local text = passing[name] or remembered()[name]
  return type(text) == "string" and text or ""
end

-- Remember a text under a name; ``keep``: also over a restart of Ardour.
function host.set(name, text, keep)
  if not keep then
    passing[name] = text
    return
  end
  local path, data = memory_path(), remembered()
  if not path or data[name] == text or (text == "" and data[name] == nil) then
    return
  end
  data[name] = text ~= "" and text or nil
  local file = io.open(path .. ".part", "wb")
  if file then
    file:write(import("json").encode(data))
    file:close()
    if not os.rename(path .. ".part", path) then
      os.remove(path) -- Windows does not rename over a file
      os.rename(path .. ".part", path)
    end
  end
end

return host
