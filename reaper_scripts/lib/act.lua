-- Does what was chosen of lib/choices.lua: asks where it costs, tells the bridge, and has the answer looked for.

local import = ...
local answers = import("answers")
local discard = import("discard")
local files = import("files")
local tag = import("tag")
local watcher = import("watcher")

local act = {}

local TITLE, YES_NO, YES = "DAW Bridge", 4, 6
local CLEAN = "DAW Bridge: remove empty items"
local NO_WAIT = -2 -- for ExecProcess: do not wait, show no window of a terminal

local function quoted(path)
  return '"' .. path:gsub('"', '\\"') .. '"'
end

-- Show a file in the program that the system has for folders.
function act.reveal(path)
  local system = reaper.GetOS()
  if system:match("^Win") then
    return reaper.ExecProcess("explorer.exe /select," .. quoted(path), NO_WAIT)
  elseif system:match("^OSX") or system:match("^macOS") then
    return reaper.ExecProcess("/usr/bin/open -R " .. quoted(path), NO_WAIT)
  end
  local _, folder = files.split(path)
  return reaper.ExecProcess("/usr/bin/xdg-open " .. quoted(folder), NO_WAIT)
end

-- Return what the bridge is told of a job, or nil if the person has given nothing.
local function body_of(choice, job)
  local body = tag.with(choice.more or {}, { job = job, confirm_usd = choice.usd })
  if choice.asks then
    local agreed, text = reaper.GetUserInputs(TITLE, 1, choice.asks .. ",extrawidth=240", "")
    text = text:match("^%s*(.-)%s*$")
    if not agreed or text == "" then
      return nil
    end
    body.remote_id = text
  end
  return body
end

-- The item waits for what was just asked for. ``id`` is the new request, if it is one.
local function wait_again(found, id)
  local data = tag.read(found.item)
  if data then
    tag.write(found.item, tag.with(data, { id = id or data.id, closed = false }))
  end
end

local function tell_bridge(box, choice, found)
  local jobs, first = #choice.jobs > 0 and choice.jobs or { false }, nil
  for _, job in ipairs(jobs) do
    local body = job and body_of(choice, job) or {}
    if job and not body.job then
      return false
    end
    local uuid, problem = box:command(choice.command, body)
    if not uuid then
      reaper.MB("The bridge could not be asked: " .. tostring(problem) .. ". Nothing was sent, nothing was spent.", TITLE, 0)
      return false
    end
    first = first or uuid
    answers.expect(uuid)
  end
  if found and choice.command ~= "cancel" then
    wait_again(found, (choice.new or choice.key == "submit_again") and first or nil)
  end
  watcher.ensure()
  return true
end

-- Do what was chosen. ``found``: the item that it is about, or nil. Returns true where it was done.
function act.run(box, choice, found)
  if choice.question and reaper.MB(choice.question .. "\n\nGo on?", TITLE, YES_NO) ~= YES then
    return false
  elseif choice.key == "reveal" then
    act.reveal(choice.file)
    return true
  elseif choice.key == "clean" then
    return discard.items(choice.dead[1].project, choice.dead, CLEAN) > 0
  end
  return tell_bridge(box, choice, found)
end

return act
