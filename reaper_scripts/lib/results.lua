-- @noindex
-- The results that lie in the outbox. The listing is read a little in each tick, however long it is, and from the start again
-- when its end is reached: nothing is counted, so there is no number after which a result is not seen.

local import = ...
local mailbox = import("mailbox")

local results = {}
results.__index = results

local NAMES = 64 -- in one tick

function results.new(folder)
  return setmetatable({ folder = folder, at = nil, found = {}, names = {}, complete = false }, results)
end

-- Read on. ``self.names`` is what the last whole listing held.
function results:step()
  if not self.at then
    reaper.EnumerateFiles(self.folder, -1) -- else an old listing is told
    self.at, self.found = 0, {}
  end
  for _ = 1, NAMES do
    local name = reaper.EnumerateFiles(self.folder, self.at)
    if not name then
      table.sort(self.found)
      self.names, self.complete, self.at = self.found, true, nil
      return
    end
    if mailbox.result_of(name) then
      self.found[#self.found + 1] = name
    end
    self.at = self.at + 1
  end
end

return results
