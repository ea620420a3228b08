-- The one deferred function that follows what is open and brings takes to their places. It looks four times a second, does a
-- little each time, and ends when nothing is open.

local import = ...
local answers = import("answers")
local bridge_wait = import("bridge_wait")
local fitting = import("fitting")
local follow = import("follow")
local guard = import("guard")
local listen = import("listen")
local log = import("log")
local mailbox = import("mailbox")
local peaks = import("peaks")
local placing = import("placing")
local refusal = import("refusal")
local registered = import("registered")
local request = import("request")
local results = import("results")
local send = import("send")
local settings = import("render_settings")
local scripts = import("place_of_scripts")
local tabs = import("tabs")
local todo = import("todo")
local toolbar = import("toolbar")
local trap = import("trap")
local unsaved = import("unsaved")
local words = import("words")

local watcher = {}
watcher.__index = watcher

local SECTION = "DAW Bridge"
local RENDERING = 0x40000000
local RECORDING = 4 -- of the state of the transport
local PERIOD = 0.25 -- s
local ITEMS = 200 -- looked at in one tick
local SLOW = 8 -- periods between two looks at the bridge itself and at what is not saved
local READS = 16 -- results that are read for the first time in one tick
local BUSY = 1.0 -- s until a project that records or renders is tried again
local AGAIN = 5.0 -- s until a word that seems to be lost is said again
local REST_AFTER_ERROR = 5.0 -- s
local MOST_ERRORS = 50
local TURNS = 6 -- of REAPER's loop that a watcher gets to show that it lives
local SCRIPT = "DAW Bridge_Watcher (starts by itself).lua"
local DOWN = "the bridge is not running: daw-bridge start. Nothing is lost"

-- Return a watcher, or nil and why there can be none.
function watcher.new()
  local box, problem = mailbox.ready()
  if not box then
    return nil, problem
  end
  local self = setmetatable({ mailbox = box, errors = 0, resting = {}, period = 0, due = 0, tried = "" }, watcher)
  self.known, self.not_before = {}, {}
  self.walk, self.follow, self.peaks = tabs.new_walk(), follow.new(box), peaks.new()
  self.results, self.unsaved, self.fits = results.new(box.outbox), unsaved.open(box), fitting.new(box)
  self.bridge_has_open, self.project_count, self.since = true, -1, reaper.time_precise()
  return self
end

-- What the bridge says of itself: whether it runs, and whether it has open jobs of ours.
function watcher:look_at_bridge()
  local daemon, text = self.mailbox:daemon()
  if text ~= self.daemon_text then
    self.daemon_text, self.daemon = text, daemon
    self.bridge_has_open = false
    for _, job in ipairs(daemon and daemon.jobs or {}) do
      self.bridge_has_open = self.bridge_has_open or not words.is_ended(job)
    end
  end
  local runs = mailbox.is_fresh(self.daemon)
  self.since = runs and -math.huge or self.since -- it has seen us: from now on it is there or not
  self.follow.hint = not runs and not bridge_wait.may_come(self.mailbox, self.since) and DOWN or nil
end

-- Return what makes the text of the items of a request.
function watcher:text_of(id, variations)
  return function(data)
    local one = self.follow.open[id]
    if one then
      return self.follow:text(one, data)
    end
    return words.of_item(data, nil, words.count(data.takes) < (variations or data.variations or 1) and "more will come" or nil)
  end
end

-- Return which placeholders a result is for, as it was read once; nil while it cannot be read, or enough was read in this tick.
function watcher:about(name, budget)
  local known = self.known[name]
  if not known and budget.left > 0 then
    budget.left = budget.left - 1
    local result = self.mailbox:result(name)
    if result then
      known = { mark = request.token_of(result.place), id = result.id }
      self.known[name] = known
    end
  end
  return known
end

-- Return the index of the first name behind the one that was tried last: many that have to wait hold up no others.
local function index_behind(names, last)
  for index, name in ipairs(names) do
    if name > last then
      return index
    end
  end
  return 1
end

