-- What the panel shows and what its buttons do, without a window. It looks a little in each turn: no file is read more often than twice a
-- second, and what is selected is gone through only when something of it may have changed.

local import = ...
local act = import("act")
local bridge_wait = import("bridge_wait")
local choices = import("choices")
local files = import("files")
local form = import("form")
local guard = import("guard")
local listen = import("listen")
local mailbox = import("mailbox")
local names = import("names")
local memory = import("memory")
local options = import("placing_options")
local placing = import("placing")
local press = import("press")
local region = import("region")
local send = import("send")
local source_view = import("source_view")
local start_bridge = import("start_bridge")
local status = import("status")
local tabs = import("tabs")
local watcher = import("watcher")
local words = import("words")

local model = {}
model.__index = model

local BEAT, LOOK, ANEW = 0.5, 0.25, 2.0 -- s between two looks at the bridge, at the selection, and at a selection that seems the same
local SHARE = 100 -- of REAPER's time, one part in so many, for looking at a large selection
local HELD = 33 -- turns, about 1 s, within which a key comes again that is held
local STARTING = 20 -- s that a bridge that was started may need
local LONGEST = 100 -- characters of a prompt in the list
local USUAL = 60 -- s that a take takes, if nothing is known yet

local SHORT = {
  retry = "Send", submit_again = "Send again", cancel = "Cancel", deliver = "Place again", reveal = "Show file", look = "Look again",
  attach = "Found at the service", charged = "Close: was charged", not_charged = "Close: not charged",
}

-- Return a model, for a mailbox that is prepared.
function model.new(box)
  local self = setmetatable({ box = box, action = "transform", since = reaper.time_precise(), player = listen.new() }, model)
  self.due, self.turns = { beat = 0, look = 0, anew = 0 }, 0
  self.hidden, self.marked, self.jobs, self.lines = {}, {}, {}, {}
  self.prompts, self.placing = memory.prompts(), options.load()
  self:set_action("transform")
  listen.sweep(reaper.EnumProjects(-1))
  return self
end

-- What is typed is there again when the panel opens, and in the dialogs.
function model:keep_typed()
  if self.typed then
    memory.keep_draft(self.action, self.typed)
  end
end

-- Show the form of an action, with the prompt that stands there now.
function model:set_action(action)
  local prompt = self.typed and self.typed.prompt
  self:keep_typed()
  self.action, self.typed = action, form.start(action, nil, memory.draft(action))
  if prompt and prompt ~= "" then
    self.typed.prompt = prompt
  end
  self.signature, self.due.look = nil, 0
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

local function seconds_of(job)
  local began, ended = tonumber(job.submitted_at), tonumber(job.finished_at)
  return began and ended and ended > began and ended - began or nil
end

