-- The actions that ask for something: generate, transform, and transform again without a dialog.

local import = ...
local ask = import("ask")
local bridge_wait = import("bridge_wait")
local form = import("form")
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
local STILL = "Your press before this one is being captured still, so this one was ignored." -- and nothing is spent twice
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
    return nil, "What was selected is gone." .. NOTHING
  end
  return selection
end

local function agreed(self, values, typed)
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
  if not typed then
    reaper.SetExtState(TITLE, LAST_AGAIN, id, false)
  end
  watcher.ensure()
  return true
end

-- Never the whole mix because no track happened to be selected.
local function is_meant(selection)
  return selection.kind ~= "master"
    or reaper.MB("No track is selected. Send " .. region.describe(selection) .. "?", TITLE, 4) == 6
end

local function show_form(self)
  local selection = self.selection
  local typed = form.start(self.action, selection.stop and selection.stop - selection.start)
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
  local box, problem = mailbox.open()
  local ready
  if box then
    ready, problem = box:prepare()
  end
  if not ready then
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
  if not is_meant(selection) then
    return
  end
  local self = { box = box, project = project, action = action, selection = selection }
  self.words = selections.to_words(selection)
  bridge_wait.wait(box, function(daemon)
    self.daemon = daemon
    compare_versions(daemon)
    if how == "again" then
      return without_form(self)
    end
    show_form(self)
  end, tell)
end

return press
