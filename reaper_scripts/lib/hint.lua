-- A line beside the mouse that needs no answer, for what takes some seconds.

local hint = {}

local DISTANCE = 16 -- pixels

-- Show a line until another one is shown or it is hidden.
function hint.show(text)
  local x, y = reaper.GetMousePosition()
  reaper.TrackCtl_SetToolTip(text, x + DISTANCE, y + DISTANCE, true)
end

-- Show nothing any more.
function hint.hide()
  reaper.TrackCtl_SetToolTip("", 0, 0, false)
end

-- Show a line for some seconds.
function hint.show_for(text, seconds)
  local stop = reaper.time_precise() + seconds
  hint.show(text)
  reaper.atexit(hint.hide)
  local function wait()
    if reaper.time_precise() < stop then
      reaper.defer(wait)
    end
  end
  reaper.defer(wait)
end

return hint
