-- The open projects, and our items in them. Pointers are good for one tick: undo makes new objects, tabs are closed, and the
-- same file opened again is another project. So what is found is checked again before it is used.

local import = ...
local tag = import("tag")

local tabs = {}
tabs.__index = tabs

-- Return the open projects in the order of their tabs, each with the path of its file ("" if it was never saved).
function tabs.open()
  local found, index = {}, 0
  local project, path = reaper.EnumProjects(0)
  while project do
    found[#found + 1] = { project = project, path = path or "" }
    index = index + 1
    project, path = reaper.EnumProjects(index)
  end
  return found
end

-- Tell whether a project is open still.
function tabs.is_open(project)
  return reaper.ValidatePtr2(nil, project, "ReaProject*")
end

-- Return the track of a project that has this GUID, or nil.
function tabs.track(project, guid)
  for index = 0, reaper.CountTracks(project) - 1 do
    local track = reaper.GetTrack(project, index)
    if reaper.GetTrackGUID(track) == guid then
      return track
    end
  end
end

-- Return every item of ours in all tabs that ``wanted`` says yes to: project, path, item, data. Complete, so not for each tick.
function tabs.search(wanted)
  local found = {}
  for _, tab in ipairs(tabs.open()) do
    for index = 0, reaper.CountMediaItems(tab.project) - 1 do
      local item = reaper.GetMediaItem(tab.project, index)
      local data = tag.read(item)
      if data and wanted(data, item) then
        found[#found + 1] = { project = tab.project, path = tab.path, item = item, data = data }
      end
    end
  end
  return found
end

-- Return a walk through the items of all tabs, some in each tick.
function tabs.new_walk()
  local self = { counts = {}, paths = {}, found = {}, queue = {}, at = 0, fresh = {}, marks = {}, changed = true }
  return setmetatable(self, tabs)
end

-- Note which projects have changed since they were walked through, and forget the closed ones.
function tabs:notice()
  local here = {}
  for _, tab in ipairs(tabs.open()) do
    local project = tab.project
    here[project], self.paths[project] = true, tab.path
    local count = reaper.GetProjectStateChangeCount(project)
    if self.counts[project] ~= count then
      self.counts[project] = count
      self.again = self.again or project == self.queue[1] and self.at > 0 -- what was passed already may have changed
      if not self.found[project] then
        self.found[project] = {}
      end
      self:wait(project)
    end
  end
  for project in pairs(self.found) do
    if not here[project] then
      self.found[project], self.counts[project], self.changed = nil, nil, true
    end
  end
end

function tabs:wait(project)
  for _, waiting in ipairs(self.queue) do
    if waiting == project then
      return
    end
  end
  self.queue[#self.queue + 1] = project
end

-- What we write ourselves is no reason to look again. Call it before the end of a tick that wrote.
function tabs:wrote(project)
  if self.counts[project] then
    self.counts[project] = reaper.GetProjectStateChangeCount(project)
  end
end

-- Tell whether everything in a project has been looked at as it is now.
function tabs:knows(project)
  local waits = false
  for _, waiting in ipairs(self.queue) do
    waits = waits or waiting == project
  end
  return not waits and self.found[project] ~= nil and self.counts[project] == reaper.GetProjectStateChangeCount(project)
end

-- Tell whether an item of ours that was found in a project is as ``wanted`` says.
function tabs:has(project, wanted)
  for _, item in ipairs(self.found[project] or {}) do
    local data = reaper.ValidatePtr2(project, item, "MediaItem*") and tag.read(item)
    if data and wanted(item, data) then
      return true
    end
  end
  return false
end

-- Look at up to so many items. Returns true when everything has been looked at.
function tabs:step(most)
  local project = self.queue[1]
  if not project then
    return true
  end
  if not tabs.is_open(project) then
    table.remove(self.queue, 1)
    self.at, self.fresh, self.again = 0, {}, false
    return false
  end
  local count = reaper.CountMediaItems(project)
  local stop = math.min(count, self.at + most)
  for index = self.at, stop - 1 do
    local item = reaper.GetMediaItem(project, index)
    if item and tag.read(item) then
      self.fresh[#self.fresh + 1] = item
    end
  end
  self.at = stop
  if stop >= count then
    table.remove(self.queue, 1)
    self.found[project], self.changed = self.fresh, true
    self.at, self.fresh = 0, {}
    if self.again or reaper.GetProjectStateChangeCount(project) ~= self.counts[project] then
      self.counts[project], self.again = nil, false -- it changed on the way: once more
    end
  end
  return #self.queue == 0
end

-- Tell whether every open project has been looked at as it is now.
function tabs:is_complete()
  for _, tab in ipairs(tabs.open()) do
    if not self:knows(tab.project) then
      return false
    end
  end
  return true
end

-- Note where the marks and ids of everything that was found are, in ``self.marks``.
function tabs:note_marks()
  self.marks = {}
  self:each(function(project, item, data)
    for _, name in ipairs(data.id and data.id ~= data.mark and { data.mark, data.id } or { data.mark }) do
      self.marks[name] = self.marks[name] or {}
      table.insert(self.marks[name], { project = project, item = item })
    end
  end)
end

-- Return the items that hold one of these marks and are there still: project, path, item, data. It costs no search through other items.
function tabs:holders(...)
  local found, seen = {}, {}
  for _, name in ipairs({ ... }) do
    for _, one in ipairs(self.marks[name] or {}) do
      local there = tabs.is_open(one.project) and reaper.ValidatePtr2(one.project, one.item, "MediaItem*")
      local data = there and not seen[one.item] and tag.read(one.item)
      if data and (data.mark == name or data.id == name) then
        seen[one.item] = true
        found[#found + 1] = { project = one.project, path = self.paths[one.project] or "", item = one.item, data = data }
      end
    end
  end
  return found
end

-- Go through what was found: ``look`` gets project, item, data of each that is there still.
function tabs:each(look)
  for project, items in pairs(self.found) do
    if tabs.is_open(project) then
      for _, item in ipairs(items) do
        if reaper.ValidatePtr2(project, item, "MediaItem*") then
          local data = tag.read(item)
          if data then
            look(project, item, data)
          end
        end
      end
    end
  end
end

return tabs
