-- The takes that wait in the outbox. daemon.json names their files, since no folder can be listed in here.

local import = ...
local request = import("request")
local session = import("session")

local waiting = {}

-- Return the results that lie in the outbox, the oldest name first.
function waiting.results(box, daemon)
  local list = {}
  for _, name in ipairs(type(daemon) == "table" and type(daemon.results) == "table" and daemon.results or {}) do
    local result = type(name) == "string" and box:result(name)
    if result and result.job then
      list[#list + 1] = result
    end
  end
  return list
end

-- Tell whether a take was asked for in this session.
function waiting.is_ours(result)
  return request.session_of(result.place) == session.id()
end

return waiting
