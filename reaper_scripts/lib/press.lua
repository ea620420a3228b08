-- The actions that ask for something: generate, transform, and transform again without a dialog.

local import = ...
local ask = import("ask")
local bridge_wait = import("bridge_wait")
local form = import("form")
local hint = import("hint")
local mailbox = import("mailbox")
local memory = import("memory")
local region = import("region")
local render = import("render")
local selections = import("selection")
local send = import("send")
local tag = import("tag")
local version = import("version")
local watcher = import("watcher")
local window = import("window")

local press = {}

local TITLE = "DAW Bridge"
local LONGEST = 190 -- s, of the model
local LAST_AGAIN = "last again" -- the name of the last press without a form
local TOLD_FOR = 6 -- s that a line about what was sent is shown
local STILL = "Your press before this one is still being captured, so this one was ignored." -- and nothing is spent twice
local NOTHING = "\n\nNothing was sent, nothing was spent."

local function tell(text)
  reaper.MB(text, TITLE, 0)
end

local function select(action, project)
  if action == "generate" then
    return region.to_generate(project)
  end
  local selection, problem = region.to_transform(project)
  if selection and selection.stop - selection.start > LONGEST then
    return nil, string.format("The selection is %.1f s long; at most %d s can be sent.", selection.stop - selection.start, LONGEST)
  end
  return selection, problem
end

-- Tell of another version of the bridge, once in a life of REAPER.
local function compare_versions(daemon)
  local theirs = tostring(daemon.version)
  if theirs ~= version and reaper.GetExtState(TITLE, "told_version") ~= theirs then
    reaper.SetExtState(TITLE, "told_version", theirs, false)
    reaper.MB(
      string.format("The bridge is version %s, these scripts are %s. Run: daw-bridge install reaper", theirs, version),
      TITLE,
      0
    )
  end
end

-- A window may have stood open for long. Returns what was selected when it was pressed, or nil and why it cannot be used.
local function selection_now(self)
  if reaper.EnumProjects(-1) ~= self.project then
    return nil, "Another project is in front now. Go back to the one that you pressed in, and press again." .. NOTHING
  end
  local selection = selections.find(self.project, self.words)
  if not selection then
    return nil, "What was selected is gone, or stands elsewhere now." .. NOTHING
  end
  return selection
end

-- There was no dialog that could tell what is sent: one line does.
local function tell_source(self, another)
  local price = form.price(self.daemon, self.values)
  local money = self.daemon.engine == "sketch" and "free" or price and form.dollars(price) or "its price is not known"
  local line = string.format("%s: %s, %s", self.values.prompt or self.values.preset, region.describe(self.selection), money)
  hint.show_for((another and "Another source than last time. " or "") .. line, TOLD_FOR)
end

local function agreed(self, values, typed)
  if typed then -- first of all: whatever ends the press, the text is there at the next one
    local length = typed.length ~= self.length and typed.length or "" -- of another selection it is another
    memory.keep_draft(self.action, tag.with(typed, { length = length }))
  end
  if not values then
    return
  end
  local selection, problem = selection_now(self)
  if not selection then
    return tell(problem)
  end
  self.selection = selection
  local yes, amount = ask.price(self.daemon, values)
  if not yes then
    return
  end
  if typed then
    -- the length of a selection is no length that somebody has typed: with no selection the preset's counts
    memory.keep(self.action, selection.stop and tag.with(typed, { length = "" }) or typed)
  end
  self.values, self.confirm_usd = values, amount
  local id = send.go(self)
  local another = self.action == "transform" and not memory.is_last_source(self.words)
  if not typed then
    reaper.SetExtState(TITLE, LAST_AGAIN, id, false)
    tell_source(self, another)
  end
  watcher.ensure()
  return true
end

-- Never the whole mix because no track happened to be selected.
local function is_meant(selection, daemon)
  return selection.kind ~= "master"
    or reaper.MB(
        string.format("No track is selected. Send %s?\n\n%s", region.describe(selection), form.headline(daemon)), TITLE, 4
      ) == 6
end

local function show_form(self)
  local selection = self.selection
  local length = selection.stop and selection.stop - selection.start
  self.length = length and form.start(self.action, length).length
  local typed = form.start(self.action, length, memory.draft(self.action))
  if window.is_possible() then
    return window.form(self.action, self.daemon, region.describe(selection), typed, function(values, read) agreed(self, values, read) end)
  end
  agreed(self, ask.form(self.action, self.daemon, region.describe(selection), typed))
end

local function without_form(self)
  local selection = self.selection
  local values = form.read(self.action, form.start(self.action, selection.stop - selection.start))
  if not values then
    return show_form(self) -- there is nothing to repeat yet
  end
  agreed(self, values)
end

-- A press in the panel, where the form stands open: what is selected now is sent. Returns true where it was, or nil and a sentence.
function press.from_panel(box, daemon, action, values, typed)
  local project = reaper.EnumProjects(-1)
  local selection, problem = select(action, project)
  problem = problem or (action == "transform" and render.obstacle(project)) or nil
  if problem then
    return nil, problem .. NOTHING
  elseif not is_meant(selection) then
    return nil, "Nothing was sent."
  end
  local self = { box = box, project = project, action = action, daemon = daemon }
  self.words = selections.to_words(selection)
  return agreed(self, values, typed) or nil, "Nothing was sent."
end

-- Return what a press would be made of now, or nil and why there is nothing.
press.select = select

-- Ask for something. ``action`` is "generate" or "transform"; ``how`` is "again" for the last values without a dialog.
function press.run(action, how)
  if reaper.set_action_options then
    reaper.set_action_options(1 | 2) -- pressed while its window is open: the window opens anew
  end
  local box, problem = mailbox.ready()
  if not box then
    return tell(problem)
  end
  if how == "again" and send.is_captured_still(reaper.GetExtState(TITLE, LAST_AGAIN)) then
    watcher.ensure() -- where it was ended meanwhile, it says of the press before what has become of it
    return tell(STILL .. NOTHING)
  end
  local project = reaper.EnumProjects(-1)
  local selection
  selection, problem = select(action, project)
  problem = problem or (action == "transform" and render.obstacle(project)) or nil
  if problem then
    return tell(problem)
  end
  local self = { box = box, project = project, action = action, selection = selection }
  self.words = selections.to_words(selection)
  bridge_wait.wait(box, function(daemon)
    self.daemon = daemon
    compare_versions(daemon)
    if not is_meant(selection, daemon) then
      return
    elseif how == "again" then
      return without_form(self)
    end
    show_form(self)
  end, tell)
end

return press
