-- From the agreed form to the request in the inbox: the placeholder at once, then the capture, then the request, once. A press makes
-- the placeholder; what takes longer is done by the watcher, so that the action can be pressed again at once.

local import = ...
local capture = import("capture")
local files = import("files")
local form = import("form")
local json = import("json")
local log = import("log")
local mailbox = import("mailbox")
local names = import("names")
local options = import("placing_options")
local placeholder = import("placeholder")
local region = import("region")
local request = import("request")
local selections = import("selection")
local tabs = import("tabs")
local tag = import("tag")
local todo = import("todo")
local words = import("words")

local send = {}
send.__index = send

local SECTION = "DAW Bridge"
local NOTHING_SPENT = " Nothing was sent, nothing was spent."
local CANCELLED = "cancelled before it was sent."
local SENT = "last sent"
local LATEST = 60 -- s after the press that a capture may begin
local LONGEST_NAME = 40 -- characters of the name of a track

local function own_item(self)
  for _, found in ipairs(tabs.search(function(data) return data.mark == self.id end)) do
    if not self.project or self.project == found.project then
      self.project = found.project
      return found.item, found.data
    end
  end
end

-- The item says why nothing was sent, and is followed no longer.
local function refuse(self, text)
  local item, data = own_item(self)
  if item then
    tag.write(item, tag.with(data, { closed = true }))
    placeholder.tell(self.project, item, "DAW Bridge: " .. text .. NOTHING_SPENT)
  end
  if self.path then
    files.remove(self.path)
  end
  log.write(text)
end

local function press_key(id)
  return "press " .. id
end

-- Return what is remembered of a press of this life of REAPER, until it is dealt with; or nil.
function send.pressed(id)
  return json.decode(reaper.GetExtState(SECTION, press_key(id)))
end

-- Forget a press.
function send.forget(id)
  reaper.SetExtState(SECTION, press_key(id), "", false)
end

local function remember(id, more)
  reaper.SetExtState(SECTION, press_key(id), json.encode(tag.with(send.pressed(id) or {}, more)), false)
end

-- Write the request.
local function hand_over(self)
  local item = own_item(self)
  if not item then -- deleted, undone, or its project closed meanwhile: they changed their mind
    if self.path then
      files.remove(self.path)
    end
    return
  end
  local position = tag.bounds(item)
  local body = request.make(self.values, {
    id = self.id,
    client = self.box.client,
    action = self.action,
    place = request.place(self.project, reaper.GetMediaItemTrack(item), self.id, position - (self.after or 0), self.length),
    source = self.path and { path = self.path } or nil,
    confirm_usd = self.confirm_usd,
    again = self.again,
  })
  local sent, problem = self.box:send(body)
  if not sent then
    return refuse(self, "the request could not be written (" .. tostring(problem) .. ").")
  end
  remember(self.id, { path = self.path })
  reaper.SetExtState(SECTION, SENT, string.format("%s %.3f", self.id, reaper.time_precise()), false)
  reaper.SetExtState(SECTION, "last_request", self.id, false)
  reaper.SetExtState(SECTION, "last_request_at", tostring(os.time()), false)
end

-- ``press.after``: the length of the source that the take continues, s; nil: it stands where the source does.
local function make_placeholder(press, id, length, variations)
  local values, selection = press.values, press.selection
  local shown = {}
  for _, key in ipairs(words.KEYS) do
    shown[key] = values[key]
  end
  shown.action = press.action
  local source = press.action == "transform" and region.describe(selection) or nil
  local prompt = values.prompt or values.preset
  local noted = options.note(values.placing or options.load(), values, selection)
  if press.after then
    noted.mute, noted.beyond, noted.whole_mix, noted.into = nil, nil, nil, nil -- the source stays and is heard before it
  end
  noted.length = length
  placeholder.create({
    project = press.project,
    tracks = selection.tracks,
    track = values.track,
    name = names.short(prompt, LONGEST_NAME),
    position = selection.start + (press.after or 0),
    length = length,
  }, { mark = id, id = id, prompt = prompt, values = shown, variations = variations, source = source, placing = noted },
    "DAW Bridge: on its way")
end

