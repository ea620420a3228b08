-- The requests that items of ours wait for: their status is read in turn, some in each tick, and shown in the items.

local import = ...
local json = import("json")
local placeholder = import("placeholder")
local refusal = import("refusal")
local send = import("send")
local tag = import("tag")
local words = import("words")

local follow = {}
follow.__index = follow

local AT_ONCE = 4 -- statuses that are read in one tick
local PACE = 1.0 -- s between two looks at one status, and between two changes of an item's text
local REDO = "it waits, since placing it would end what you can redo.\nIt comes with your next edit, or by Place unplaced takes"
local SILENCE = 60 -- s after which a request without any trace is given up

function follow.new(mailbox)
  return setmetatable({ mailbox = mailbox, open = {}, order = {}, at = 0, hint = nil, redo = {}, refused = {} }, follow)
end

-- Take over what a walk has found.
function follow:update(walk)
  for _, one in pairs(self.open) do
    one.items = {}
  end
  walk:each(function(project, item, data)
    if data.closed then
      return
    end
    local one = self.open[data.id]
    if not one then
      one = { id = data.id, since = os.time(), items = {} }
      self.open[data.id] = one
      self.order[#self.order + 1] = data.id
    end
    one.items[#one.items + 1] = { project = project, item = item }
    if tag.follow(item, data) ~= data then
      walk:wrote(project)
    end
  end)
end

-- Tell whether a request needs to be followed: not ended yet, and known to somebody.
local function is_open(one, mailbox, captures)
  if one.status then
    return not words.all_ended(one.status)
  end
  return captures == one.id or mailbox:waits(one.id) or os.time() - one.since < SILENCE
end

function follow:forget(id)
  self.open[id] = nil
  for index, name in ipairs(self.order) do
    if name == id then
      table.remove(self.order, index)
      return
    end
  end
end

-- Read the status of a request, at most once a second. Tells whether it says something new.
local function read(self, one, now)
  if one.read_at and now - one.read_at < PACE then
    return false
  end
  one.read_at = now
  local text = self.mailbox:status_text(one.id)
  if text == one.text or not text then
    return false
  end
  local status = json.decode(text)
  if type(status) ~= "table" then
    return false
  end
  one.text, one.status = text, status
  if not status.refused then
    send.forget(one.id) -- it was taken: what is refused under its id later is no press
  end
  return true
end

function follow:hint_for(one)
  if self.captures == one.id then
    return "capturing what is selected"
  elseif self.redo[one.id] then
    return REDO
  elseif one.status then
    return not words.all_ended(one.status) and self.hint or nil
  elseif not self.mailbox:waits(one.id) and os.time() - one.since >= SILENCE then
    return "the bridge does not know of this request. Look: daw-bridge jobs list"
  end
  return self.hint or "sent"
end

-- Return the text of an item of a request.
function follow:text(one, data)
  return words.of_item(data, one.status, self:hint_for(one))
end

local function show(self, walk, one, ended)
  for _, found in ipairs(one.items) do
    local project, item = found.project, found.item
    local there = reaper.ValidatePtr2(nil, project, "ReaProject*") and reaper.ValidatePtr2(project, item, "MediaItem*")
    local data = there and tag.read(item)
    if data and data.id == one.id and not data.closed then -- else it says why it is closed
      data = tag.follow(item, data)
      if ended then
        data = tag.with(data, { closed = true })
        tag.write(item, data)
      end
      placeholder.tell(project, item, self:text(one, data))
      walk:wrote(project)
    end
  end
end

local function has_any(one, arriving)
  for _, job in ipairs(one.status and one.status.jobs or {}) do
    if arriving[job.job] then
      return true
    end
  end
  return false
end

-- Read some statuses and show what is new. ``arriving`` are the jobs whose results lie in the outbox: their request is not at its end.
function follow:step(walk, arriving)
  local now = reaper.time_precise()
  for _ = 1, math.min(AT_ONCE, #self.order) do
    self.at = self.at % #self.order + 1
    local one = self.open[self.order[self.at]]
    local changed = read(self, one, now)
    local ended = not is_open(one, self.mailbox, self.captures) and not has_any(one, arriving)
    local hint = self:hint_for(one)
    if changed or ended or hint ~= one.hint or one.shown ~= #one.items then
      one.hint, one.shown = hint, #one.items
      show(self, walk, one, ended)
    end
    if ended then
      self:forget(one.id)
    end
    if ended and refusal.is_mine(one) then
      self.refused[#self.refused + 1] = one
    end
    if #self.order == 0 then
      return
    end
  end
end

-- Return how many requests are open.
function follow:count()
  return #self.order + #self.refused
end

return follow
