-- The action Place takes: places what has arrived, saves the session, tells the bridge, and says how far the others are.

local import = ...
local dialog = import("dialog")
local form = import("form")
local mailbox = import("mailbox")
local placing = import("placing")
local sent = import("sent")
local session = import("session")
local waiting = import("waiting")
local words = import("words")

local arrived = {}

local CODE = "E-UNPLACED"
local MOST = 8 -- jobs that are told

local function name_of(result)
  return type(result.name) == "string" and result.name or result.job
end

-- A take that was asked for elsewhere is not put into this session without a question.
local function is_wanted(result)
  if waiting.is_ours(result) or session.find(result.job) then
    return true
  end
  local from = result.place.project and "in the session " .. tostring(result.place.project) or "elsewhere"
  return dialog.ask(string.format("The take \"%s\" was asked for %s.\n\nPlace it in this session?", name_of(result), from))
end

-- Place one take. Returns a line that says what became of it, and whether it stands.
local function bring(box, result)
  if session.find(result.job) then
    return name_of(result) .. ": stands already", true
  end
  local problem = placing.obstacle(result)
  local outcome = "failed"
  if not problem then
    outcome, problem = placing.start(box, result)
  end
  if outcome == "placed" then
    return name_of(result) .. ": placed", true
  elseif outcome == "busy" then
    return name_of(result) .. ": another take is being placed; press again in a minute", false
  end
  box:unplaced(result.job, result.delivery, CODE, problem)
  return name_of(result) .. ": not placed, " .. tostring(problem), false
end

local function place_all(box, daemon)
  local lines, standing = {}, {}
  for _, result in ipairs(waiting.results(box, daemon)) do
    if is_wanted(result) then
      local line, stands = bring(box, result)
      lines[#lines + 1] = line
      standing[#standing + 1] = stands and result or nil
    end
  end
  if #standing > 0 and session.save() then
    local saved = session.saved()
    for _, result in ipairs(standing) do
      if saved and session.holds(saved, result.job) then
        box:placed(result.job, result.delivery)
      end
    end
  elseif #standing > 0 then
    lines[#lines + 1] = "The session could not be saved: the takes are confirmed once it is."
  end
  return lines
end

local function others(daemon)
  local lines = {}
  for _, job in ipairs(type(daemon.jobs) == "table" and daemon.jobs or {}) do
    if not words.is_ended(job) and job.state ~= "stored" or type(job.problem) == "table" then
      local line = string.format("%s: %s", tostring(job.prompt or job.preset or job.job):sub(1, 60), words.state(job))
      if type(job.problem) == "table" then
        line = line .. "\n  " .. words.problem(job.problem, job.charge):gsub("\n", "\n  ")
      end
      lines[#lines + 1] = #lines < MOST and line or nil
    end
  end
  return lines
end

-- Place what has arrived.
function arrived.run()
  local box, problem = mailbox.ready()
  if not box then
    return dialog.tell(problem)
  elseif Session:actively_recording() then
    return dialog.tell("Ardour is recording. Press again when it has stopped.")
  end
  local daemon = box:daemon()
  if not mailbox.is_fresh(daemon) then
    return dialog.tell("The bridge is not running. Start it in a terminal (daw-bridge start), and press again. Takes wait for you.")
  end
  local lines = place_all(box, daemon)
  sent.tidy(box)
  if #lines == 0 then
    lines[1] = "No take has arrived that is not placed."
  end
  local open = others(daemon)
  if #open > 0 then
    lines[#lines + 1] = ""
    table.move(open, 1, #open, #lines + 1, lines)
  end
  dialog.tell(table.concat(lines, "\n") .. "\n\n" .. form.headline(daemon))
end

return arrived
