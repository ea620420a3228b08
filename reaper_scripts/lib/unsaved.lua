-- Takes that were placed and confirmed, in a project that is not saved yet. If REAPER dies, or the project is closed without
-- saving, its placeholder is empty when the project is opened again; then the bridge is asked to bring the take once more. An
-- undo by the person is no such case: the take was there, and they did not want it.
--
-- One small file for each, since ExtState does not outlive a crash for sure.

local import = ...
local files = import("files")
local json = import("json")
local tabs = import("tabs")
local tag = import("tag")

local unsaved = {}
unsaved.__index = unsaved

local KEPT = 30 * 86400 -- s

-- Read what an earlier life left.
function unsaved.open(mailbox)
  local self = setmetatable({ mailbox = mailbox, mine = {}, left = {} }, unsaved)
  for _, name in ipairs(files.list(mailbox.unsaved)) do
    local text = name:match("%.json$") and files.read(files.join(mailbox.unsaved, name))
    local data = text and json.decode(text)
    if type(data) == "table" and data.mark and data.job and os.time() - (tonumber(data.time) or 0) < KEPT then
      data.name = name
      self.left[#self.left + 1] = data
    elseif text then
      files.remove(files.join(mailbox.unsaved, name))
    end
  end
  return self
end

-- Note a take that was just placed in a project. A project that never looks modified (a preference of REAPER) cannot be followed.
function unsaved:add(project, path, mark, result, take)
  reaper.MarkProjectDirty(project)
  if reaper.IsProjectDirty(project) == 0 then
    return
  end
  local data = { mark = mark, job = result.job, delivery = result.delivery, project = path, time = os.time() }
  data.place, data.id, data.title, data.variations = result.place, result.id, result.name, result.variations
  data.name = string.format("%s.%d.%s.json", result.job, result.delivery, self.mailbox.uuid())
  local written = files.write_new(self.mailbox.unsaved, data.name, json.encode(data))
  if written then
    data.pointer = project
    local _, guid = reaper.GetSetMediaItemTakeInfo_String(take, "GUID", "", false)
    data.take = guid -- undo and redo give it back
    self.mine[#self.mine + 1] = data
  end
end

function unsaved:drop(data)
  files.remove(files.join(self.mailbox.unsaved, data.name))
end

local function lacks(found, job)
  for _, one in ipairs(found) do
    if not tag.take_of(one.item, job) then
      return true
    end
  end
  return false
end

-- Tell whether somebody has undone a take: its placeholder stands there without it. One call where the take is there; else what the walk
-- has found counts, as soon as it has been through the project as it is now: no edit costs a search through all items.
local function was_undone(data, walk)
  local project, count = data.pointer, reaper.GetProjectStateChangeCount(data.pointer)
  if reaper.GetMediaItemTakeByGUID(project, data.take) then
    data.count = count
  elseif walk:knows(project) then
    data.count = count
    return walk:has(project, function(item, found) return found.mark == data.mark and not tag.take_of(item, data.job) end)
  end
  return false
end

-- Look at what this life has placed: saved, undone, or closed without saving. Cheap: one take is looked for at most.
function unsaved:look_at_mine(walk)
  local kept, searched = {}, false
  for _, data in ipairs(self.mine) do
    local settled = false
    if not tabs.is_open(data.pointer) then
      data.pointer = nil
      self.left[#self.left + 1] = data
      settled = true
    elseif reaper.IsProjectDirty(data.pointer) == 0 then
      self:drop(data)
      settled = true
    elseif not searched and data.count ~= reaper.GetProjectStateChangeCount(data.pointer) then
      searched = true
      settled = was_undone(data, walk)
      if settled then
        self:drop(data)
      end
    end
    if not settled then
      kept[#kept + 1] = data
    end
  end
  self.mine = kept
end

-- Ask for takes of earlier lives whose placeholder is open and empty, by what the walk has found in the open projects.
function unsaved:look_at_left(walk)
  local kept = {}
  for _, data in ipairs(self.left) do
    local found = walk:holders(data.mark)
    local missing = lacks(found, data.job)
    if #found > 0 and (files.size(files.join(self.mailbox.unsaved, data.name)) or 0) == 0 then
      missing = false -- somebody else has dealt with it: the action, or another REAPER
    end
    if missing and self.mailbox:command("deliver", { job = data.job }) then
      self:drop(data) -- after the command: asked for twice is harmless, never asked for is not
    elseif #found > 0 and not missing then
      self:drop(data)
    else
      kept[#kept + 1] = data
    end
  end
  self.left = kept
end

-- Return how many there are that may still need something.
function unsaved:count()
  return #self.mine + #self.left
end

return unsaved
