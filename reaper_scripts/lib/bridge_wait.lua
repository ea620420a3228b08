-- Waits until the bridge says that it runs. Nothing is sent to a bridge that does not: it would be sent, and paid, whenever
-- somebody starts it.

local import = ...
local files = import("files")
local hint = import("hint")
local mailbox = import("mailbox")
local trap = import("trap")

local bridge_wait = {}

local PATIENCE = 15.0 -- s; it finds a new client within ten where the system tells it nothing
local WAITS = "DAW Bridge: looking for the bridge"
local DOWN = "The bridge is not running. Start it in a terminal (daw-bridge start), or from the panel, and press again.\n\n"
  .. "Nothing was sent, nothing was spent."

local function running(box)
  local daemon = box:daemon()
  if mailbox.is_fresh(daemon) then
    return daemon
  end
end

-- Tell whether a bridge that has said nothing may only not have seen us yet. ``since`` is when we began to look, by REAPER's clock.
function bridge_wait.may_come(box, since)
  return reaper.time_precise() - since < PATIENCE and files.exists(files.join(box.home, "runtime.json"))
end

-- Call ``go_on`` with what the bridge says of itself, now or within some seconds; or ``give_up`` with a sentence for a person.
function bridge_wait.wait(box, go_on, give_up)
  local daemon = running(box)
  if daemon then
    return go_on(daemon)
  elseif not files.exists(files.join(box.home, "runtime.json")) then
    return give_up(DOWN)
  end
  local until_when = reaper.time_precise() + PATIENCE
  hint.show(WAITS)
  local function look()
    daemon = running(box)
    if daemon then
      hint.hide()
      return trap.action(go_on, daemon)
    elseif reaper.time_precise() > until_when then
      hint.hide()
      return trap.action(give_up, DOWN)
    end
    reaper.defer(look)
  end
  reaper.defer(look)
end

return bridge_wait
