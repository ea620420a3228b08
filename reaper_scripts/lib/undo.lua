-- One change, one undo step: whatever happens inside, the block is closed and the screen drawn again in the same tick.

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
  reaper.Undo_BeginBlock2(project)
  reaper.PreventUIRefresh(1)
  local result = table.pack(xpcall(change, debug.traceback, ...))
  reaper.PreventUIRefresh(-1)
  reaper.Undo_EndBlock2(project, title, flags)
  reaper.UpdateArrange()
  if not result[1] then
    error(result[2], 0)
  end
  return table.unpack(result, 2, result.n)
end

-- Take back a step of ours, where it is the last one. What can be redone then is nobody's.
function undo.take_back(project, title)
  if reaper.Undo_CanUndo2(project) == title then
    reaper.Undo_DoUndo2(project)
    reaper.SetExtState(SECTION, own(project), title, false)
  end
end

-- Tell whether the person has undone something that can be redone.
function undo.can_redo(project)
  local title = reaper.Undo_CanRedo2(project) or ""
  return title ~= "" and title ~= reaper.GetExtState(SECTION, own(project))
end

return undo
