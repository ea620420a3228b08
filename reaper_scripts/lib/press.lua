-- The actions that ask for something: generate, transform, and transform again without a dialog.

local import = ...
local ask = import("ask")
local bridge_wait = import("bridge_wait")
local form = import("form")
local hint = import("hint")
local json = import("json")
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
local LONGEST, SHORTEST = 190, 0.01 -- s: of the model, and of the form
local LAST_AGAIN = "last again" -- the name of the last press of "again"
local LAST_QUICK = "last quick press" -- of those that no form is filled in for: what was asked, and its name
local AT_ONCE = 10 -- s within which the same press once more is most likely a slip: as the bridge has it
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
  if selection and selection.stop - selection.start < SHORTEST then
    return nil, "What is selected has no length."
  elseif selection and selection.stop - selection.start > LONGEST then
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
    return nil, "What was selected was deleted or moved." .. NOTHING
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

-- What two presses have in common that ask for the same of the same selection. The bridge compares the sound, too; but a long capture hides
-- from it how soon the second press came, and an effect may sound a little different each time.
local function identity_of(self, values)
  return json.encode_ascii({ self.action, tostring(self.project), self.words, tag.with(values, { placing = "" }) })
end

-- Return the name of the press before this one, if it asked for the same and no form was filled in between.
local function same_before(self, values)
  self.identity = identity_of(self, values)
  local id, before = reaper.GetExtState(TITLE, LAST_QUICK):match("^(%S+) (.*)$")
  return before == self.identity and id or nil
end

-- Ask where the same was sent a moment ago. Tells whether it is to be sent.
local function is_no_slip(self, values)
  local before = same_before(self, values)
  if not before or (send.sent_ago(before) or math.huge) > AT_ONCE then
    return true
  end
  self.again = reaper.MB(form.same_again(form.price(self.daemon, values)), TITLE, 4) == 6
  return self.again
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
  if self.is_quick and not is_no_slip(self, values) then
    return
  end
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
  if self.is_quick then
    reaper.SetExtState(TITLE, LAST_QUICK, id .. " " .. self.identity, false)
  end
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
  self.is_quick = true
  agreed(self, values)
end

-- A press in the panel, where the form stands open: what is selected now is sent. Returns true where it was, or nil and a sentence.
function press.from_panel(box, daemon, action, values, typed)
  local project = reaper.EnumProjects(-1)
  local selection, problem = select(action, project)
  if problem then
    return nil, problem .. NOTHING
  end
  local self = { box = box, project = project, action = action, daemon = daemon, is_quick = true }
  self.words = selections.to_words(selection)
  local before = same_before(self, values)
  if before and send.is_captured_still(before) then
    return nil, STILL .. NOTHING
  end
  problem = action == "transform" and render.obstacle(project)
  if problem then
    return nil, problem .. NOTHING
  elseif not is_meant(selection) then
    return nil, "Nothing was sent."
  end
  return agreed(self, values, typed), "Nothing was sent."
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
