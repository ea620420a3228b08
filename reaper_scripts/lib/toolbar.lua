-- The state of an action that a toolbar shows: lit while its script runs.

local toolbar = {}

local MAIN = 0

-- Show that the script that runs now is on or off. Returns its command, to be given back when it ends.
function toolbar.show(on, command)
  if not command then
    local _, _, section, number = reaper.get_action_context()
    command = section == MAIN and number or -1
  end
  if command > 0 then
    reaper.SetToggleCommandState(MAIN, command, on and 1 or 0)
    reaper.RefreshToolbar2(MAIN, command)
  end
  return command
end

return toolbar
