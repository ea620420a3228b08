-- One interface for the ways to capture a selection: start, step in each tick, stop.

local import = ...
local dry = import("dry")
local files = import("files")
local render = import("render")
local request = import("request")

local capture = {}

local DRY_RATE = 44100 -- of sources of the service
local KEPT_DAYS = 30

-- Begin to capture. ``how`` is "heard", "no fx" or "dry". Returns the capture with its path, or nil and why not.
function capture.start(how, selection, folder, id)
  local name = os.date("%Y%m%d") .. "-" .. id
  if how ~= "dry" then
    return render.start(selection, folder, name, how == "heard")
  end
  local ready, problem = files.make_folder(folder)
  if not ready then
    return nil, "The capture cannot be written: " .. tostring(problem)
  end
  return dry.start(selection, files.join(folder, name .. ".wav"), request.sample_rate(selection.project) or DRY_RATE)
end

local function day_of(name)
  local year, month, day = name:match("^(%d%d%d%d)(%d%d)(%d%d)%-.+%.wav$")
  return year and os.time({ year = year, month = month, day = day, hour = 12 })
end

-- Remove captures that are older than what the bridge keeps of sources.
function capture.tidy(folder)
  for _, name in ipairs(files.list(folder)) do
    local day = day_of(name)
    if day and os.difftime(os.time(), day) > KEPT_DAYS * 86400 then
      files.remove(files.join(folder, name))
    end
  end
end

return capture
