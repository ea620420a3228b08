-- "Place unplaced takes": takes that no open project waits for, placeholders whose take was undone or went elsewhere, and what could
-- not be placed. Nothing here costs anything. The person chooses; only then something is placed, in the active project.

local import = ...
local files = import("files")
local json = import("json")
local mailbox = import("mailbox")
local menu = import("menu")
local placeholder = import("placeholder")
local placing = import("placing")
local request = import("request")
local tabs = import("tabs")
local tag = import("tag")
local undo = import("undo")
local watcher = import("watcher")

local unplaced = {}

local SECTION = "DAW Bridge"

local function label(title, place, why)
  local position = tonumber(place.position)
  local where = place.project and " from " .. place.project or ""
  local at = position and string.format(" at %d:%06.3f", position // 60, position % 60) or ""
  return tostring(title) .. at .. where .. ": " .. why
end

local function has_holder(mark, id)
  return #tabs.search(function(data) return data.mark == mark or data.id == id end) > 0
end

-- Takes in the outbox that no tab holds a placeholder for.
local function waiting(box, list)
  for _, name in ipairs(files.list(box.outbox)) do
    local result = mailbox.result_of(name) and box:result(name)
    local mark = result and (request.token_of(result.place) or result.id)
    if result and not has_holder(mark, result.id) then
      local why = "its project is not open, or its item was deleted"
      list[#list + 1] = { text = label(result.name, result.place, why), mark = mark, result = result }
    end
  end
end

-- Placeholders here whose take is said to be placed or kept.
local function empty(box, list)
  local known = {}
  for _, found in ipairs(tabs.search(function() return true end)) do
    local status = box:status(found.data.id)
    for _, job in ipairs(status and status.jobs or {}) do
      local kept = job.state == "placed" or (job.state == "stored" and type(job.problem) == "table")
      if kept and not known[job.job] and not tag.take_of(found.item, job.job) then
        known[job.job] = true
        local why = job.state == "placed" and "not in its item (undone, or in another project)" or "could not be placed"
        list[#list + 1] = { text = label(found.data.prompt, { position = found.data.position }, why), job = job.job, found = found }
      end
    end
  end
end

-- Takes that wait for the person's next edit, since there is something to redo.
local function held_back(box, list)
  for _, name in ipairs(files.list(box.outbox)) do
    local result = mailbox.result_of(name) and box:result(name)
    local mark = result and request.token_of(result.place)
    local found = mark and tabs.search(function(data) return data.mark == mark end) or {}
    if found[1] and undo.can_redo(found[1].project) and not tag.take_of(found[1].item, result.job) then
      list[#list + 1] = { text = label(result.name, result.place, "placing it ends what you can redo"), now = mark }
    end
  end
end

-- Takes that were placed in projects that were never saved.
local function lost(box, list)
  for _, name in ipairs(files.list(box.unsaved)) do
    local text = name:match("%.json$") and files.read(files.join(box.unsaved, name))
    local data = text and json.decode(text)
    if type(data) == "table" and data.mark and data.place and not has_holder(data.mark, data.id) then
      local why = "its project was not saved after it was placed"
      list[#list + 1] = { text = label(data.title, data.place, why), mark = data.mark, result = data, job = data.job, file = name }
    end
  end
end

local function make_place(project, one, made)
  local result = one.result
  if made[one.mark] then
    return -- the other variations of the same request come into the same item
  end
  made[one.mark] = true
  local place = result.place
  local _, guid = request.token_of(place)
  local track = guid and tabs.track(project, guid)
  local rate, frames = tonumber(result.rate), tonumber(result.frames)
  placeholder.create({
    project = project,
    tracks = { track },
    track = track and "same" or "new",
    name = tostring(place.track or result.name or result.title or SECTION),
    position = tonumber(place.position) or reaper.GetCursorPositionEx(project),
    length = tonumber(place.length) or (rate and frames and frames / rate) or 30,
  }, {
    mark = one.mark,
    id = result.id or one.mark,
    prompt = tostring(result.name or result.title),
    values = {},
    variations = result.variations or 1,
  }, "DAW Bridge: a take is on its way")
end

-- A take is brought again: what was said of its last delivery does not count for the next one.
local function bring(box, one)
  placing.let_end_redo(one.mark or one.found.data.mark)
  if one.found and one.found.data.closed then
    tag.write(one.found.item, tag.with(one.found.data, { closed = false }))
  end
  local done, problem = box:command("deliver", { job = one.job })
  if not done then
    reaper.MB("The bridge could not be asked: " .. tostring(problem), SECTION, 0)
  elseif one.file then
    files.remove(files.join(box.unsaved, one.file))
  end
end

function unplaced.run()
  local box, problem = mailbox.open()
  if not box then
    return reaper.MB(problem, SECTION, 0)
  end
  local list = {}
  waiting(box, list)
  held_back(box, list)
  empty(box, list)
  lost(box, list)
  if #list == 0 then
    return reaper.MB("No take waits to be placed.", SECTION, 0)
  end
  local project, made = reaper.EnumProjects(-1), {}
  local chosen = menu.choose_some("Place into this project", list)
  for _, one in ipairs(chosen) do
    if one.now then
      placing.let_end_redo(one.now)
    end
    if one.mark then
      make_place(project, one, made)
    end
    if one.job then
      bring(box, one)
    end
  end
  if #chosen > 0 then
    watcher.ensure()
  end
end

return unplaced
