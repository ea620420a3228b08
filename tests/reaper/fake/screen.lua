-- What a panel needs: the window of gfx, toolbars, the transport, previews of SWS, peaks of a source.

local MAIN = 0

return function(fake, own)
  local pointers, broken = fake.pointers, fake.broken

  -- gfx. ``fake.drawn`` has the texts of all frames, ``fake.shapes`` what the last whole frame was drawn of, for a picture.

  local shapes, color, font = {}, { 0, 0, 0, 1 }, 15
  fake.shapes, fake.dock = {}, 0

  own["gfx.init"] = function(_, width, height, dock, x, y)
    fake.window_open, fake.window_at, fake.dock = true, { x, y }, dock or 0
    fake.gfx.w, fake.gfx.h = width, height
    fake.gfx.mouse_x, fake.gfx.mouse_y, fake.gfx.mouse_cap, fake.gfx.mouse_wheel = 0, 0, 0, 0
  end
  own["gfx.quit"] = function() fake.window_open = false end
  -- fact 56: dock(-1) tells where the window is docked and changes nothing
  own["gfx.dock"] = function(where)
    if where >= 0 or broken.dock then
      fake.dock = where
    end
    return fake.dock
  end
  own["gfx.update"] = function() fake.shapes, shapes = shapes, {} end
  own["gfx.set"] = function(r, g, b, a) color = { r, g or r, b or r, a or 1 } end
  own["gfx.setfont"] = function(_, _, size) font = size or font end
  own["gfx.rect"] = function(x, y, w, h, filled)
    shapes[#shapes + 1] = { kind = filled == false and "frame" or "rect", x = x, y = y, w = w, h = h, color = color }
  end
  own["gfx.line"] = function(x, y, x2, y2) shapes[#shapes + 1] = { kind = "line", x = x, y = y, w = x2, h = y2, color = color } end
  -- About as wide as the letters of a plain font are.
  own["gfx.measurestr"] = function(text) return (utf8.len(text) or #text) * font * 0.5, font end
  own["gfx.drawstr"] = function(text)
    fake.drawn[#fake.drawn + 1] = text
    shapes[#shapes + 1] = { kind = "text", x = fake.gfx.x, y = fake.gfx.y, w = font, h = font, color = color, text = text }
    fake.gfx.x = fake.gfx.x + (utf8.len(text) or #text) * font * 0.5
  end
  own["gfx.getchar"] = function()
    if fake.keys and #fake.keys > 0 then
      return table.remove(fake.keys, 1)
    end
    return fake.key
  end

  -- Toolbars. fact 52: a button shows a state when it is set and the toolbars are told to look again.

  fake.toggles, fake.shown_toggles = {}, {}

  function own.SetToggleCommandState(section, command, state)
    assert(section == MAIN, "our actions are in the main section")
    fake.toggles[command] = state
    fake.shown_toggles[command] = broken.toggle and state or fake.shown_toggles[command]
    return command > 0
  end

  function own.GetToggleCommandStateEx(section, command)
    assert(section == MAIN, "our actions are in the main section")
    return fake.toggles[command] or -1
  end

  function own.RefreshToolbar2(section, command)
    assert(section == MAIN, "our actions are in the main section")
    fake.shown_toggles[command] = fake.toggles[command]
  end

  -- The transport. fact 54: playing begins at the edit cursor and leaves it there; stopping, too.

  function own.SetEditCurPos2(pointer, time, _, seek)
    local project = fake.project(pointer)
    project.cursor = time
    if seek and project.play_state & 1 ~= 0 then
      project.play_from, project.play_at = time, fake.now
    end
  end

  function own.OnPlayButtonEx(pointer)
    local project = fake.project(pointer)
    project.play_state, project.play_from, project.play_at = 1, project.cursor, fake.now
    fake.plays = (fake.plays or 0) + 1
  end

  function own.OnStopButtonEx(pointer)
    local project = fake.project(pointer)
    if broken.transport then
      project.cursor = project.play_from or 0
    end
    project.play_state = 0
  end

  function own.GetPlayPositionEx(pointer)
    local project = fake.project(pointer)
    return project.play_state & 1 ~= 0 and project.play_from + (fake.now - project.play_at) or project.cursor
  end

  function own.GetProjectLength(pointer)
    local stop = 0
    for _, item in ipairs(fake.all_items(fake.project(pointer))) do
      stop = math.max(stop, item.info.D_POSITION + item.info.D_LENGTH)
    end
    return stop + 0.0
  end

  -- Previews. fact 53: the preview owns no source; one that does not play is gone at the end of the turn.

  fake.previews = {}

  local function preview_of(pointer)
    return pointers.find(pointer, "CF_Preview") or error("stale CF_Preview")
  end

  function own.CF_CreatePreview(pointer)
    local source = assert(pointers.find(pointer, "PCM_source"), "stale PCM_source")
    local preview = { source = source, playing = false }
    fake.previews[#fake.previews + 1] = preview
    return pointers.make("CF_Preview", preview)
  end

  function own.CF_Preview_Play(pointer)
    local preview = preview_of(pointer)
    assert(pointers.find(preview.source.pointer, "PCM_source"), "the source of a preview was destroyed")
    preview.playing, preview.began = true, fake.now
    return true
  end

  function own.CF_Preview_Stop(pointer)
    preview_of(pointer).playing = false
    return true
  end

  function own.CF_Preview_GetValue(pointer, name)
    local preview = preview_of(pointer)
    assert(name == "D_POSITION" or name == "D_LENGTH", "not used")
    return true, name == "D_LENGTH" and preview.source.length or fake.now - (preview.began or fake.now)
  end

  function own.CF_Preview_SetValue(pointer)
    preview_of(pointer)
    return true
  end

  function fake.end_previews()
    for index = #fake.previews, 1, -1 do
      local preview = fake.previews[index]
      local source_there = pointers.find(preview.source.pointer, "PCM_source") ~= nil
      if preview.playing and not source_there then
        fake.errors[#fake.errors + 1] = "a source was destroyed that a preview plays"
      end
      preview.playing = preview.playing and source_there and fake.now - preview.began < preview.source.length
      if not preview.playing and not broken.preview then
        pointers.kill(preview)
        table.remove(fake.previews, index)
      end
    end
  end

  -- fact 55: maximums first, then minimums; the low 20 bits of the answer say how many there are, 0 while there are no peaks yet
  function own.PCM_Source_GetPeaks(pointer, rate, start, channels, count, _, buffer)
    local source = assert(pointers.find(pointer, "PCM_source"), "stale PCM_source")
    assert(#buffer.values >= 2 * channels * count, "the buffer is too small")
    if not source.peaks_ready and not broken.source_peaks then
      return 0
    end
    local got = math.max(0, math.min(count, math.floor((source.length - start) * rate)))
    for index = 1, got * channels do
      local level = 0.2 + 0.6 * math.abs(math.sin(start + index / 7)) * math.abs(math.sin(index / 31))
      buffer.values[index], buffer.values[count * channels + index] = level, -level
    end
    return got | 1 << 20
  end
end
