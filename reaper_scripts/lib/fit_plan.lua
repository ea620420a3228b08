-- How a take is made to fit, worked out from what the bridge has measured of it: where its first beat is, its tempo, how loud it is. The
-- numbers are those of docs/fit.md; here they may be bolder than for files, since one can undo it.

local plan = {}

local SURE = 1.0 -- confidence from which a grid is trusted
local MOST_OFF = 0.04 -- of the tempo
local HEARD = 0.010 -- s: the last beat is off by less than this, and a stretch would not be heard
local MOST_SHIFT = 1.5 -- s
local ONE_SHOT = 6.0 -- s: a shorter take has no tempo that could be told
local CEILING, MOST_GAIN, LEAST_GAIN = -1.0, 12.0, -24.0 -- dBTP, dB
local CURVED = 0.002 -- s: beats of the project that are further from an even pulse need markers
local MOST_BENT = 0.25 -- how much faster or slower a beat may be played
local LOOP_LEAD = 0.003 -- s: a loop begins so much before its first beat

local function number(value)
  return type(value) == "number" and value == value and value or nil
end

local function dB(value)
  return (string.format("%+.1f dB", value):gsub(",", "."))
end

local function bpm(value)
  return (string.format("%.2f", value):gsub(",", "."))
end

-- Return why a grid is not to be trusted, or nil.
local function doubt(grid)
  if not number(grid.tempo) or grid.tempo <= 0 or not number(grid.first_beat) then
    return grid.why_not and grid.why_not ~= "" and grid.why_not or "it has no tempo that could be told"
  elseif (number(grid.confidence) or 0) < SURE or (grid.why_not or "") ~= "" then
    return (grid.why_not or "") ~= "" and grid.why_not or "its tempo is not certain"
  end
end

-- Return the times of the project's beats (quarter notes) from an anchor on, from there, s; and whether they make an even pulse.
local function beats_of(project, anchor, seconds, tempo)
  local first, times, even = reaper.TimeMap2_timeToQN(project, anchor), {}, true
  repeat
    local count = #times
    times[count + 1] = reaper.TimeMap2_QNToTime(project, first + count) - anchor
    even = even and math.abs(times[count + 1] - count * 60 / tempo) <= CURVED
  until times[#times] > seconds or #times > 10000
  return times, even
end

-- Where the tempo of the project changes below the take, a marker holds each beat of the take on a beat of the project.
local function markers_of(times, grid, seconds)
  local period, markers = 60 / grid.tempo, {}
  for index, time in ipairs(times) do
    local source = grid.first_beat + (index - 1) * period
    local span = times[index + 1] and times[index + 1] - time or period
    if math.abs(period / span - 1) > MOST_BENT then
      return nil
    elseif source >= 0 and source <= seconds then
      markers[#markers + 1] = { at = time, source = source }
    end
  end
  return markers
end

local function stretch(made, project, anchor, grid, seconds)
  local _, _, tempo = reaper.TimeMap_GetTimeSigAtTime(project, anchor)
  local left = seconds - grid.first_beat
  local times, even = beats_of(project, anchor, left * (1 + MOST_OFF), tempo)
  local rate = tempo / grid.tempo
  if not even then
    made.markers = markers_of(times, grid, seconds)
    made.told[#made.told + 1] = made.markers and "its beats follow the project's tempo" or nil
    made.remarks[#made.remarks + 1] = not made.markers and "Not stretched: the project's tempo changes too much here." or nil
  elseif math.abs(rate - 1) > MOST_OFF then
    local text = "Not stretched: the project has %s BPM here, the take %s."
    made.remarks[#made.remarks + 1] = text:format(bpm(tempo), bpm(grid.tempo))
  elseif math.abs(rate - 1) * left > math.max(HEARD, 3 * left * (number(grid.tempo_error) or 0) / grid.tempo) then
    made.rate = rate
    made.told[#made.told + 1] = string.format("%s to %s BPM", bpm(grid.tempo), bpm(tempo))
  end
end

local function move(made, seconds, what)
  made.shift = seconds
  if math.abs(seconds) >= 0.0005 then
    made.told[#made.told + 1] = string.format("its first %s, %.0f ms late, on the place", what, seconds * 1000)
  end
end

local function place(made, project, anchor, wish, grid, seconds)
  local why = doubt(grid)
  local enter = number(grid.enter)
  if enter then -- it continues its source: this moment of it stands at the end of that
    grid = setmetatable({ first_beat = enter }, { __index = grid })
  end
  local sound = number(grid.first_sound)
  if why and wish.fit == "start" and seconds < ONE_SHOT and sound and sound <= MOST_SHIFT then
    return move(made, sound, "sound") -- a one-shot: when it begins is certain, its tempo is not asked for
  elseif why then
    made.remarks[#made.remarks + 1] = "Not fitted: " .. why .. "."
    return
  elseif not enter and grid.first_beat > MOST_SHIFT then
    made.remarks[#made.remarks + 1] = string.format("Not fitted: its first beat comes %.1f s late.", grid.first_beat)
    return
  elseif wish.fit == "loop" and wish.fitted then
    made.loop = true
    made.told[#made.told + 1] = "a loop of whole bars"
    return move(made, math.min(math.max(0, grid.first_beat), LOOP_LEAD), "beat")
  elseif wish.fit == "loop" then
    made.remarks[#made.remarks + 1] = "Not looped: there is no copy of it that loops."
  end
  move(made, grid.first_beat, "beat")
  if wish.fit ~= "start" then
    stretch(made, project, anchor, grid, seconds)
  end
end

local function set_loudness(made, wish, grid)
  local target = wish.loudness == "source" and number(grid.source_loudness) or number(wish.loudness)
  local heard, peak = number(grid.loudness), number(grid.true_peak)
  if not target then
    made.remarks[#made.remarks + 1] = wish.loudness == "source" and "Its loudness was left alone: that of its source is not known." or nil
    return
  elseif not heard or not peak then
    made.remarks[#made.remarks + 1] = "Its loudness was left alone: it could not be measured."
    return
  end
  local gain = math.min(math.max(LEAST_GAIN, math.min(MOST_GAIN, target - heard)), CEILING - peak)
  local short = target - heard - gain
  made.gain = 10 ^ (gain / 20)
  made.told[#made.told + 1] = dB(gain)
  if short > 0.05 then
    made.remarks[#made.remarks + 1] = (string.format("%.1f LU quieter than asked: its peaks leave no room.", short):gsub(",", "."))
  end
end

-- Return what is wished for a result, or nil if nothing is.
function plan.wish(result)
  local fit, loudness = result.fit or "off", result.loudness or "off"
  if fit ~= "off" or loudness ~= "off" then
    return { fit = fit, loudness = loudness }
  end
end

-- Return the plan: ``rate``, ``shift`` (the second of the source that stands at the anchor), ``gain`` (a factor), ``markers``, ``loop``;
-- ``told`` (what is done, in words) and ``remarks`` (what is not). ``anchor`` is where the take begins, ``seconds`` how long it is.
function plan.make(project, anchor, wish, grid, seconds)
  local made = { rate = 1, shift = 0, gain = 1, told = {}, remarks = {} }
  if wish.fit ~= "off" then
    place(made, project, anchor, wish, grid, seconds)
  end
  if wish.loudness ~= "off" and not made.loop then -- a loop is a copy that is as loud as asked
    set_loudness(made, wish, grid)
  end
  made.changes = made.loop or made.rate ~= 1 or math.abs(made.shift) >= 0.0005 or made.gain ~= 1 or made.markers ~= nil
  return made
end

return plan
