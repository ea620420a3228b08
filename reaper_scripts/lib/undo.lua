-- @noindex
-- One change, one undo step: whatever happens inside, the block is closed and the screen drawn again in the same tick.

local undo = {}

undo.ITEMS = 4
undo.TRACKS_AND_ITEMS = 1 | 4

-- Run ``change`` as one undo step of a project. Errors pass through after the step is closed.
function undo.step(project, title, flags, change, ...)
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

-- Tell whether the person has undone something that can be redone.
function undo.can_redo(project)
  return (reaper.Undo_CanRedo2(project) or "") ~= ""
end

return undo
