-- Sources, peaks, accessors, and the renderer.

local import = ...
local model = import("model")
local wave = import("wave")

local FRAME = 15e-9 -- s that reading a frame of a track takes
local RENDER_NOW = 42230
local FORMATS = { ["ZXZhdyABAA=="] = true, ["ZXZhdxgBAA=="] = true, ["ZXZhdxABAA=="] = true }

local constants = {}

-- Fill a table with one value; of C's speed, for it is done very often.
local function fill(values, value, count)
  constants[value] = constants[value] or {}
  local constant = constants[value]
  for index = #constant + 1, count do
    constant[index] = value
  end
  table.move(constant, 1, count, 1, values)
end

return function(fake, own)
  local pointers, broken = fake.pointers, fake.broken

  -- Sources

  function fake.open_source(path)
    local length = wave.length(path)
    return length and { path = path, length = length, peaks = 0 }
  end

  local function source_of(pointer)
    return pointers.find(pointer, "PCM_source") or error("stale PCM_source")
  end

  function own.PCM_Source_CreateFromFile(path)
    local source = fake.open_source(path)
    if source then
      fake.loose_sources = fake.loose_sources + 1
      source.made = fake.now
      return pointers.make("PCM_source", source)
    end
  end

  function own.PCM_Source_Destroy(pointer)
    local source = source_of(pointer)
    assert(not source.owned, "a source of the project was destroyed")
    fake.loose_sources = fake.loose_sources - 1
    pointers.kill(source)
  end

  -- fact 37: the old source is not destroyed by this
  function own.SetMediaItemTake_Source(take_pointer, pointer)
    local take, source = fake.take_of(take_pointer), source_of(pointer)
    if fake.refuse_source then
      return false
    end
    if take.source and not broken.old_source then
      fake.loose_sources = fake.loose_sources + 1
      take.source.owned = nil
    end
    take.source, source.owned = source, true
    fake.loose_sources = fake.loose_sources - 1
    fake.touch(take.item.track.project)
    return true
  end

  function own.GetMediaItemTake_Source(pointer)
    return pointers.of(fake.take_of(pointer).source)
  end

  function own.GetMediaSourceFileName(pointer)
    return source_of(pointer).path
  end

  function own.GetMediaSourceLength(pointer)
    local source = source_of(pointer)
    local young = source.made == fake.now and not broken.length_at_once -- fact 58
    return young and 0.0 or source.length, false
  end

  -- fact 39: 0 begins, 1 goes on until it returns 0, 2 ends
  function own.PCM_Source_BuildPeaks(pointer, mode)
    local source = source_of(pointer)
    if mode == 0 then
      source.peaks = broken.peaks and 0 or 3
      source.peaks_ready = broken.peaks
    elseif mode == 1 then
      source.peaks = math.max(0, source.peaks - 1)
    elseif source.peaks == 0 then
      source.peaks_ready = true
    end
    return source.peaks * 30
  end

  -- Accessors

  function own.CreateTrackAudioAccessor(pointer)
    local accessor = { track = fake.track_of(pointer) }
    fake.accessors = fake.accessors + 1
    return pointers.make("AudioAccessor", accessor)
  end

  function own.DestroyAudioAccessor(pointer)
    fake.accessors = fake.accessors - 1
    pointers.kill(assert(pointers.find(pointer, "AudioAccessor"), "stale AudioAccessor"))
  end

  local function end_of(track)
    local stop = 0
    for _, item in ipairs(track.items) do
      if #item.takes > 0 then
        stop = math.max(stop, item.info.D_POSITION + item.info.D_LENGTH)
      end
    end
    return stop
  end

  -- Tell whether an item plays at a time, and until when that is so.
  local function covered(track, time)
    local sounds, same = false, math.huge
    for _, item in ipairs(track.items) do
      local start, stop = item.info.D_POSITION, item.info.D_POSITION + item.info.D_LENGTH
      if #item.takes > 0 and time >= start and time < stop then
        sounds, same = true, math.min(same, stop)
      elseif #item.takes > 0 and time < start then
        same = math.min(same, start)
      end
    end
    return sounds, same
  end

  -- fact 28: what lies behind the end is left as it was
  function own.GetAudioAccessorSamples(pointer, rate, channels, start, frames, buffer)
    local accessor = pointers.find(pointer, "AudioAccessor") or error("stale AudioAccessor")
    local stop, values, any = end_of(accessor.track), buffer.values, false
    assert(#values >= frames * channels, "the buffer is too small")
    fake.now = fake.now + (broken.accessor_cost and 0 or frames * FRAME) -- fact 62
    local sounds, same = false, -math.huge
    local first = 0
    local all_sounds, all_same = covered(accessor.track, start)
    if all_same >= start + frames / rate and stop >= start + frames / rate then -- the same throughout: quickly
      fill(values, all_sounds and 0.25 or 0.0, frames * channels)
      first, any = frames, all_sounds
    end
    for frame = first, frames - 1 do
      local time = start + frame / rate
      if time >= same or same == -math.huge then
        sounds, same = covered(accessor.track, time)
        any = any or sounds
      end
      if time < stop or broken.accessor_tail then
        for channel = 1, channels do
          values[frame * channels + channel] = sounds and 0.25 or 0.0
        end
      end
    end
    return any and 1 or 0
  end

  function own.new_array(first, size)
    local values = {}
    for index = 1, size or first do
      values[index] = 9e9 -- whatever lay there
    end
    local array = { is_reaper_array = true, values = values }
    function array.clear(value)
      fill(values, value or 0.0, #values)
    end
    function array.table(offset, count)
      return table.move(values, offset or 1, (offset or 1) + (count or #values) - 1, 1, {})
    end
    return array
  end

  function own.GetAudioDeviceInfo(what)
    return what == "SRATE", what == "SRATE" and "48000" or ""
  end

  -- The renderer. ``fake.render``: "blocking", "background" or "cancel"; sidecars where fake.sidecars is set.

  local function settings_of(project)
    local numbers, texts = model.copy(project.numbers), model.copy(project.texts)
    local effects = {}
    for _, track in ipairs(project.tracks) do
      effects[#effects + 1] = track.info.I_FXEN
    end
    -- fact 51: the mix has the soloed tracks alone where there are some
    local heard, soloed = {}, {}
    for _, track in ipairs(project.tracks) do
      heard[#heard + 1] = track.texts.P_NAME
      soloed[#soloed + 1] = track.info.I_SOLO ~= 0 and track.texts.P_NAME or nil
    end
    heard = (#soloed > 0 and not broken.solo) and soloed or heard
    return { numbers = numbers, texts = texts, effects = effects, heard = heard, tracks = #fake.selected_tracks(project),
      items = #fake.selected_items(project) }
  end

  local function bounds(project, settings)
    if settings.numbers.RENDER_BOUNDSFLAG == 0 then
      return settings.numbers.RENDER_STARTPOS, settings.numbers.RENDER_ENDPOS
    end
    return project.time_selection[1], project.time_selection[2]
  end

  local function write(job)
    local settings = job.settings
    local start, stop = bounds(job.project, settings)
    if settings.numbers.RENDER_SETTINGS & (32 | 64) ~= 0 and settings.items == 0 then
      return
    end
    fake.make_folder(settings.texts.RENDER_FILE)
    local rate = math.tointeger(job.project.numbers.PROJECT_SRATE) or 48000
    if settings.numbers.RENDER_SETTINGS & (2 | 128) ~= 0 and settings.tracks > 1 then -- one file for each track
      for number = 1, settings.tracks do
        wave.write(job.path:gsub("%.wav$", string.format("-%03d.wav", number)), stop - start, rate)
      end
      return
    end
    wave.write(job.path, stop - start, rate)
    if fake.sidecars and not broken.sidecars then -- fact 26
      for _, ending in ipairs({ ".RPP", ".RPP-bak" }) do
        local file = assert(io.open(job.path .. ending, "wb"))
        file:write("sidecar")
        file:close()
      end
    end
  end

  -- fact 27: the settings count as they are when it begins
  local function begin(project)
    local settings = settings_of(project)
    if broken.render_settings then
      settings.numbers, settings.texts = model.copy(model.RENDER.numbers), model.copy(model.RENDER.texts)
      settings.texts.RENDER_FILE = fake.default_media
    end
    local name = settings.texts.RENDER_PATTERN
    local path = settings.texts.RENDER_FILE .. "/" .. (name == "" and "untitled" or name) .. ".wav"
    assert(broken.render_settings or FORMATS[settings.texts.RENDER_FORMAT], "a format of WAV")
    local first = fake.selected_tracks(project)[1]
    local job = { selected = first and first.texts.P_NAME, project = project, settings = settings, path = path, ticks = 20 }
    fake.renders[#fake.renders + 1] = job
    if fake.is_file(path) then
      fake.modal("Overwrite?") -- a name that is taken
    end
    return job
  end

  function fake.command_render(project)
    local job = begin(project)
    if fake.render == "background" then -- fact 24: the call returns at once
      fake.rendering = job
      if broken.render_background then
        write(job)
      end
      return
    end
    fake.now = fake.now + 5 -- fact 23: everything stands still meanwhile
    if fake.render == "cancel" and not broken.render_cancel then -- fact 25: no file then
      return
    elseif not broken.render_blocking then
      write(job)
    end
  end

  -- One tick of a render in the background.
  function fake.render_on()
    local job = fake.rendering
    if not job then
      return
    end
    job.ticks = job.ticks - 1
    if job.ticks > 0 then
      return
    end
    fake.rendering = nil
    if not fake.cancel_rendering then
      write(job)
    end
  end

  fake.actions[RENDER_NOW] = fake.command_render
end
