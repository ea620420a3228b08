-- Errors of our own: told in one place, never left to end REAPER's loop of deferred functions unseen.

local import = ...
local log = import("log")

local trap = {}

local function with_trace(problem)
  return debug.traceback(tostring(problem), 2)
end

-- Run an action that somebody has just started; an error is shown to them.
function trap.action(run, ...)
  local fine, trace = xpcall(run, with_trace, ...)
  if not fine then
    log.write(trace)
    reaper.MB(
      "DAW Bridge could not go on here. What was sent before is safe: look at the status window before you press again. "
        .. "Please report this:\n\n"
        .. trace,
      "DAW Bridge",
      0
    )
  end
  return fine
end

-- Run a part of something that goes on in the background; an error is written down and no box appears.
function trap.quiet(run, ...)
  local fine, trace = xpcall(run, with_trace, ...)
  if not fine then
    log.write(trace)
  end
  return fine, trace
end

return trap
