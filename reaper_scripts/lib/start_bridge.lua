-- Starts the bridge from REAPER, after the person has agreed once. How it is started is written by: daw-bridge install reaper.

local import = ...
local config = import("config")

local start_bridge = {}

local SECTION, AGREED = "DAW Bridge", "may_start_bridge"
local TITLE, YES_NO, YES = "DAW Bridge", 4, 6
local NO_WAIT = -2 -- for ExecProcess: do not wait, show no window of a terminal
local QUESTION = "Start the bridge now?\n\nThis runs:\n%s\n\nIt runs in the background until you stop it (daw-bridge stop). "
  .. "From now on the panel starts it without asking, when you press Start."

local function quoted(word)
  return word:find("[^%w_./:\\-]") and '"' .. word:gsub('"', '\\"') .. '"' or word
end

-- Return the command line, or nil if the installer has written none.
function start_bridge.line()
  local found = config.load()
  local words = found and found.start
  if type(words) ~= "table" or #words == 0 then
    return nil
  end
  local parts = {}
  for index, word in ipairs(words) do
    if type(word) ~= "string" or word:find("%c") then
      return nil
    end
    parts[index] = quoted(word)
  end
  return table.concat(parts, " ")
end

-- Start it. Returns true, or nil and a sentence if that cannot be.
function start_bridge.run()
  local line = start_bridge.line()
  if not line then
    return nil, "These scripts do not know how to start the bridge. Run once in a terminal: daw-bridge install reaper"
  elseif reaper.GetExtState(SECTION, AGREED) ~= "1" then
    if reaper.MB(QUESTION:format(line), TITLE, YES_NO) ~= YES then
      return nil, "The bridge was not started."
    end
    reaper.SetExtState(SECTION, AGREED, "1", true)
  end
  reaper.ExecProcess(line, NO_WAIT)
  return true
end

return start_bridge