-- Return how long takes have needed lately, s.
local function usual_wait(jobs)
  local list = {}
  for _, job in ipairs(jobs) do
    list[#list + 1] = (job.state == "placed" or job.state == "stored") and seconds_of(job) or nil
  end
  return #list > 0 and median(list) or USUAL
end

local WAITING = { queued = true, preparing = true, submitting = true, generating = true, fetching = true }

-- Return how long it may still take, in words, or nil.
local function wait_of(job, usual)
  if not WAITING[job.state] then
    return nil
  end
  local age, part = os.time() - (tonumber(job.submitted_at) or os.time()), tonumber(job.fraction) or 0
  local left = part > 0.05 and age > 0 and age * (1 - part) / part or usual - age
  return left >= 1 and string.format("about %.0f s left", left) or "soon"
end

-- Return what is known of the money of a job, in words.
local function charge_of(job)
  local usd = tonumber(job.usd)
  local money = usd and form.dollars(usd) .. " spent" or "spent"
  if usd == 0 then
    return "free"
  elseif job.charge == "confirmed" then
    return money
  elseif job.charge == "possible" then
    return "perhaps " .. money
  end
  return "nothing spent"
end

local function button_text(choice, job)
  local text = choice.key == "deliver" and job.state ~= "placed" and "Place" or SHORT[choice.key] or choice.key
  text = choice.key == "retry" and choice.new and "Ask anew" or text
  return choice.usd and choice.usd > 0 and text .. ", " .. form.dollars(choice.usd) or text
end

local function row_of(self, job, usual)
  local row = { job = job, id = job.job, state = words.state(job), prompt = names.short(tostring(job.prompt or job.preset or ""), LONGEST) }
  row.open = WAITING[job.state] == true
  row.fraction, row.charge, row.wait = tonumber(job.fraction) or 0, charge_of(job), wait_of(job, usual)
  row.problem = type(job.problem) == "table" and words.problem(job.problem, job.charge):gsub("\n", " ") or nil
  row.favourite = self.marked[job.job]
  if row.favourite == nil then
    row.favourite = job.favourite == true
  end
  row.buttons = {}
  for _, choice in ipairs(choices.of_job(job, self.daemon, job.state == "stored" and not row.problem and job.wanted ~= false)) do
    row.buttons[#row.buttons + 1] = { text = button_text(choice, job), choice = choice }
  end
  return row
end

local function row_list(self)
  local jobs, rows = self.daemon and self.daemon.jobs or {}, {}
  local usual = usual_wait(jobs)
  for _, job in ipairs(jobs) do
    if not job.trashed_at and not self.hidden[job.job] then
      rows[#rows + 1] = row_of(self, job, usual)
    end
  end
  return rows
end

function model:look_at_bridge(now)
  local text = files.read(files.join(self.box.outbox, "daemon.json"))
  if text ~= self.text then
    self.text, self.daemon = text, (self.box:daemon())
  end
  self.runs = mailbox.is_fresh(self.daemon)
  self.starting = not self.runs and (self.started or -math.huge) + STARTING > now
  self.looking = not self.runs and bridge_wait.may_come(self.box, self.since)
  self.lines = status.lines(self.daemon, self.runs, self.looking or self.starting)
  self.jobs, self.watches = row_list(self), guard.is_alive()
  status.wake_for(self.daemon)
end

-- What a change of the selection changes for sure; the rest is seen at the next look at everything.
local function signature_of(action)
  local project = reaper.EnumProjects(-1)
  local start, stop = reaper.GetSet_LoopTimeRange2(project, false, false, 0, 0, false)
  return string.format("%s %s %d %d %d %.9f %.9f %.9f %d", action, tostring(project), reaper.GetProjectStateChangeCount(project),
    reaper.CountSelectedMediaItems(project), reaper.CountSelectedTracks(project), start, stop, reaper.GetCursorPositionEx(project),
    reaper.GetCursorContext2(true))
end

function model:look_at_selection(now)
  local signature = signature_of(self.action)
  if signature == self.signature and now < self.due.anew then
    return
  end
  self.signature = signature
  local selection, problem = press.select(self.action, reaper.EnumProjects(-1))
  self.problem, self.source = problem, selection and region.describe(selection) or nil
  self.length = selection and selection.stop and selection.stop - selection.start or nil
  local shown = selection and selection.stop and self.action == "transform" and self.source .. signature or nil
  if shown ~= self.shown then
    self.shown, self.view = shown, shown and source_view.new(selection) or nil
    self.drawing = self.view
  end
  self.due.anew = now + math.max(ANEW, SHARE * (reaper.time_precise() - now))
end

-- Look once; cheap, for each turn.
function model:step()
  local now = reaper.time_precise()
  self.turns = self.turns + 1
  self.player:step()
  if now >= self.due.beat then
    self.due.beat = now + BEAT
    self:look_at_bridge(now)
  elseif now >= self.due.look then
    self.due.look = now + LOOK
    self:look_at_selection(now)
  elseif self.drawing and not self.drawing:step() then
    self.drawing = nil
  end
end

-- Return what is typed as values; or nil and what is wrong.
function model:values()
  local values, fault = form.read(self.action, self.typed)
  if values then
    values.placing = self.placing
  end
  return values, fault
end

-- Return one line about what a press costs.
function model:price(values)
  local daemon, price = self.daemon, form.price(self.daemon, values)
  if daemon and daemon.engine == "sketch" then
    return "Sketch engine: free."
  elseif not price then
    return "The bridge has not said what a take costs."
  end
  local count = form.variations(daemon, values)
  local spent, limit = tonumber(daemon.spent_today_usd), tonumber(daemon.limit_today_usd)
  local left = spent and limit and " " .. form.dollars(math.max(0, limit - spent)) .. " is left today." or ""
  return string.format("%s %s.", count == 1 and "1 take costs" or count .. " takes cost", form.dollars(price)) .. left
end

-- Tell whether a press can be sent now.
function model:is_ready(values)
  return self.runs and values ~= nil and self.problem == nil and self.source ~= nil
end

-- Tell whether the key that sends is held down since it was last told of: gfx tells of it again and again then. Counted in turns, for a
-- render may hold REAPER up meanwhile.
function model:is_held()
  local before = self.key_at or -HELD
  self.key_at = self.turns
  return self.turns - before < HELD
end

-- Send what is selected.
function model:send()
  local values, fault = self:values()
  if not values then
    self.note = fault
    return
  elseif not self.runs then
    self.note = "The bridge is not running. Nothing was sent, nothing was spent."
    return
  end
  self.player:stop()
  options.save(self.placing)
  local sent, problem = press.from_panel(self.box, self.daemon, self.action, values, self.typed)
  self.note = sent and "Sent." or problem
  self.typed.seed, self.prompts, self.due.look = "", memory.prompts(), 0
end

-- Start the bridge, if the person agrees.
function model:start()
  local done, problem = start_bridge.run()
  self.note, self.started = done and "The bridge is being started." or problem, done and reaper.time_precise() or nil
end

-- Send nothing more, or go on sending.
function model:pause_or_resume()
  act.run(self.box, choices.of_bridge(self.daemon)[1])
end

local function holder_of(id)
  return tabs.search(function(data) return data.id == id end)[1]
end

-- Do what a button of a job says. Its item, where one is there, waits for what comes of it.
function model:choose(choice, row)
  local brings = choice.command ~= nil and choice.command ~= "cancel"
  local found = brings and holder_of(row.job.id) or nil
  if found and choice.key == "deliver" then
    placing.let_end_redo(found.data.mark)
  end
  if act.run(self.box, choice, found) and choice.key == "deliver" and not found then
    self.note = "The item of this take is gone. The action Place unplaced takes puts it into this project, free."
  end
end

local function mark(self, job, more)
  return act.run(self.box, { key = "mark", jobs = { job }, command = "mark", more = more })
end

-- Note that a take is a favourite, or is none any more.
function model:toggle_favourite(row)
  local wanted = not row.favourite
  if mark(self, row.id, { favourite = wanted }) then
    self.marked[row.id], row.favourite = wanted, wanted
  end
end

-- Tell whether a job can be taken off the list.
function model.can_discard(row)
  return row.job.state == "stored" or words.is_ended(row.job)
end

-- Take a job off the list; its file stays in the library. One that is not placed yet will not be.
function model:discard(row)
  if row.job.state == "stored" and row.job.wanted ~= false then
    act.run(self.box, { key = "cancel", jobs = { row.id }, command = "cancel" })
  end
  if mark(self, row.id, { trashed = true }) then
    self.hidden[row.id] = true
    self.player:stop()
    self.due.beat = 0
  end
end

-- Play a take, or stop it.
function model:hear(row)
  if self.player:part(row.id) then
    return self.player:stop()
  end
  local _, problem = self.player:play(row.job.file, row.id)
  self.note = problem
end

-- Return the file of the source that a take was made of, where this REAPER has it still.
local function source_of(self, job)
  local pressed = send.pressed(job.id)
  local day = os.date("%Y%m%d", math.tointeger(tonumber(job.created_at or 0) // 1))
  for _, path in ipairs({ pressed and pressed.path or "", files.join(self.box.sources, day .. "-" .. job.id .. ".wav") }) do
    if path ~= "" and files.exists(path) then
      return path
    end
  end
end

-- Play the source of a take, or stop it.
function model:hear_source(row)
  local name = "source of " .. row.id
  if self.player:part(name) then
    return self.player:stop()
  end
  local path = source_of(self, row.job)
  if not path then
    self.note = "The source of this take is no longer here."
    return
  end
  local _, problem = self.player:play(path, name)
  self.note = problem
end

-- The window closes.
function model:stop()
  self.player:stop(true)
  self:keep_typed()
  options.save(self.placing)
end

model.ensure_watcher = watcher.ensure
return model
