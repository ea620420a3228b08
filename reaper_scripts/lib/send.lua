-- @noindex
-- From the agreed form to the request in the inbox: the placeholder at once, then the capture, then the request, once.

local import = ...
local capture = import("capture")
local files = import("files")
local log = import("log")
local placeholder = import("placeholder")
local request = import("request")
local tabs = import("tabs")
local tag = import("tag")
local trap = import("trap")
local watcher = import("watcher")

local send = {}
send.__index = send

local SECTION = "DAW Bridge"
local NOTHING_SPENT = " Nothing was sent, nothing was spent."

local function own_item(self)
  if not tabs.is_open(self.project) then
    return nil
  end
  for index = 0, reaper.CountMediaItems(self.project) - 1 do
    local item = reaper.GetMediaItem(self.project, index)
    local data = tag.read(item)
    if data and data.mark == self.id then
      return item, data
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
    os.remove(self.path)
  end
  log.write(text)
end

local function hand_over(self)
  local item = own_item(self)
  if not item then -- deleted, undone, or its project closed meanwhile: they changed their mind
    if self.path then
      os.remove(self.path)
    end
    return
  end
  local position = tag.bounds(item)
  local track = reaper.GetMediaItemTrack(item)
  local body = request.make(self.values, {
    id = self.id,
    client = self.box.client,
    action = self.action,
    place = request.place(self.project, track, self.id, position, self.length),
    source = self.path and { path = self.path } or nil,
    confirm_usd = self.confirm_usd,
  })
  local sent, problem = self.box:send(body)
  if not sent then
    return refuse(self, "the request could not be written (" .. tostring(problem) .. ").")
  end
  reaper.SetExtState(SECTION, "last_request", self.id, false)
  watcher.ensure()
end

local function wait_for_capture(self, running)
  reaper.atexit(function()
    if not self.captured then
      running:stop()
    end
  end)
  local function look()
    local fine = trap.quiet(function()
      if not own_item(self) then
        self.captured = true
        return running:stop()
      end
      local outcome, problem = running:step()
      if outcome == "going" then
        return reaper.defer(look)
      end
      self.captured = true
      if outcome == "done" then
        self.path = running.path
        return hand_over(self)
      end
      running:stop()
      if outcome == "cancelled" then
        return placeholder.remove(self.project, self.id)
      end
      refuse(self, tostring(problem))
    end)
    if not fine then
      self.captured = true
      running:stop()
      refuse(self, "the capture ended with an error; see " .. files.join(self.box.inbox, ".scripts.log") .. ".")
    end
  end
  look()
end

local function start_capture(self, selection)
  capture.tidy(self.box.sources)
  local running, problem = capture.start(self.values.capture, selection, self.box.sources, self.id)
  if not running then
    return refuse(self, problem)
  end
  wait_for_capture(self, running)
end

-- Go. ``press``: box, project, action, values, selection, and the amount agreed to or nil.
function send.go(press)
  local self = setmetatable({ box = press.box, project = press.project, action = press.action }, send)
  self.values, self.confirm_usd, self.id = press.values, press.confirm_usd, press.box.uuid()
  local selection, values = press.selection, press.values
  self.length = values.length or (selection.stop and selection.stop - selection.start) or 30
  local shown = { action = press.action, preset = values.preset, strength = values.strength }
  shown.cfg_scale, shown.steps = values.cfg_scale, values.steps
  local prompt = values.prompt or values.preset
  placeholder.create({
    project = press.project,
    tracks = selection.tracks,
    track = values.track,
    name = prompt:gsub("%c", " "):sub(1, utf8.offset(prompt, 41) and utf8.offset(prompt, 41) - 1 or -1),
    position = selection.start,
    length = self.length,
  }, { mark = self.id, id = self.id, prompt = prompt, values = shown, variations = values.variations }, "DAW Bridge: on its way")
  if press.action == "transform" then
    return start_capture(self, selection)
  end
  hand_over(self)
end

return send
