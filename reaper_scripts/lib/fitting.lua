-- Makes placed takes fit, each once: at once where the bridge has measured a take already, else when its status tells what was measured. It
-- is an undo step of its own, so that undo takes the fit back and leaves the take; what a person has undone is not done again.

local import = ...
local copy = import("copy")
local json = import("json")
local memory = import("memory")
local plan = import("fit_plan")
local tag = import("tag")
local undo = import("undo")
local wav = import("wav")

local fitting = {}
fitting.__index = fitting

local TITLE = "DAW Bridge: take fitted"
local DONE, MOST_KEPT = "fitted", 200 -- the list of takes that were fitted, over a restart of REAPER
local PACE, PATIENCE = 1.0, 600 -- s between two looks at a status, and until nobody waits any more
local RENDERING, RECORDING = 0x40000000, 4
local LEAST_GAP = 0.02 -- s
local FADE_IN, FADE_OUT, USUAL = 0.002, 0.010, 0.005 -- s; the usual fade of a placed take gives way

-- Return the queue of a watcher.
function fitting.new(mailbox)
  return setmetatable({ mailbox = mailbox, open = {}, told = {} }, fitting)
end

local function kept()
  return memory.values(DONE).list or {}
end

local function was_done(job)
  for _, name in ipairs(kept()) do
    if name == job then
      return true
    end
  end
  return false
end

local function note_done(job)
  local list = kept()
  table.insert(list, 1, job)
  memory.keep_values(DONE, { list = json.array({ table.unpack(list, 1, MOST_KEPT) }) })
end

-- Take over what was measured of a take before it was placed.
function fitting:tell(result)
  self.told[result.job] = { grid = result.grid, fitted = result.fitted }
end

-- Write into an item what has become of the wish for a take. It is done or given up then.
local function settled(item, data, job, changes)
  local takes = tag.with(data.takes, { [job] = tag.with(data.takes[job], changes) })
  takes[job].waits = nil
  local changed = tag.with(data, { takes = takes })
  tag.write(item, changed)
  return changed
end

-- Look for takes that wait, in all that a walk has found.
function fitting:update(walk)
  local open = {}
  walk:each(function(project, item, data)
    for job, take in pairs(data.takes) do
      if type(take.waits) == "table" and was_done(job) then -- its fit was undone: so it stays
        settled(item, data, job, {})
        walk:wrote(project)
      elseif type(take.waits) == "table" then
        local one = self.open[job] or { job = job, id = data.id, wish = take.waits, since = reaper.time_precise(), files = {} }
        open[job] = one
        one.mark = data.mark
      end
    end
  end)
  self.open = open
end

-- Return what is known of a take: grid, and the copy that fits; or nil while nothing is.
function fitting:measured(one, now)
  if self.told[one.job] and self.told[one.job].grid then
    return self.told[one.job]
  elseif now - (one.read_at or -math.huge) < PACE then
    return nil
  end
  one.read_at = now
  local status = self.mailbox:status(one.id)
  for _, job in ipairs(status and status.jobs or {}) do
    if job.job == one.job and type(job.grid) == "table" then
      return { grid = job.grid, fitted = job.fitted }
    end
  end
end

-- Tell whether a take is as it was placed: what somebody has changed by hand is theirs.
local function is_untouched(take, data)
  local function is(key, value)
    return math.abs(reaper.GetMediaItemTakeInfo_Value(take, key) - value) <= tag.SAME
  end
  return is("D_STARTOFFS", data.position - data.anchor) and is("D_PLAYRATE", 1) and is("D_VOL", 1)
    and reaper.GetTakeNumStretchMarkers(take) == 0
end

local function fade(item, data)
  local noted = data.placing or {}
  for key, seconds in pairs({ D_FADEINLEN = FADE_IN, D_FADEOUTLEN = FADE_OUT }) do
    if not noted.inside and math.abs(reaper.GetMediaItemInfo_Value(item, key) - USUAL) < 1e-9 then
      reaper.SetMediaItemInfo_Value(item, key, math.min(seconds, data.span / 2))
    end
  end
end

local function set_source(take, path)
  local before, source = reaper.GetMediaItemTake_Source(take), reaper.PCM_Source_CreateFromFile(path)
  assert(source and reaper.SetMediaItemTake_Source(take, source), "REAPER cannot read " .. path)
  if before then
    reaper.PCM_Source_Destroy(before)
  end
end

local function apply(item, take, data, made, path)
  local inside = data.position - data.anchor -- of the take, where an edge was drawn in or the item was split
  if made.loop then
    set_source(take, path)
    reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 1)
  end
  reaper.SetMediaItemTakeInfo_Value(take, "B_PPITCH", 1)
  reaper.SetMediaItemTakeInfo_Value(take, "D_PLAYRATE", made.rate)
  reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", inside * made.rate + made.shift)
  reaper.SetMediaItemTakeInfo_Value(take, "D_VOL", made.gain)
  for _, marker in ipairs(made.markers or {}) do
    reaper.SetTakeStretchMarker(take, -1, marker.at - inside, marker.source)
  end
  fade(item, data)
end

