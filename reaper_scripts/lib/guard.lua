-- One watcher at a time. Each script has its own Lua; what they share is ExtState, which ends with REAPER. Who wrote its name
-- last is the watcher; another one sees that in its next tick and ends.

local guard = {}

local SECTION, OWNER, BEAT = "DAW Bridge", "watcher", "watcher_beat"
local SILENT = 3.0 -- s without a beat: it has ended, or something modal holds all scripts

-- Become the watcher. Returns the name to beat with.
function guard.claim()
  local name = reaper.genGuid("")
  reaper.SetExtState(SECTION, OWNER, name, false)
  guard.beat(name)
  return name
end

-- Say that the watcher lives. Returns false if another one has taken its place.
function guard.beat(name)
  if reaper.GetExtState(SECTION, OWNER) ~= name then
    return false
  end
  reaper.SetExtState(SECTION, BEAT, string.format("%.3f", reaper.time_precise()), false)
  return true
end

-- Tell whether a watcher lives.
function guard.is_alive()
  local beat = tonumber(reaper.GetExtState(SECTION, BEAT))
  return reaper.GetExtState(SECTION, OWNER) ~= "" and beat ~= nil and reaper.time_precise() - beat < SILENT
end

-- Tell whether a watcher has begun and not ended, whether it lives or not.
function guard.is_claimed()
  return reaper.GetExtState(SECTION, OWNER) ~= ""
end

-- Stop being the watcher.
function guard.release(name)
  if reaper.GetExtState(SECTION, OWNER) == name then
    reaper.SetExtState(SECTION, OWNER, "", false)
  end
end

return guard
