-- The results that lie in the outbox. The listing is read a little in each tick, however long it is, and from the start again
-- when its end is reached: nothing is counted, so there is no number after which a result is not seen.

local import = ...
local mailbox = import("mailbox")

local results = {}
results.__index = results

local NAMES = 256 -- in one tick

function results.new(folder)
  return setmetatable({ folder = folder, at = nil, found = {}, jobs = {}, names = {}, complete = false }, results)
end

-- Read on. ``self.names`` is what the last whole listing held, ``self.jobs`` whose results they are.
function results:step()
  if not self.at then
    reaper.EnumerateFiles(self.folder, -1) -- else an old listing is told
    self.at, self.found, self.found_jobs = 0, {}, {}
  end
  for _ = 1, NAMES do
    local name = reaper.EnumerateFiles(self.folder, self.at)
    if not name then
      table.sort(self.found)
      self.names, self.jobs, self.complete, self.at = self.found, self.found_jobs, true, nil
      return
    end
    local job = mailbox.result_of(name)
    if job then
      self.found[#self.found + 1] = name
      self.found_jobs[job] = true
    end
    self.at = self.at + 1
  end
end

return results
