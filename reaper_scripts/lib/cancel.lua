-- @noindex
-- Cancels the newest request: a capture is dropped, what lies in the inbox still is taken back, else the bridge is told.

local import = ...
local files = import("files")
local mailbox = import("mailbox")
local placeholder = import("placeholder")
local send = import("send")
local tabs = import("tabs")
local tag = import("tag")
local todo = import("todo")
local watcher = import("watcher")
local words = import("words")

local cancel = {}

local SECTION = "DAW Bridge"

local function taken_back(id)
  for _, found in ipairs(tabs.search(function(data) return data.id == id end)) do
    tag.write(found.item, tag.with(found.data, { closed = true }))
    placeholder.tell(found.project, found.item, "DAW Bridge: cancelled before it was sent; nothing was spent.")
  end
end

-- Return the open jobs of the newest request, as the bridge lists them.
local function newest_open(daemon)
  local id, jobs = nil, {}
  for _, job in ipairs(daemon and daemon.jobs or {}) do
    if not words.is_ended(job) and (id == nil or id == job.id) then
      id = job.id
      jobs[#jobs + 1] = job.job
    end
  end
  return jobs
end

function cancel.run()
  local box, problem = mailbox.open()
  if not box then
    return reaper.MB(problem, SECTION, 0)
  end
  local capturing = todo.newest() or reaper.GetExtState(SECTION, "capturing")
  if capturing ~= "" then
    return send.cancel(capturing)
  end
  local last = reaper.GetExtState(SECTION, "last_request")
  if last ~= "" and box:waits(last) and os.remove(files.join(box.inbox, last .. ".json")) then
    return taken_back(last)
  end
  local jobs = newest_open((box:daemon()))
  for _, job in ipairs(jobs) do
    local done
    done, problem = box:command("cancel", { job = job })
    if not done then
      return reaper.MB("The cancel could not be written: " .. tostring(problem), SECTION, 0)
    end
  end
  if #jobs == 0 then
    return reaper.MB("Nothing is open.", SECTION, 0)
  end
  watcher.ensure() -- it shows in the items what has become of it
end

return cancel
