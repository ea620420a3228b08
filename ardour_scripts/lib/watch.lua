-- What the hook does each second: it places the takes of this session that have arrived. A take is confirmed once the session that holds it
-- was saved: if Ardour dies before that, it comes again. What a person took out again is not placed a second time.

local import = ...
local log = import("log")
local mailbox = import("mailbox")
local placing = import("placing")
local sent = import("sent")
local session = import("session")
local waiting = import("waiting")

local watch = {}

local CODE = "E-UNPLACED"
local MEASURED = 15 -- s that a copy that fits is waited for
local TIDY = 60 -- s

local box -- of this session
local acted = {} -- by job and delivery: what the session file said when the take was placed
local seen = {} -- by job and delivery: when
local said = {} -- by job and delivery: the bridge was told
local last_text, last_tidy = nil, 0

local function key(result)
  return result.job .. "." .. result.delivery
end

local function confirm(result)
  if box:placed(result.job, result.delivery) then
    said[key(result)] = true
  end
end

-- A copy that fits may be measured still; it is told a little later.
local function may_change(result)
  local asked = type(result.fit) == "string" and result.fit ~= "off"
  return asked and not result.grid and os.time() - seen[key(result)] < MEASURED
end

local function place(result)
  local problem = placing.obstacle(result)
  if problem then
    box:unplaced(result.job, result.delivery, CODE, problem)
    said[key(result)] = true
    return
  end
  local before = session.saved()
  local outcome, why = placing.start(box, result)
  if outcome == "failed" then
    log.write("job " .. result.job .. ": " .. tostring(why))
    box:unplaced(result.job, result.delivery, CODE, why)
    said[key(result)] = true
  elseif outcome == "placed" then
    acted[key(result)] = before or ""
  end
end

local function follow(result)
  local name = key(result)
  seen[name] = seen[name] or os.time()
  if said[name] then
    return
  elseif session.find(result.job) then
    local saved = session.saved()
    if saved and session.holds(saved, result.job) then
      confirm(result)
    end
  elseif acted[name] then
    if session.saved() ~= acted[name] then -- taken out, and saved so
      confirm(result)
    end
  elseif waiting.is_ours(result) and not may_change(result) and not placing.is_converted(result) then
    place(result)
  end
end

local busy = false

-- Look once.
function watch.tick()
  if busy or Session:actively_recording() then
    return -- an import lets this hook run while it goes on
  end
  if not box then
    box = mailbox.ready()
    if not box then
      return
    end
    placing.fresh(box)
  end
  local daemon, text = box:daemon()
  if text == last_text and #waiting.results(box, daemon) == 0 then
    return
  end
  last_text, busy = text, true
  local fine, problem = pcall(function()
    for _, result in ipairs(waiting.results(box, daemon)) do
      follow(result)
    end
    if os.time() - last_tidy > TIDY then
      last_tidy = os.time()
      sent.tidy(box)
    end
  end)
  busy = false
  if not fine then
    error(problem, 0)
  end
end

return watch
