-- Puts a take into an item, as one undo step, and reads back what stands there.

local import = ...
local discard = import("discard")
local lanes = import("lanes")
local names = import("names")
local plan = import("fit_plan")
local settle = import("settle")
local tag = import("tag")
local undo = import("undo")
local wav = import("wav")
local words = import("words")

local fill = {}

local TITLE = "DAW Bridge: take placed"
local LONGEST_NAME = 200 -- characters of the name of a take: REAPER writes it on one line

local function is_near(a, b, tolerance)
  return math.abs(a - b) <= tolerance
end

-- Return what is wrong with a file, or nil. Its own head tells how long it is: REAPER may say 0 of a source that was just made.
local function problem_of(path, result)
  local rate, frames = wav.size_of(path)
  local known = tonumber(result.rate) and tonumber(result.frames)
  if not rate or frames < 1 or known and (rate ~= result.rate or math.abs(frames - result.frames) > 1) then
    return string.format("%s is not the take that was announced (%.6f s)", path, rate and frames / rate or 0)
  end
end

-- Return the file as a source, or nil and why it is none.
local function open_source(path, result)
  local problem = problem_of(path, result)
  local source = not problem and reaper.PCM_Source_CreateFromFile(path)
  return source or nil, problem or "REAPER cannot read " .. path
end

local function write_tags(item, take, data, result, remarks)
  local takes = {}
  for job, known in pairs(data.takes) do
    takes[job] = known
  end
  takes[result.job] = { delivery = result.delivery, seed = result.seed, order = words.count(data.takes) + 1, waits = plan.wish(result) }
  tag.write_take(take, result.job, result.delivery)
  local changed = tag.with(data, { takes = takes, remarks = #remarks > 0 and remarks or data.remarks })
  tag.write(item, changed)
  return changed
end

-- The take goes into the item that it was made of, and its placeholder goes.
local function move_into(project, target, item, data)
  tag.write(target, data)
  reaper.DeleteTrackMediaItem(reaper.GetMediaItemTrack(item), item)
  discard.track(project, data.new_track)
end

-- Returns what went wrong, or nil.
local function add(project, item, data, result, source, text_of, placeholder, hint)
  local first = reaper.CountTakes(item) == 0
  if placeholder then
    move_into(project, item, placeholder, data)
  end
  local take = reaper.AddTakeToMediaItem(item)
  if not reaper.SetMediaItemTake_Source(take, source) then
    reaper.PCM_Source_Destroy(source)
    return "REAPER did not take the source"
  end
  reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", data.position - data.anchor)
  reaper.SetMediaItemTakeInfo_Value(take, "D_PLAYRATE", 1)
  reaper.GetSetMediaItemTakeInfo_String(take, "P_NAME", names.short(tostring(result.name or data.prompt), LONGEST_NAME), true)
  if not data.placing or not data.placing.inside then -- else the other takes of the item may be looped
    reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 0)
  end
  local remarks = {}
  if placeholder then
    reaper.SetActiveTake(take)
  elseif first then -- later ones do not take over while somebody listens
    reaper.SetMediaItemInfo_Value(item, "I_CUSTOMCOLOR", 0)
    reaper.SetActiveTake(take)
    remarks = settle.around(project, item, data)
    remarks[#remarks + 1] = not data.silent and lanes.play(item) or nil
  end
  remarks[#remarks + 1] = hint
  local changed = write_tags(item, take, data, result, remarks)
  reaper.GetSetMediaItemInfo_String(item, "P_NOTES", text_of(changed), true)
  reaper.UpdateItemInProject(item)
end

-- Return what is wrong with a take that was placed, or nil.
local function read_back(item, data, result, path)
  local take = tag.take_of(item, result.job)
  if not take then
    return "the item has no such take"
  end
  local source = reaper.GetMediaItemTake_Source(take)
  if not source or reaper.GetMediaSourceFileName(source):gsub("\\", "/") ~= path:gsub("\\", "/") then
    return "the take has another file"
  end
  local position, length = tag.bounds(item)
  local offset = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
  if not (is_near(position, data.position, tag.SAME) and is_near(length, data.span, tag.SAME)) then
    return "the item has moved"
  elseif not is_near(offset, data.position - data.anchor, tag.SAME) then
    return "the take begins elsewhere"
  elseif not (data.placing and data.placing.inside) and reaper.GetMediaItemInfo_Value(item, "B_LOOPSRC") ~= 0 then
    return "the take is looped"
  end
end

-- Put a take into an item. ``text_of`` makes the item's text from its tag, ``hint`` is said in it, too. Returns the take, or nil and why
-- not; then the item is as it was.
function fill.item(project, item, result, path, text_of, hint)
  local source, problem = open_source(path, result)
  if not source then
    return nil, problem
  end
  local data, placeholder = tag.follow(item, tag.read(item)), nil
  local rate, frames = wav.size_of(path)
  local target = settle.target(project, item, data, frames / rate)
  if target then
    item, placeholder, data = target, item, tag.with(data, { placing = tag.with(data.placing, { inside = true }) })
  end
  local _, wrong = pcall(undo.step, project, TITLE, undo.TRACKS_AND_ITEMS, add, project, item, data, result, source, text_of, placeholder,
    hint)
  wrong = wrong or read_back(item, data, result, path)
  if wrong then
    local gone = undo.take_back(project, TITLE)
    return nil, tostring(wrong) .. (gone and "" or "; what was begun in the item stays, since other changes came after it")
  end
  return (tag.take_of(item, result.job))
end

return fill