-- Take up the next result that a tab holds a placeholder of.
function watcher:next_result(now)
  local marks, names, budget = self.walk.marks, self.results.names, { left = READS }
  local first = index_behind(names, self.tried)
  for step = 0, #names - 1 do
    local name = names[(first + step - 1) % #names + 1]
    if now >= (self.not_before[name] or 0) then
      local known = self:about(name, budget)
      if known and (marks[known.mark or ""] or marks[known.id or ""]) then
        self.tried = name
        return self:begin_placing(name, now)
      end
    end
  end
end

-- Try a result again later.
function watcher:put_off(name, result, outcome, now)
  self.not_before[name] = now + BUSY
  self.follow.redo[result.id] = outcome == "redo" or nil
end

function watcher:begin_placing(name, now)
  self.not_before[name] = now + AGAIN
  local result = self.mailbox:result(name)
  local outcome, more = nil, nil
  if result then
    outcome, more = placing.start(self.mailbox, self.unsaved, self.walk, result)
  end
  if outcome == "begun" then
    self.placing, self.placing_name = more, name
    self.follow.redo[result.id] = nil
  elseif outcome == "busy" or outcome == "redo" then
    self:put_off(name, result, outcome, now)
  elseif outcome == "done" then
    placing.say(self.mailbox, result, more)
  end
end

function watcher:go_on_placing(now)
  local result = self.placing.result
  local outcome, more = self.placing:step(self:text_of(result.id, result.variations))
  if outcome == "going" then
    return
  end
  self.not_before[self.placing_name] = now + AGAIN
  if outcome == "placed" then
    for _, one in ipairs(more) do
      self.peaks:add(one.project, one.take)
      self.walk:wrote(one.project)
    end
    self.fits:tell(result)
    self.fits:update(self.walk)
    self.fits:step(self.walk, self)
  elseif outcome == "failed" then
    log.write("job " .. result.job .. " could not be placed: " .. tostring(more))
  elseif outcome == "busy" or outcome == "redo" then
    self:put_off(self.placing_name, result, outcome, now)
  end
  self.placing = nil
end

function watcher:capturing(id)
  self.follow.captures = id
  reaper.SetExtState(SECTION, "capturing", id or "", false)
end

-- Captures that presses have left, one after the other.
function watcher:go_on_sending()
  if self.sending then
    if not self.sending:step() then
      self.sending = nil
      self:capturing(nil)
    end
  elseif todo.is_waiting() then
    local work = todo.take()
    if work then
      self:capturing(work.id)
      self.sending = send.begin(self.mailbox, work)
      self:capturing(self.sending and work.id)
    end
  end
end

function watcher:stop()
  if self.sending then
    self.sending:stop()
    self.sending = nil
    self:capturing(nil)
  end
  if self.placing then
    self.placing:stop()
    self.placing = nil
  end
  self.fits:stop()
end

-- Forget what is remembered of results that are gone.
local function only(names, memory)
  local there = {}
  for _, name in ipairs(names) do
    there[name] = memory[name]
  end
  return there
end

-- What was refused is told, but not while REAPER records.
function watcher:tell_of_refusals()
  if reaper.GetPlayStateEx(0) & RECORDING ~= 0 then
    return
  end
  while #self.follow.refused > 0 do
    refusal.handle(self.mailbox, table.remove(self.follow.refused, 1))
  end
  local text = answers.are_waited_for() and answers.look(self.mailbox)
  if text then
    reaper.MB(text, SECTION, 0)
  end
end

-- Look once.
function watcher:look(now)
  self.walk:notice()
  self.walk:step(ITEMS)
  self.unsaved:look_at_mine(self.walk)
  if self.walk.changed then
    self.walk.changed = false
    self.walk:note_marks()
    self.follow:update(self.walk)
    self.fits:update(self.walk)
  end
  if self.period % 2 == 0 then
    self.results:step()
  else
    self.follow:step(self.walk, self.results.jobs)
  end
  if not self.placing then
    self:next_result(now)
    self.fits:step(self.walk, self)
  end
  self:tell_of_refusals()
  self.period = self.period + 1
  if self.period % SLOW == 1 then
    self:look_slowly()
  end
end

-- Put back what a capture has left changed in a project that was saved meanwhile, when REAPER died.
function watcher:repair()
  if self.sending or reaper.GetExtState(SECTION, "capturing") ~= "" or reaper.EnumProjects(RENDERING) then
    return
  end
  for _, tab in ipairs(tabs.open()) do
    if settings.repair(tab.project) then
      log.write("the settings that a capture had changed are put back in " .. tab.path)
    end
  end
end

function watcher:look_slowly()
  self:repair()
  self:look_at_bridge()
  self.unsaved:look_at_left(self.walk)
  self.known, self.not_before = only(self.results.names, self.known), only(self.results.names, self.not_before)
end

-- Tell whether nothing is left to wait for.
function watcher:is_idle()
  local looked = self.results.complete and #self.walk.queue == 0 and self.period > 2 * SLOW
  local at_work = answers.are_waited_for() or self.placing or self.sending or todo.is_waiting() or #self.peaks.waiting > 0
  local waiting = self.follow:count() + self.fits:count() + #self.results.names + self.unsaved:count() > 0
  return looked and not at_work and not waiting and not self.bridge_has_open
end

-- Do a part of the work. An error in it is written down, and ends that part alone; it is begun anew after a rest.
function watcher:part(name, run)
  local now = reaper.time_precise()
  if now < (self.resting[name] or 0) then
    return
  end
  local fine = trap.quiet(run, self, now)
  if fine then
    return
  end
  self.errors = self.errors + 1
  self.resting[name] = now + REST_AFTER_ERROR
  local unfinished = self[name]
  if type(unfinished) == "table" and unfinished.stop then
    self[name] = nil
    trap.quiet(unfinished.stop, unfinished)
  end
end

-- Do what one tick has time for. Returns false when the watcher has ended.
function watcher:tick()
  local now = reaper.time_precise()
  self:part("sending", self.go_on_sending)
  if self.placing and not listen.is_on_track() then -- whoever listens is not interrupted by a change of the project
    self:part("walking", function() self.walk:step(ITEMS) end) -- a take waits until everything is known
    self:part("placing", self.go_on_placing)
  elseif now < self.due then
    self:part("drawing", function() self.peaks:step() end)
  end
  if now < self.due then
    return true
  end
  self.due = now + PERIOD
  if not guard.beat(self.name) then
    return false
  end
  if not listen.is_on_track() then
    self:part("looking", self.look)
  end
  return self.errors < MOST_ERRORS and not self:is_idle()
end

-- Become the watcher and go on until nothing is open.
-- ``shown``: its own action is lit meanwhile.
function watcher.start(shown)
  local self, problem = watcher.new()
  if not self then
    log.write(problem)
    return
  end
  self.name = guard.claim()
  local command = shown and toolbar.show(true)
  reaper.atexit(function()
    if command then
      toolbar.show(false, command)
    end
    trap.quiet(self.stop, self)
    guard.release(self.name)
  end)
  local function loop()
    local goes_on = false
    trap.quiet(function() goes_on = self:tick() end)
    if goes_on then
      reaper.defer(loop)
    else
      self:stop()
      guard.release(self.name)
    end
  end
  loop()
end

-- The action itself.
function watcher.run()
  if reaper.set_action_options then
    reaper.set_action_options(1 | 2) -- started again: the old one ends, without a question of REAPER
  end
  watcher.start(true)
end

local function launch()
  local command = registered.find(scripts.folder .. SCRIPT)
  if command ~= 0 then
    reaper.Main_OnCommand(command, 0)
  end
  if not guard.is_alive() then
    watcher.start()
  end
end

-- See that a watcher runs. It is a script of its own, so that no action stays behind and REAPER asks nothing when it is pressed
-- again; where that cannot be started, this script watches.
function watcher.ensure()
  if guard.is_alive() then
    return
  elseif not guard.is_claimed() then
    return launch()
  end
  -- It may only have been held by a dialog until now: then it says so in its next tick.
  local turns = 0
  local function look()
    turns = turns + 1
    if guard.is_alive() then
      return
    elseif turns > TURNS then
      return trap.action(launch)
    end
    reaper.defer(look)
  end
  reaper.defer(look)
end

watcher.SCRIPT = SCRIPT
return watcher
