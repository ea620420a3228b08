-- The status window: the bridge, money, and the newest jobs with how far they are. It looks twice a second and draws; it
-- changes nothing. With ReaImGui it is a proper window, else one of REAPER's own.

local import = ...
local bridge_wait = import("bridge_wait")
local form = import("form")
local guard = import("guard")
local log = import("log")
local mailbox = import("mailbox")
local names = import("names")
local trap = import("trap")
local version = import("version")
local watcher = import("watcher")
local window = import("window")
local words = import("words")

local status = {}

local PERIOD = 0.5 -- s
local TITLE = "DAW Bridge"
local WIDTH, HEIGHT, ROW = 640, 420, 22
local LONGEST = 100 -- characters of a prompt
local ESCAPE, CLOSED = 27, -1

local function paused_text(paused)
  return type(paused) == "table" and tostring(paused.text) or tostring(paused)
end

-- Return the lines about the bridge. ``runs``: it runs. ``looking``: one that says nothing may only not have seen us yet.
function status.lines(daemon, runs, looking)
  local lines = {}
  if not runs then
    lines[1] = looking and "Looking for the bridge." or "The bridge is not running. Start it: daw-bridge start"
  else
    lines[1] = string.format("Bridge %s. %s", tostring(daemon.version), form.headline(daemon))
    if daemon.paused then
      lines[#lines + 1] = "Paused: " .. paused_text(daemon.paused)
    end
    if daemon.version ~= version then
      lines[#lines + 1] = "The scripts are version " .. version .. ". Run: daw-bridge install reaper"
    end
  end
  local problem = log.last()
  if problem ~= "" then
    lines[#lines + 1] = "Last problem here: " .. problem
  end
  return lines
end

-- Return what the window shows: head lines, and rows {text, fraction}. ``since`` is when it began to look, by REAPER's clock.
function status.content(box, since)
  local daemon, rows = box:daemon(), {}
  local lines = status.lines(daemon, mailbox.is_fresh(daemon), bridge_wait.may_come(box, since))
  for _, job in ipairs(daemon and daemon.jobs or {}) do
    local text = string.format("%s  %s", words.state(job), names.short(tostring(job.prompt or ""), LONGEST))
    if type(job.problem) == "table" then
      text = text .. "  " .. words.problem(job.problem, job.charge):gsub("\n", " ")
    end
    rows[#rows + 1] = { text = text, fraction = tonumber(job.fraction) or 0, ended = words.is_ended(job) }
  end
  return { lines = lines, rows = rows }
end

-- A job that was asked for again elsewhere is open, and nobody here knows yet.
function status.wake(box)
  status.wake_for(box:daemon())
end

-- The same, with what the bridge has said of itself.
function status.wake_for(daemon)
  if guard.is_claimed() then
    return
  end
  for _, job in ipairs((daemon or {}).jobs or {}) do
    if not words.is_ended(job) then
      return watcher.ensure()
    end
  end
end

local function draw(content)
  gfx.set(0.13, 0.13, 0.14)
  gfx.rect(0, 0, gfx.w, gfx.h, true)
  local y = 8
  gfx.set(0.9, 0.9, 0.9)
  for _, text in ipairs(content.lines) do
    gfx.x, gfx.y = 8, y
    gfx.drawstr(text)
    y = y + ROW
  end
  for _, row in ipairs(content.rows) do
    y = y + 2
    if not row.ended then
      gfx.set(0.2, 0.35, 0.5)
      gfx.rect(8, y, (gfx.w - 16) * row.fraction, ROW - 2, true)
    end
    gfx.set(0.9, 0.9, 0.9)
    gfx.x, gfx.y = 12, y + 2
    gfx.drawstr(row.text)
    y = y + ROW
  end
  gfx.update()
end

local function plain(box)
  local since = reaper.time_precise()
  gfx.init(TITLE, WIDTH, HEIGHT)
  gfx.setfont(1, "Arial", 15)
  local due = 0
  local function loop()
    local key = gfx.getchar()
    if key == CLOSED or key == ESCAPE then
      return gfx.quit()
    end
    local now = reaper.time_precise()
    if now >= due then
      due = now + PERIOD
      trap.quiet(function()
        draw(status.content(box, since))
        status.wake(box)
      end)
    end
    reaper.defer(loop)
  end
  loop()
end

function status.run()
  if reaper.set_action_options then
    reaper.set_action_options(1)
  end
  local box, problem = mailbox.open()
  if not box then
    return reaper.MB(problem, TITLE, 0)
  end
  watcher.ensure()
  if window.is_possible() then
    local since = reaper.time_precise()
    return window.status(function()
      status.wake(box)
      return status.content(box, since)
    end, PERIOD)
  end
  plain(box)
end

return status
