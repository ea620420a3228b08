-- One change, one undo step: whatever happens inside, the block is closed and the screen drawn again in the same tick.

local import = ...
local listen = import("listen")

local undo = {}

local SECTION = "DAW Bridge"

undo.ITEMS = 4
undo.TRACKS_AND_ITEMS = 1 | 4

local function own(project)
  return "own redo " .. tostring(project)
end

-- Run ``change`` as one undo step of a project. Errors pass through after the step is closed.
function undo.step(project, title, flags, change, ...)
  reaper.SetExtState(SECTION, own(project), "", false)
  listen.sweep(project) -- else an undo would bring the hidden track back
  reaper.Undo_BeginBlock2(project)
  reaper.PreventUIRefresh(1)
  local result = table.pack(xpcall(change, debug.traceback, ...))
  reaper.PreventUIRefresh(-1)
  reaper.Undo_EndBlock2(project, title, flags)
  undo.last = { project = project, title = title, count = reaper.GetProjectStateChangeCount(project) }
  reaper.UpdateArrange()
  if not result[1] then
    error(result[2], 0)
  end
  return table.unpack(result, 2, result.n)
end

-- Take back the step that was made just now in this script, if it is proved to be the last one: by its title and by the count of the
-- project's changes, which has not moved since. What can be redone then is nobody's. Tells whether it was taken back.
function undo.take_back(project, title)
  local last = undo.last or {}
  local ours = last.project == project and last.title == title and last.count == reaper.GetProjectStateChangeCount(project)
  if not ours or reaper.Undo_CanUndo2(project) ~= title then
    return false
  end
  reaper.Undo_DoUndo2(project)
  reaper.SetExtState(SECTION, own(project), title, false)
  return true
end

-- Tell whether the person has undone something that can be redone.
function undo.can_redo(project)
  local title = reaper.Undo_CanRedo2(project) or ""
  return title ~= "" and title ~= reaper.GetExtState(SECTION, own(project))
end

return undo
