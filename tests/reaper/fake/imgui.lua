-- A little of ReaImGui: a person is a table of clicks and typed texts, by label, used once each. Windows must be begun and ended as
-- that extension demands.

return function(fake, own)
  local ui = { clicks = {}, typed = {}, moved = {}, texts = {}, depth = 0, closed = false, frames = 0 }
  fake.ui = ui

  local function take(list, label)
    for key, value in pairs(list) do
      if label:find(key, 1, true) == 1 then
        list[key] = nil
        return value
      end
    end
  end

  local function inside(context)
    assert(context == ui.context, "not a context of ImGui")
    assert(ui.depth > 0, "outside of a window")
  end

  function own.ImGui_CreateContext()
    ui.context = {}
    return ui.context
  end
  function own.ImGui_Cond_FirstUseEver() return 4 end
  function own.ImGui_SetNextWindowSize(context) assert(context == ui.context) end
  function own.ImGui_Begin(context)
    if ui.collapsed then -- fact 64: there is nothing to end then
      return false, not ui.closed
    end
    assert(context == ui.context and ui.depth == 0, "Begin twice")
    ui.depth, ui.frames, ui.texts = 1, ui.frames + 1, {}
    return true, not ui.closed
  end
  function own.ImGui_End(context)
    inside(context)
    ui.depth = 0
  end
  function own.ImGui_IsWindowAppearing(context) inside(context) return ui.frames == 1 end
  function own.ImGui_IsWindowFocused(context) inside(context) return true end
  function own.ImGui_IsItemActive(context) inside(context) return ui.focused == true end
  function own.ImGui_SetKeyboardFocusHere(context) inside(context) ui.focused = true end
  function own.ImGui_GetKeyMods(context) inside(context) return ui.mods or 0 end
  function own.ImGui_CloseCurrentPopup(context) inside(context) end
  function own.ImGui_Mod_Ctrl() return 4096 end
  function own.ImGui_Key_Enter() return 525 end
  function own.ImGui_Key_KeypadEnter() return 627 end
  function own.ImGui_Key_Escape() return 526 end
  function own.ImGui_IsKeyPressed(context, key, repeats)
    inside(context)
    local down = ui.key == key or (repeats ~= false and ui.held == key)
    ui.key = not down and ui.key or nil
    return down
  end
  function own.ImGui_Text(context, text) inside(context) ui.texts[#ui.texts + 1] = text end
  own.ImGui_TextWrapped = own.ImGui_Text
  function own.ImGui_Separator(context) inside(context) end
  function own.ImGui_SameLine(context) inside(context) end
  function own.ImGui_ProgressBar(context, fraction)
    inside(context)
    ui.texts[#ui.texts + 1] = string.format("bar %.2f", fraction)
  end
  function own.ImGui_Button(context, label)
    inside(context)
    return take(ui.clicks, label) or false
  end
  function own.ImGui_InputText(context, label, text)
    inside(context)
    assert(type(text) == "string")
    local typed = take(ui.typed, label)
    return typed ~= nil, typed or text
  end
  function own.ImGui_InputTextMultiline(context, label, text, width, height)
    assert(width and height)
    return own.ImGui_InputText(context, label, text)
  end
  -- fact 46: the whole label is the id of a widget, unless it holds ###id
  local function id_of(label)
    return fake.broken.imgui_ids and "" or label:match("###.*$") or label
  end

  -- A person drags a slider: the button goes down in one frame, each later one moves it while the widget has the same id.
  local function dragged(label)
    local drag = ui.drag
    if not drag or label:find(drag.label, 1, true) ~= 1 then
      return nil
    elseif drag.id == nil then
      drag.id = id_of(label)
      return table.remove(drag.values, 1)
    elseif drag.id ~= id_of(label) then
      ui.drag = nil -- ImGui has lost the widget
      return nil
    end
    return table.remove(drag.values, 1)
  end

  local function slider(context, label, value, low, high)
    inside(context)
    assert(type(value) == "number" and low and high)
    local moved = dragged(label) or take(ui.moved, label)
    return moved ~= nil, moved or value
  end
  own.ImGui_SliderDouble = slider
  function own.ImGui_SliderInt(context, label, value, low, high)
    assert(math.type(value) == "integer", "a whole number")
    return slider(context, label, value, low, high)
  end
  function own.ImGui_BeginCombo(context, label)
    inside(context)
    ui.choice = take(ui.typed, label)
    return ui.choice ~= nil
  end
  function own.ImGui_Selectable(context, label)
    inside(context)
    return label:match("^(.-)##") == ui.choice
  end
  function own.ImGui_EndCombo(context)
    inside(context)
    ui.choice = nil
  end
end
