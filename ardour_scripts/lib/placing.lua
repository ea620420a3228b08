-- Brings one take to its sample, on a track of its own.
--
-- The take is copied into the session's own audio folder and embedded from there. Editor:do_import would copy it, too, but it has one
-- state for all imports: a take that arrived while the person imports files would put those files at its own place. It also saves the
-- session, which is theirs to save.

local import = ...
local files = import("files")
local session = import("session")
local wav = import("wav")

local placing = {}

local PIECE = 1 << 20 -- bytes
local AT_ONCE = 60 -- s that a placing may take, before another one thinks that it died
local LOCK = ".placing"

-- Copy a file, whole or not at all. Returns true, or nil and why not.
local function copy(from, to)
  local source, problem = io.open(from, "rb")
  if not source then
    return nil, problem
  end
  local part = to .. ".part"
  local target
  target, problem = io.open(part, "wb")
  while target and not problem do
    local data = source:read(PIECE)
    if not data then
      break
    end
    problem = select(2, target:write(data))
  end
  source:close()
  if target then
    local closed, why = target:close()
    problem = problem or (not closed and why) or nil
  end
  if not problem then
    problem = select(2, os.rename(part, to))
  end
  if problem then
    os.remove(part)
    return nil, problem
  end
  return true
end

-- Return the file that the session is to play: a copy of its own, or the take in the library where there can be none.
local function own_copy(file)
  local folder = session.audio_folder()
  local path = folder and files.join(folder, (files.split(file)))
  if not path then
    return file
  elseif files.size(path) == files.size(file) or copy(file, path) then -- a crash may have left it
    return path
  end
  return file
end

-- Return the file of a result that is to be placed: the copy that fits, where one was asked for and made, else the take.
local function file_of(result)
  local fitted = result.fitted
  return type(fitted) == "string" and files.exists(fitted) and fitted or result.file
end

-- Return the sample that a take belongs to, or nil.
local function sample_of(result)
  local position = tonumber(result.place.position)
  return position and math.max(0, math.floor(position * session.rate() + 0.5))
end

-- Return true if a place of a result can be used in this session, or false and why not.
function placing.obstacle(result)
  if not sample_of(result) then
    return "it has no position"
  elseif not files.exists(result.file) then
    return "the file " .. result.file .. " is not there"
  end
end

local function embed(file, sample)
  local list = C.StringVector()
  list:push_back(file)
  local at, rate = Temporal.timepos_t(sample), wav.size_of(file)
  if rate and rate ~= session.rate() then -- only an import converts it
    Editor:do_import(
      list, Editing.ImportDistinctFiles, Editing.ImportAsTrack, ARDOUR.SrcQuality.SrcBest, ARDOUR.MidiTrackNameSource.SMFTrackName,
      ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore, at, ARDOUR.PluginInfo(), ARDOUR.Track(), false
    )
  else
    Editor:do_embed(list, Editing.ImportDistinctFiles, Editing.ImportAsTrack, at, ARDOUR.PluginInfo(), ARDOUR.Track())
  end
end

-- Tell whether a take would be converted to the session's rate: that is an import, which only a person begins.
function placing.is_converted(result)
  local rate = wav.size_of(file_of(result))
  return rate ~= nil and rate ~= session.rate()
end

local function in_samples(seconds)
  return math.floor(seconds * session.rate() + 0.5)
end

-- Return which sample of a take that continues its source stands at its place, and for how many before it fades in; 0 and 0 for others,
-- and for a copy, which begins where it belongs.
local function entry_of(result)
  local grid = file_of(result) == result.file and type(result.grid) == "table" and result.grid or {}
  local enter, crossfade = tonumber(grid.enter), tonumber(grid.crossfade)
  if not enter or not crossfade then
    return 0, 0
  end
  return in_samples(enter), math.min(in_samples(crossfade), in_samples(enter), sample_of(result))
end

-- Have a take go on where its source ends: what is before that is hidden, but for the fade. It stands on a track of its own, so that the
-- end of the source, which is not touched, sounds along.
local function enter(region, sample, first, fade)
  if first == 0 then
    return
  end
  region:trim_front(Temporal.timepos_t(sample + first - fade))
  region:set_position(Temporal.timepos_t(sample - fade))
  if fade > 0 then
    local audio = region:to_audioregion()
    audio:set_fade_in_active(true)
    audio:set_fade_in_shape(ARDOUR.FadeShape.FadeConstantPower)
    audio:set_fade_in_length(fade)
  end
end

local function cut(region, result, fade)
  local length = tonumber(result.place.length)
  local samples = length and in_samples(length) + fade
  if samples and samples > fade and region:length():samples() > samples then
    region:set_length(Temporal.timecnt_t(samples))
  end
end

-- Place a take. Returns true when it was read back at its sample, or nil and why not.
local function place(result)
  local sample = sample_of(result)
  embed(own_copy(file_of(result)), sample)
  local region, track = session.find(result.job)
  if not region then
    return nil, "Ardour did not take the file " .. file_of(result)
  end
  local first, fade = entry_of(result)
  enter(region, sample, first, fade)
  cut(region, result, fade)
  if type(result.name) == "string" and result.name ~= "" then
    track:set_name(result.name)
  end
  local at = region:position():samples()
  if at ~= sample - fade then
    return nil, string.format("it stands at sample %d, and belongs to %d", at, sample - fade)
  end
  return true
end

-- Place a take, unless another script is about to place one: Ardour lets others run meanwhile. Returns "placed"; "busy"; or "failed" and
-- why.
function placing.start(box, result)
  local lock = files.join(box.inbox, LOCK)
  local since = tonumber(files.read(lock) or "")
  if since and math.abs(os.time() - since) < AT_ONCE then
    return "busy"
  end
  files.write(lock, tostring(os.time()))
  local fine, placed, problem = pcall(place, result)
  os.remove(lock)
  if not fine then
    return "failed", tostring(placed)
  elseif not placed then
    return "failed", problem
  end
  return "placed"
end

-- Forget what a crash has left: nothing is being placed when a session has just been opened.
function placing.fresh(box)
  os.remove(files.join(box.inbox, LOCK))
end

return placing
