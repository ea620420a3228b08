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
local UNANSWERED = 10 -- s that the bridge may need for its answer

local function taken_back(id)
  for _, found in ipairs(tabs.search(function(data) return data.id == id end)) do
    tag.write(found.item, tag.with(found.data, { closed = true }))
    placeholder.tell(found.project, found.item, "DAW Bridge: cancelled before it was sent; nothing was spent.")
  end
end

-- Return the jobs of the first request in a list that a cancel stops something of.
local function open_jobs(list)
  local id, jobs = nil, {}
  for _, job in ipairs(list or {}) do
    if words.can_be_cancelled(job) and (id == nil or id == job.id) then
      id = job.id
      jobs[#jobs + 1] = job.job
    end
  end
  return jobs
end

-- Return the newest capture that goes on or waits, and is not cancelled yet; or nil.
local function newest_capture()
  local names = todo.names()
  table.insert(names, 1, reaper.GetExtState(SECTION, "capturing"))
  for index = #names, 1, -1 do
    if names[index] ~= "" and not send.is_cancelled(names[index]) then
      return names[index]
    end
  end
end

-- Return the jobs to cancel; or nil if the bridge has not answered to the newest request yet: another one is not meant.
local function newest_jobs(box, last)
  local status = last ~= "" and box:status(last)
  if status then
    local jobs = open_jobs(status.jobs)
    if #jobs > 0 then
      return jobs
    end
  elseif last ~= "" and os.time() - (tonumber(reaper.GetExtState(SECTION, "last_request_at")) or 0) < UNANSWERED then
    return nil
  end
  local daemon = box:daemon()
  return open_jobs(daemon and daemon.jobs)
end

function cancel.run()
  local box, problem = mailbox.open()
  if not box then
    return reaper.MB(problem, SECTION, 0)
  end
  local capturing = newest_capture()
  if capturing then
    return send.cancel(capturing)
  end
  local last = reaper.GetExtState(SECTION, "last_request")
  if last ~= "" and box:waits(last) and files.take_back(files.join(box.inbox, last .. ".json")) then
    reaper.SetExtState(SECTION, "last_request", "", false)
    return taken_back(last)
  end
  local jobs = newest_jobs(box, last)
  if not jobs then
    return reaper.MB("The bridge is picking up the newest request. Press again in a moment; nothing was cancelled.", SECTION, 0)
  end
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
