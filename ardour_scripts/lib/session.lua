-- The session that is open: where it is on the disk, its time, its tracks, and which takes stand in it.

local import = ...
local files = import("files")

local session = {}

local TICKS = 1920 -- of a quarter note

-- Return the sample rate of the session, Hz.
function session.rate()
  return math.tointeger(Session:nominal_sample_rate())
end

-- Return what tells this session from others: its folder.
function session.id()
  return Session:path()
end

-- Return tempo, meter and quarter notes at a sample.
function session.time_at(sample)
  local map, position = Temporal.TempoMap.read(), Temporal.timepos_t(sample)
  local meter = map:meter_at(position)
  local quarters, ticks = tostring(map:quarters_at(position)):match("^(-?%d+):(%d+)")
  return {
    tempo = map:tempo_at(position):quarter_notes_per_minute(),
    meter = string.format("%d/%d", meter:divisions_per_bar(), meter:note_value()),
    quarters = quarters and tonumber(quarters) + tonumber(ticks) / TICKS or nil,
  }
end

-- Return the audio tracks, in their order.
function session.tracks()
  local list = {}
  for route in Session:get_tracks():iter() do
    local track = route:to_track()
    if not track:isnil() and not track:to_audio_track():isnil() then
      list[#list + 1] = track
    end
  end
  return list
end

-- Return the regions that stand on a track.
function session.regions_of(track)
  local list = {}
  for region in track:playlist():region_list():iter() do
    list[#list + 1] = region
  end
  return list
end

-- Return the region that plays a job's take, and its track, or nil. Files of takes have the id of their job in their name.
function session.find(job)
  for _, track in ipairs(session.tracks()) do
    for _, region in ipairs(session.regions_of(track)) do
      local source = region:source(0)
      if not source:isnil() and source:name():find(job, 1, true) then
        return region, track
      end
    end
  end
end

-- Return what the session file on the disk says, or nil.
function session.saved()
  return files.read(files.join(Session:path(), Session:snap_name() .. ".ardour"))
end

-- Tell whether a region of a job's take stands in a playlist of what was saved. Ardour's own Lua does not tell what is saved.
function session.holds(saved, job)
  local playlists = saved:find("<Playlists>", 1, true)
  for line in playlists and saved:gmatch("<Source [^>]*>") or function() end do
    local id = line:find(job, 1, true) and line:match(' id="(%d+)"')
    if id and saved:find('source-0="' .. id .. '"', playlists, true) then
      return true
    end
  end
  return false
end

-- Save the session under its own name.
function session.save()
  return Session:save_state("", false, false, false, false, false) == 0
end

local function is_folder(path)
  return ARDOUR.LuaAPI.file_test(path, ARDOUR.LuaAPI.FileTest.IsDir)
end

-- Return the folder in which the session keeps its audio, or nil.
function session.audio_folder()
  for _, name in ipairs({ (files.split(Session:path())), Session:name() }) do
    local folder = files.join(Session:path(), "interchange", name, "audiofiles")
    if is_folder(folder) then
      return folder
    end
  end
end

return session
