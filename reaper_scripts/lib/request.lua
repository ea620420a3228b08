-- The request: what was typed and where it belongs, in the words of the bridge. A text made here is never changed later: the
-- same press is the same request, under one id.

local import = ...
local json = import("json")
local names = import("names")

local request = { make = import("request_body").make }

local LONGEST_NAME = 200 -- characters, of the bridge

local function short(text)
  return text ~= "" and names.short(text, LONGEST_NAME) or nil
end

local function project_id(project)
  local _, id = reaper.GetProjExtState(project, "DAW Bridge", "id")
  if id == "" then
    id = reaper.genGuid("")
    reaper.SetProjExtState(project, "DAW Bridge", "id", id)
  end
  return id
end

-- Return the rate that a project plays at, Hz, or nil if REAPER does not say.
function request.sample_rate(project)
  local rate = 0
  if reaper.GetSetProjectInfo(project, "PROJECT_SRATE_USE", 0, false) ~= 0 then
    rate = reaper.GetSetProjectInfo(project, "PROJECT_SRATE", 0, false)
  elseif reaper.GetAudioDeviceInfo then
    local known, text = reaper.GetAudioDeviceInfo("SRATE")
    rate = known and tonumber(text) or 0
  end
  rate = math.tointeger(rate)
  return rate and rate >= 8000 and rate <= 384000 and rate or nil
end

-- Return the place of a take: the time is that of the project, with its tempo and meter there.
function request.place(project, track, mark, position, length)
  local numerator, denominator, tempo = reaper.TimeMap_GetTimeSigAtTime(project, position)
  local _, _, _, beats = reaper.TimeMap2_timeToBeats(project, position)
  local _, name = reaper.GetSetMediaTrackInfo_String(track, "P_NAME", "", false)
  return {
    project = short(reaper.GetProjectName(project)),
    project_id = project_id(project),
    track = short(name),
    target = "arrangement",
    position = position,
    beats = beats,
    length = length,
    time_offset = reaper.GetProjectTimeOffset(project, false),
    tempo = tempo,
    time_signature = string.format("%d/%d", numerator, denominator),
    sample_rate = request.sample_rate(project),
    token = json.encode({ mark = mark, track = reaper.GetTrackGUID(track) }),
  }
end

-- Return the mark and the track's GUID that a place was sent with, or nil.
function request.token_of(place)
  local data = type(place.token) == "string" and json.decode(place.token)
  if type(data) ~= "table" or type(data.mark) ~= "string" then
    return nil
  end
  return data.mark, data.track
end

return request
