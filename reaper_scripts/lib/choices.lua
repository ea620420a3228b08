-- What a person can do about a job, an item or the bridge now: a list for a menu or a row of buttons, with what each choice costs. What
-- is chosen is done by lib/act.lua.
--
-- A choice: ``key`` (what it is), ``text``, ``jobs`` (those it is about), ``question`` (to be answered with yes before it is done, where
-- money or somebody's work is at stake), ``command`` and ``more`` (what the bridge is told), ``usd`` (what each job may cost).

local import = ...
local form = import("form")
local tag = import("tag")
local words = import("words")

local choices = {}

local NOT_SENT = { queued = true, preparing = true, held = true }
local SENT = { submitting = true, generating = true, fetching = true }
local OVER = { failed = true, refused = true, cancelled = true, dismissed = true }
local SHORT = { held = "held", unknown = "unknown" }
local KEPT = { stored = true, held = true, unknown = true } -- more may come of these

-- Return what the heartbeat tells of a job that a status has named: its price and its file; {} if it tells nothing.
local function listed(daemon, job)
  for _, one in ipairs(daemon and daemon.jobs or {}) do
    if one.job == job then
      return one
    end
  end
  return {}
end

local function price_of(job, daemon)
  return tonumber(job.usd) or tonumber(listed(daemon, job.job).usd) or tonumber(daemon and daemon.price_usd)
end

local function dollars(usd)
  return usd and form.dollars(usd) or "an unknown price"
end

-- Of a job that the service may have taken: what is known of it at the service.
local function about_account(usd)
  local money = dollars(usd)
  return {
    { key = "attach", text = "I found it in my account at the service: follow it, free", command = "resolve",
      more = { action = "attach" }, asks = "Id of the job at the service" },
    { key = "charged", text = "close it: my account says that it was charged; " .. money .. " stays spent", command = "resolve",
      more = { action = "dismiss", charged = true } },
    { key = "not_charged", text = "close it: my account says that it was not charged; " .. money .. " is free again", command = "resolve",
      more = { action = "dismiss", charged = false },
      question = "Only your account at the service can tell. Are you sure that this was not charged?" },
  }
end

local function about_unknown(usd)
  local money, list = dollars(usd), about_account(usd)
  table.insert(list, 1, { key = "submit_again", text = "send it again; it may cost " .. money .. " a second time", command = "resolve",
    usd = usd, more = { action = "submit_again", again = true },
    question = "Nobody knows whether this was charged already. Sending it again costs " .. money .. ", perhaps a second time." })
  return list
end

-- Of a job that was charged and that the service does not find.
local function about_lost(usd)
  local list = about_account(usd)
  table.insert(list, 1, { key = "look", text = "look for it again now, free", command = "retry" })
  return list
end

-- Return the choices for one job, as a status or the heartbeat tells it. ``here``: its take is where it belongs.
function choices.of_job(job, daemon, here)
  local usd, list = price_of(job, daemon), {}
  if job.state == "unknown" then
    list = about_unknown(usd)
  elseif (job.state == "generating" or job.state == "fetching") and type(job.problem) == "table" then
    list = about_lost(usd)
  elseif job.state == "held" then
    list[1] = { key = "retry", text = "send it now, for " .. dollars(usd), command = "retry", usd = usd, more = { again = true },
      question = "This costs " .. dollars(usd) .. "." }
  elseif OVER[job.state] then
    list[1] = { key = "retry", text = "ask for it anew, for " .. dollars(usd), command = "retry", usd = usd, more = { again = true },
      new = true, question = "A new take is made; this costs " .. dollars(usd) .. "." }
  elseif (job.state == "stored" or job.state == "placed") and not here then
    list[1] = { key = "deliver", text = "place the take again, free", command = "deliver" }
  end
  if NOT_SENT[job.state] and job.wanted ~= false then
    list[#list + 1] = { key = "cancel", text = "cancel it; nothing was spent", command = "cancel" }
  elseif SENT[job.state] and job.wanted ~= false then
    list[#list + 1] = { key = "cancel", text = "do not place it; the money is spent, the take is kept", command = "cancel" }
  end
  local file = job.file or listed(daemon, job.job).file
  if file then
    list[#list + 1] = { key = "reveal", text = "show the file of the take", file = file }
  end
  for _, one in ipairs(list) do
    one.jobs, one.text = { job.job }, (OVER[job.state] and job.state or SHORT[job.state] or words.state(job)) .. ": " .. one.text
  end
  return list
end

-- Return the choices for the bridge as a whole.
function choices.of_bridge(daemon)
  if daemon and daemon.paused then
    return { { key = "resume", text = "the bridge is paused: send again", command = "resume", jobs = {} } }
  end
  return { { key = "pause", text = "pause the bridge: nothing more is sent", command = "pause", jobs = {} } }
end

-- Put the same choice for several jobs into one.
local function merge(list)
  local merged, by_text = {}, {}
  for _, one in ipairs(list) do
    local name = one.key .. one.text
    local known = one.key ~= "attach" and by_text[name]
    if known then
      known.jobs[#known.jobs + 1] = one.jobs[1]
    else
      by_text[name] = one
      merged[#merged + 1] = one
    end
  end
  for _, one in ipairs(merged) do
    if #one.jobs > 1 then
      local sum = one.usd and ", " .. form.dollars(one.usd * #one.jobs) .. " together" or ""
      one.text = string.format("%s (%d times%s)", one.text, #one.jobs, sum)
      one.question = one.question and one.question .. string.format(" There are %d of them%s.", #one.jobs, sum)
    end
  end
  return merged
end

-- Return the choices for an item of ours. ``found``: project, item, data. ``status`` is what its request's status says, or nil.
function choices.of_item(found, status, daemon)
  local list = {}
  for _, job in ipairs(status and status.jobs or {}) do
    for _, one in ipairs(choices.of_job(job, daemon, tag.take_of(found.item, job.job) ~= nil)) do
      list[#list + 1] = one
    end
  end
  return merge(list)
end

-- Tell whether nothing will ever come into an item by itself, and nothing did.
function choices.is_dead(found, status)
  if reaper.CountTakes(found.item) > 0 or not found.data.closed then
    return false
  end
  for _, job in ipairs(status and status.jobs or {}) do
    if KEPT[job.state] then
      return false
    end
  end
  return true
end

-- Return the choice that cleans up, for the dead items of a project; or nil if there are none.
function choices.to_clean(dead)
  if #dead == 0 then
    return nil
  end
  local text = string.format("remove the empty items of DAW Bridge from this project (%d)", #dead)
  return { key = "clean", text = text, jobs = {}, dead = dead,
    question = string.format("This removes %d empty items, and the tracks that were made for them. Undo brings them back.", #dead) }
end

return choices
