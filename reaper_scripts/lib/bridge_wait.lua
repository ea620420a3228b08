-- @noindex
-- Waits until the bridge says that it runs. Nothing is sent to a bridge that does not: it would be sent, and paid, whenever
-- somebody starts it.

local import = ...
local files = import("files")
local mailbox = import("mailbox")
local trap = import("trap")

local bridge_wait = {}

local PATIENCE = 4.0 -- s; it answers a new client within two
local DOWN = "The bridge is not running. Start it in a terminal (daw-bridge run) and press again.\n\n"
  .. "Nothing was sent, nothing was spent."

local function running(box)
  local daemon = box:daemon()
  if mailbox.is_fresh(daemon) then
    return daemon
  end
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
  local function look()
    daemon = running(box)
    if daemon then
      return trap.action(go_on, daemon)
    elseif reaper.time_precise() > until_when then
      return trap.action(give_up, DOWN)
    end
    reaper.defer(look)
  end
  reaper.defer(look)
end

return bridge_wait