-- Send a press that was refused once more, as another one. ``more``: what is added to the request. Returns its id, or nil and why not.
function send.once_more(box, project, before, more)
  local selection = selections.find(project, before.selection)
  if not selection then
    return nil, "What was selected is gone."
  end
  local work = tag.with(before, more)
  work.id, work.box, work.project = mailbox.uuid(), box, project
  remember(work.id, tag.with(before, more)) -- what was agreed to counts if something else is asked
  local again = { project = project, action = work.action, values = work.values, selection = selection, after = work.after }
  make_placeholder(again, work.id, work.length, work.variations)
  hand_over(work)
  return work.id
end

-- A press. ``press``: box, project, action, values, selection, and the amount agreed to or nil. Returns its id.
function send.go(press)
  local id, values, selection = mailbox.uuid(), press.values, press.selection
  local span = selection.stop and selection.stop - selection.start
  local after = press.action == "transform" and form.continues(press.daemon, values) and span or nil
  local length = form.length(press.daemon, values, not after and span or nil)
  local variations = form.variations(press.daemon, values)
  make_placeholder(tag.with(press, { after = after }), id, length, variations)
  local work = {
    id = id, action = press.action, values = values, length = length, after = after, confirm_usd = press.confirm_usd, again = press.again,
  }
  remember(id, tag.with(work, {
    selection = selections.to_words(selection),
    variations = variations,
    usd = form.price(press.daemon, values),
  }))
  if press.action == "transform" then
    work.selection, work.time = selections.to_words(selection), os.time()
    todo.add(id, work)
    return id
  end
  work.box, work.project = press.box, press.project
  hand_over(work)
  return id
end

-- The watcher: begin with what a press has left. Returns the sending, or nil if nothing goes on.
function send.begin(box, work)
  local self = setmetatable(work, send)
  self.box = box
  local item = own_item(self)
  if not item then
    return nil
  elseif send.is_cancelled(self.id) then
    return refuse(self, CANCELLED)
  elseif os.time() - self.time > LATEST then
    return refuse(self, "the capture was interrupted.")
  end
  local selection = selections.find(self.project, self.selection)
  if not selection then
    return refuse(self, "what was selected was deleted or moved.")
  end
  placeholder.tell(self.project, item, "DAW Bridge: capturing what is selected")
  capture.tidy(box.sources)
  local running, problem = capture.start(self.values.capture, selection, box.sources, self.id)
  if not running then
    return refuse(self, problem)
  end
  self.running = running
  return self
end

-- Tell whether the capture of a press goes on or waits.
function send.is_captured_still(id)
  if id == "" then
    return false
  end
  for _, name in ipairs(todo.names()) do
    if name == id then
      return true
    end
  end
  return reaper.GetExtState(SECTION, "capturing") == id
end

-- Return how many seconds ago a press was handed over, if it was the last one; or nil.
function send.sent_ago(id)
  local last, at = reaper.GetExtState(SECTION, SENT):match("^(%S+) (%S+)$")
  return last == id and reaper.time_precise() - tonumber(at) or nil
end

-- A press that the bridge has refused is no press that another one could repeat by mistake.
function send.was_refused(id)
  if send.sent_ago(id) then
    reaper.SetExtState(SECTION, SENT, "", false)
  end
end

-- Say that the capture of a press is not wanted any more.
function send.cancel(id)
  reaper.SetExtState(SECTION, "cancel " .. id, "1", false)
end

function send.is_cancelled(id)
  return reaper.GetExtState(SECTION, "cancel " .. id) ~= ""
end

-- Go on for one tick. Returns false when it has ended.
function send:step()
  local outcome, problem = self.running:step()
  if outcome == "going" then
    return true -- also where it was cancelled: a render in the background goes on, and reads its settings
  end
  local running = self.running
  self.running = nil
  if send.is_cancelled(self.id) then
    running:stop()
    refuse(self, CANCELLED)
    return false
  elseif outcome == "done" then
    self.path = running.path
    hand_over(self)
    return false
  end
  running:stop()
  if outcome == "cancelled" and own_item(self) then
    placeholder.remove(self.project, self.id)
  elseif outcome == "failed" then
    refuse(self, tostring(problem))
  end
  return false
end

-- Break off: everything is put back, and the item says so.
function send:stop(text)
  if self.running then
    self.running:stop()
    self.running = nil
    refuse(self, text or "the capture was interrupted.")
  end
end

return send
