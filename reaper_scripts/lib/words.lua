-- What is said of a request: in the text of its item, and in the status window.

local import = ...
local parameters = import("parameters")

local words = {}

local ENDED = { placed = true, cancelled = true, refused = true, failed = true, dismissed = true }
local STATES = {
  queued = "waits for its turn",
  preparing = "prepares the source",
  submitting = "is being sent",
  generating = "generating",
  fetching = "fetching the take",
  stored = "the take is ready",
  placed = "placed",
  held = "held: it waits for you",
  cancelled = "cancelled",
  refused = "refused by the service, not charged",
  failed = "failed",
  unknown = "unknown: it may have been charged, and is not sent again by itself",
  dismissed = "closed",
}
local ELSEWHERE = "placed, and not here: in another project, or it was undone.\nThe action Place unplaced takes brings it here, free"
local ALMOST = { queued = true, preparing = true, submitting = true, generating = true, fetching = true }

-- Tell whether nothing more will come of a job by itself. A take that was cancelled after it was charged, or that could not be placed,
-- stays "stored".
function words.is_ended(job)
  if job.state == "stored" then
    return job.wanted == false or type(job.problem) == "table"
  end
  return ENDED[job.state] == true
end

-- Tell whether a cancel stops something of a job. One that is paid and there only waits for its place; what is unknown is done already.
function words.can_be_cancelled(job)
  return (ALMOST[job.state] or job.state == "held") and job.wanted ~= false
end

-- Tell whether nothing more will come of a request by itself.
function words.all_ended(status)
  if status.refused then
    return true
  end
  for _, job in ipairs(status.jobs or {}) do
    if not words.is_ended(job) then
      return false
    end
  end
  return #(status.jobs or {}) > 0
end

-- Return a job's state in words.
function words.state(job)
  local text = STATES[job.state] or tostring(job.state)
  local fraction = tonumber(job.fraction) or 0
  if ALMOST[job.state] and fraction > 0 and fraction < 1 then
    text = string.format("%s %d %%", text, math.floor(fraction * 100))
  end
  if job.wanted == false and job.charge ~= "none" then
    text = "cancelled after it was sent: the money is spent, the take is kept in the library"
  end
  return text
end

local MONEY = {
  none = "Nothing was spent.",
  possible = "Perhaps spent: it counts against your limits until you say more.",
  confirmed = "It is spent.",
}

-- Return a problem {code, text or message, next} in words: what happened, what is known of the money, and what is next. ``charge`` is
-- that of its job; a refusal has its own.
function words.problem(problem, charge)
  local text = tostring(problem.code) .. ": " .. tostring(problem.text or problem.message)
  local money = MONEY[charge or problem.charge or "none"] or ""
  if money == MONEY.none and text:lower():find("nothing was [%a ]*spent") then
    money = "" -- it is said already
  end
  local parts = { money == "" and text or (text .. "\n" .. money) }
  if problem.next and problem.next ~= "" then
    parts[#parts + 1] = tostring(problem.next)
  end
  return table.concat(parts, "\n")
end

local KEYS = { "action", "preset" }
for _, one in ipairs(parameters) do
  KEYS[#KEYS + 1] = one.sound and one.key or nil
end

words.KEYS = KEYS -- of what the notes of an item tell

local function sorted_takes(data)
  local list = {}
  for job, take in pairs(data.takes) do
    list[#list + 1] = { job = job, seed = take.seed, order = take.order or 0, fit = take.fit }
  end
  table.sort(list, function(a, b) return a.order < b.order end)
  return list
end

-- Return what is known for good of the takes of an item: prompt, parameters, seeds.
function words.notes(data)
  local lines = { data.prompt }
  lines[2] = data.source and "made from " .. data.source
  local values = {}
  for _, key in ipairs(KEYS) do
    local value = data.values and data.values[key]
    if value ~= nil then
      values[#values + 1] = key .. " " .. tostring(value)
    end
  end
  if #values > 0 then
    lines[#lines + 1] = table.concat(values, ", ")
  end
  for number, take in ipairs(sorted_takes(data)) do
    lines[#lines + 1] = string.format("take %d: seed %s, job %s", number, tostring(take.seed), take.job)
    lines[#lines + 1] = take.fit and take.fit ~= "" and take.fit or nil
  end
  for _, remark in ipairs(data.remarks or {}) do
    lines[#lines + 1] = remark
  end
  return table.concat(lines, "\n")
end

local function count(takes)
  local number = 0
  for _ in pairs(takes) do
    number = number + 1
  end
  return number
end

words.count = count

local DEAD_ENDS = { held = true, failed = true, refused = true, unknown = true }
local WAY_OUT = "What you can do: the action Menu of the selected item"

local function job_lines(data, status)
  local lines, seen = {}, {}
  for _, job in ipairs(status.jobs or {}) do
    if not data.takes[job.job] then
      local line = job.state == "placed" and ELSEWHERE or words.state(job)
      if type(job.problem) == "table" then
        line = line .. "\n" .. words.problem(job.problem, job.charge)
      end
      if DEAD_ENDS[job.state] then
        line = line .. "\n" .. WAY_OUT
      end
      if not seen[line] then
        seen[line] = true
        lines[#lines + 1] = line
      end
    end
  end
  return lines
end

-- Return the text of an item: how far it is, then what is known for good. ``status`` is nil while there is no answer.
function words.of_item(data, status, hint)
  local lines = {}
  local here = count(data.takes)
  if here > 0 and here < (data.variations or 1) then
    lines[1] = string.format("%d of %d takes are here", here, data.variations)
  end
  if status and status.refused then
    lines[#lines + 1] = "Not sent. " .. words.problem(status.refused)
  elseif status then
    for _, line in ipairs(job_lines(data, status)) do
      lines[#lines + 1] = line
    end
  end
  if hint then
    lines[#lines + 1] = hint
  end
  if #lines == 0 then
    return words.notes(data)
  end
  lines[1] = "DAW Bridge: " .. lines[1]
  return table.concat(lines, "\n") .. "\n\n" .. words.notes(data)
end

return words
