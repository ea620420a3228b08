-- Brings one take to its place: finds every placeholder of it in every open project, copies the file into the projects' media
-- folders, fills the items, reads back, and only then confirms. A step in each tick.
--
-- A take is acted on once for each (job, delivery). What tells that it was: the take in the item, the word in the inbox that
-- the bridge has not read yet, and for the life of REAPER a note in ExtState, which an undo does not take back.

local import = ...
local copy = import("copy")
local files = import("files")
local fill = import("fill")
local log = import("log")
local request = import("request")
local tag = import("tag")
local undo = import("undo")

local placing = {}
placing.__index = placing

local SECTION = "DAW Bridge"
local RENDERING = 0x40000000
local RECORDING = 4
local CODE = "E-UNPLACED"
local PATIENCE = 150 -- ticks

local PLACED, UNPLACED = "placed", "unplaced"

local function key(result)
  return string.format("act %s.%d", result.job, result.delivery)
end

-- Return the word that this REAPER has said about a delivery already ("placed" or "unplaced"), or nil.
function placing.word(mailbox, result)
  local noted = reaper.GetExtState(SECTION, key(result))
  if noted ~= "" then
    return noted
  end
  for _, word in ipairs({ PLACED, UNPLACED }) do
    if mailbox:said(result.job, result.delivery, word) then
      return word
    end
  end
end

local function find(result, walk)
  return walk:holders(request.token_of(result.place) or result.id, result.id)
end

local function lacking(found, result)
  local list = {}
  for _, one in ipairs(found) do
    if not tag.take_of(one.item, result.job) then
      list[#list + 1] = one
    end
  end
  return list
end

-- Return why nothing is placed into a project now ("busy", "redo"), or nil. An undo step of ours would end what the person has undone
-- and can redo; so it waits for their next edit, or until they say that it may.
local function obstacle(one)
  if reaper.EnumProjects(RENDERING) == one.project or reaper.GetPlayStateEx(one.project) & RECORDING ~= 0 then
    return "busy"
  elseif undo.can_redo(one.project) and not placing.may_end_redo(one.data.mark) then
    return "redo"
  end
end

local function may(mark)
  return "may end redo " .. mark
end

-- Let the takes of a placeholder be placed although there is something to redo.
function placing.let_end_redo(mark)
  reaper.SetExtState(SECTION, may(mark), "1", false)
end

function placing.may_end_redo(mark)
  return reaper.GetExtState(SECTION, may(mark)) ~= ""
end

-- Say the word about a delivery, also once more where it may have been lost. Returns true, or nil and why not.
function placing.say(mailbox, result, word, message)
  reaper.SetExtState(SECTION, key(result), word, false)
  if word == PLACED then
    return mailbox:placed(result.job, result.delivery)
  end
  message = tostring(message or "it could not be placed"):sub(1, 1000)
  return mailbox:unplaced(result.job, result.delivery, CODE, message)
end

-- Begin with a result. ``walk`` knows where its placeholders are. Returns "away" (no tab holds it), "busy" (its project records or
-- renders), "redo" (see above), "done" (nothing is left to do but to say the word, which is returned, too), or "begun", with the placing.
function placing.start(mailbox, unsaved, walk, result)
  local word = placing.word(mailbox, result)
  if word then
    return "done", word
  end
  local found = find(result, walk)
  if #found == 0 then
    return "away"
  end
  local targets = lacking(found, result)
  if #targets == 0 then
    return "done", PLACED
  end
  for _, one in ipairs(targets) do
    local why = obstacle(one)
    if why then
      return why
    end
  end
  local self = setmetatable({ mailbox = mailbox, unsaved = unsaved, walk = walk, result = result, files = {} }, placing)
  self.mark = targets[1].data.mark
  return "begun", self
end

-- Find out where the take is to lie for a project; a copy begins where one is needed.
function placing:prepare_file(project, path)
  if path == "" then -- never saved: REAPER moves media along when it is
    self.files[project] = self.result.file
    return
  end
  local started, problem = copy.start(self.result.file, reaper.GetProjectPathEx(project))
  if started then
    self.copying = { project = project, copy = started }
  else
    self:without_copy(project, problem)
  end
end

function placing:go_on_copying()
  local project, started = self.copying.project, self.copying.copy
  local outcome, problem = started:step()
  if outcome == "done" then
    self.files[project] = started.path
  elseif outcome == "failed" then
    self:without_copy(project, problem)
  end
  if outcome ~= "going" then
    self.copying = nil
  end
end

-- A take in the library is better than none.
function placing:without_copy(project, problem)
  self.hint = "The take was not copied into the project's folder (" .. tostring(problem) .. "): it lies in the library."
  self.files[project] = self.result.file
end

-- In a large project that somebody goes on changing, no look is ever complete. Then what is known has to do.
function placing:is_out_of_patience()
  self.waited = (self.waited or 0) + 1
  return self.waited > PATIENCE
end

-- Go on for one tick. Returns "going"; "away" (its placeholders have gone); "busy" or "redo" (as start does: begin anew later, what
-- was copied is found again); "placed", with the takes {project, take}; or "failed" and why.
function placing:step(text_of)
  if self.copying then
    self:go_on_copying()
    return "going"
  elseif not files.exists(self.result.file) then
    return self:fail("the file " .. self.result.file .. " is not there")
  end
  if not (self.walk:is_complete() or self:is_out_of_patience()) then
    return "going" -- somebody has changed something: there may be another placeholder now
  end
  local found = find(self.result, self.walk)
  if #found == 0 then
    return "away"
  end
  local targets = lacking(found, self.result)
  for _, one in ipairs(targets) do
    local why = obstacle(one)
    if why then
      return why
    elseif not self.files[one.project] then
      self:prepare_file(one.project, one.path)
      return "going"
    end
  end
  return self:fill(targets, text_of)
end

function placing:fill(targets, text_of)
  local takes, trouble = {}, nil
  for _, one in ipairs(targets) do
    local take, problem = fill.item(one.project, one.item, self.result, self.files[one.project], text_of, self.hint)
    trouble = trouble or problem
    if take then
      takes[#takes + 1] = { project = one.project, take = take }
      self.unsaved:add(one.project, one.path, self.mark, self.result, take)
    end
  end
  if trouble and #takes == 0 then
    return self:fail(trouble)
  end
  local said, problem = placing.say(self.mailbox, self.result, PLACED)
  trouble = trouble or (not said and problem) or nil
  if trouble then
    log.write("job " .. self.result.job .. ": " .. tostring(trouble))
  end
  return "placed", takes
end

function placing:fail(problem)
  placing.say(self.mailbox, self.result, UNPLACED, problem)
  return "failed", problem
end

-- Break off; it begins anew later.
function placing:stop()
  if self.copying then
    self.copying.copy:stop()
    self.copying = nil
  end
end

return placing