-- Fit the takes of one project. ``text_of`` makes the text of an item from its tag.
local function fit_items(list, one, text_of)
  for _, found in ipairs(list) do
    local data, made, take = found.data, found.made, tag.take_of(found.item, one.job)
    if made.changes then
      apply(found.item, take, data, made, one.files[found.project])
    end
    local note = made.changes and "Fitted: " .. table.concat(made.told, ", ") .. "." or nil
    local remarks = table.concat(made.remarks, " ")
    data = settled(found.item, data, one.job, { fit = note and (note .. " " .. remarks) or remarks })
    reaper.GetSetMediaItemInfo_String(found.item, "P_NOTES", text_of(data), true)
    reaper.UpdateItemInProject(found.item)
  end
end

local function busy(project)
  return reaper.EnumProjects(RENDERING) == project or reaper.GetPlayStateEx(project) & RECORDING ~= 0 or undo.can_redo(project)
end

-- A take that is moved and played faster may end before its item does. Return a sentence about that, or nil.
local function gap(data, made, seconds)
  local stop = data.position - data.anchor + data.span
  if not made.changes or made.loop or made.markers or stop > seconds + tag.SAME then
    return nil -- it plays as before, or was too short before
  end
  local left = stop - (seconds - made.shift) / made.rate
  return left > LEAST_GAP and (string.format("It ends %.2f s before its item does.", left):gsub(",", ".")) or nil
end

-- Work out what is to be done in each item that holds the take. Returns a list for each project.
local function plans(one, holders, measured)
  local lists = {}
  for _, found in ipairs(holders) do
    local take = tag.take_of(found.item, one.job)
    local data = tag.follow(found.item, found.data)
    if take and type((data.takes[one.job] or {}).waits) == "table" then
      local source = reaper.GetMediaItemTake_Source(take)
      local rate, frames = wav.size_of(source and reaper.GetMediaSourceFileName(source) or "")
      local inside = data.placing and data.placing.inside
      local wish = tag.with(one.wish, { fitted = not inside and measured.fitted or nil })
      local made = plan.make(found.project, data.anchor, wish, measured.grid, rate and frames / rate or 0)
      if not is_untouched(take, data) then
        made = { changes = false, told = {}, remarks = { "Not fitted: it was changed by hand before it was measured." } }
      end
      made.remarks[#made.remarks + 1] = gap(data, made, rate and frames / rate or 0)
      lists[found.project] = lists[found.project] or {}
      table.insert(lists[found.project], tag.with(found, { data = data, made = made }))
    end
  end
  return lists
end

-- A loop is a file of its own, and goes where the take went. Returns true when it lies there; else this turn was for copying it.
local function bring_loop(one, project, path, file)
  if path == "" or one.files[project] then
    one.files[project] = one.files[project] or file
    return true
  end
  if not one.copying then
    one.copying = copy.start(file, reaper.GetProjectPathEx(project))
  end
  local outcome = one.copying and one.copying:step() or "failed"
  if outcome ~= "going" then
    one.files[project] = outcome == "done" and one.copying.path or file
    one.copying = nil
  end
  return false
end

-- Fit a take wherever it is. Returns false if that has to wait.
local function fit(one, walk, measured, text_of)
  local lists, any = plans(one, walk:holders(one.mark), measured), false
  for project, list in pairs(lists) do
    if busy(project) then
      return false
    end
    for _, found in ipairs(list) do
      if found.made.loop and not bring_loop(one, project, found.path, measured.fitted) then
        return false
      end
      any = any or found.made.changes
    end
  end
  if any then
    note_done(one.job) -- before the step: what is written of it in the project may be undone
  end
  for project, list in pairs(lists) do
    local changes = false
    for _, found in ipairs(list) do
      changes = changes or found.made.changes
    end
    if changes then
      undo.step(project, TITLE, undo.ITEMS, fit_items, list, one, text_of)
    else
      fit_items(list, one, text_of)
    end
    walk:wrote(project)
  end
  return true
end

local function give_up(one, walk)
  for _, found in ipairs(walk:holders(one.mark)) do
    if found.data.takes[one.job] then
      settled(found.item, found.data, one.job, { fit = "Not fitted: it was not measured." })
      walk:wrote(found.project)
    end
  end
end

-- Look once: at most one take is fitted. ``texts:text_of`` gets the id of a request and returns what makes the text of its items.
function fitting:step(walk, texts)
  local now = reaper.time_precise()
  for job, one in pairs(self.open) do
    local measured = walk:is_complete() and self:measured(one, now)
    if measured then
      self.told[job] = measured
      if fit(one, walk, measured, texts:text_of(one.id)) then
        self.open[job], self.told[job] = nil, nil
        return
      end
    elseif now - one.since > PATIENCE then
      give_up(one, walk)
      self.open[job], self.told[job] = nil, nil
    end
  end
end

-- Return how many takes wait to be fitted.
function fitting:count()
  local number = 0
  for _ in pairs(self.open) do
    number = number + 1
  end
  return number
end

-- Break off; it begins anew.
function fitting:stop()
  for _, one in pairs(self.open) do
    if one.copying then
      one.copying:stop()
      one.copying = nil
    end
  end
end

fitting.TITLE = TITLE
return fitting
