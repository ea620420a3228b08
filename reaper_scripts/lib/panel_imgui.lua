-- The panel's window in ReaImGui, which docks it and remembers where. Each widget has an id of its own behind "###".

local import = ...
local imgui = import("imgui")

local panel_imgui = {}

local NEEDED = {
  "CreateContext", "Begin", "End", "TextWrapped", "InputText", "InputTextMultiline", "SliderDouble", "SliderInt", "BeginCombo",
  "EndCombo", "Selectable", "Button", "Checkbox", "ProgressBar", "SameLine", "Separator", "SetNextWindowSize", "Cond_FirstUseEver",
  "ConfigFlags_DockingEnable", "SetNextWindowDockID", "IsWindowAppearing", "IsWindowFocused", "SetKeyboardFocusHere", "SetNextItemWidth",
  "IsKeyPressed", "GetKeyMods", "Mod_Ctrl", "Key_Enter", "Key_KeypadEnter", "Key_Escape", "CloseCurrentPopup", "Dummy",
  "GetWindowDrawList", "DrawList_AddRectFilled", "GetCursorScreenPos", "GetContentRegionAvail", "BeginDisabled", "EndDisabled",
  "PushStyleColor", "PopStyleColor", "Col_Text",
}
local TONES = { dim = 0xA0A0A8FF, good = 0x8CD48CFF, bad = 0xFF9A7AFF }
local WAVE, GROUND, HEIGHT, PROMPT = 0x6FA8DCFF, 0x1C1C20FF, 56, 60
local LETTER = 8 -- pixels
local FIRST_DOCKER = -1 -- of REAPER's

-- Tell whether ReaImGui is there, with everything that the panel needs.
function panel_imgui.is_possible()
  return imgui.has(NEEDED)
end

local function add_texts(ui, context)
  function ui.text(text, tone)
    if tone then
      reaper.ImGui_PushStyleColor(context, reaper.ImGui_Col_Text(), TONES[tone])
    end
    reaper.ImGui_TextWrapped(context, text)
    if tone then
      reaper.ImGui_PopStyleColor(context)
    end
  end

  -- Return about how many letters fit into a line.
  function ui.letters() return (reaper.ImGui_GetContentRegionAvail(context)) // LETTER end

  function ui.same() reaper.ImGui_SameLine(context) end
  function ui.line() reaper.ImGui_Separator(context) end
  function ui.bar(_, part) reaper.ImGui_ProgressBar(context, part, -1, 4, "") end

  function ui.wave(_, columns)
    local x, y = reaper.ImGui_GetCursorScreenPos(context)
    local width = reaper.ImGui_GetContentRegionAvail(context)
    local list, each = reaper.ImGui_GetWindowDrawList(context), width / #columns
    reaper.ImGui_DrawList_AddRectFilled(list, x, y, x + width, y + HEIGHT, GROUND)
    for index, level in ipairs(columns) do
      local half = math.max(0.5, level * HEIGHT / 2)
      local left, middle = x + (index - 1) * each, y + HEIGHT / 2
      reaper.ImGui_DrawList_AddRectFilled(list, left, middle - half, left + math.max(1, each - 1), middle + half, WAVE)
    end
    reaper.ImGui_Dummy(context, width, HEIGHT)
  end
end

local function add_widgets(ui, context)
  function ui.button(id, label, enabled)
    local off = enabled == false
    if off then
      reaper.ImGui_BeginDisabled(context)
    end
    local pressed = reaper.ImGui_Button(context, label .. "###" .. id)
    if off then
      reaper.ImGui_EndDisabled(context)
    end
    return pressed and not off
  end

  function ui.check(id, label, value)
    local changed, now = reaper.ImGui_Checkbox(context, label .. "###" .. id, value)
    if changed then
      return now
    end
    return value
  end

  function ui.input(id, label, text, many)
    local changed, now
    if many then
      if reaper.ImGui_IsWindowAppearing(context) then
        reaper.ImGui_SetKeyboardFocusHere(context)
      end
      reaper.ImGui_TextWrapped(context, label)
      changed, now = reaper.ImGui_InputTextMultiline(context, "###" .. id, text, -1, PROMPT)
    else
      reaper.ImGui_SetNextItemWidth(context, 160)
      changed, now = reaper.ImGui_InputText(context, label .. "###" .. id, text)
    end
    if imgui.pressed(context, "Escape") then
      return text -- Esc stops what is played; Dear ImGui would take back what was typed
    end
    return changed and now or text
  end

  function ui.slider(id, label, value, low, high, whole)
    local moved, now
    reaper.ImGui_SetNextItemWidth(context, 160)
    if whole then
      moved, now = reaper.ImGui_SliderInt(context, label .. "###" .. id, math.floor(value), math.floor(low), math.floor(high))
    else
      moved, now = reaper.ImGui_SliderDouble(context, label .. "###" .. id, value, low, high, "%.2f")
    end
    return moved and now or nil
  end

  function ui.combo(id, label, current, list)
    local chosen
    reaper.ImGui_SetNextItemWidth(context, 160)
    if not reaper.ImGui_BeginCombo(context, label .. "###" .. id, current) then
      return nil
    end
    if imgui.pressed(context, "Escape") then
      reaper.ImGui_CloseCurrentPopup(context)
    end
    for index, choice in ipairs(list) do
      if reaper.ImGui_Selectable(context, choice:gsub("%c", " ") .. "###" .. id .. index, choice == current) then
        chosen = choice
      end
    end
    reaper.ImGui_EndCombo(context)
    return chosen
  end
end

-- Ctrl+Enter sends; Esc stops what is played.
local function key_of(context)
  if reaper.ImGui_IsWindowAppearing(context) or not reaper.ImGui_IsWindowFocused(context) then
    return nil
  elseif imgui.pressed(context, "Escape") then
    return "stop"
  end
  local enter = imgui.pressed(context, "Enter", "KeypadEnter")
  return enter and reaper.ImGui_GetKeyMods(context) & reaper.ImGui_Mod_Ctrl() ~= 0 and "send" or nil
end

-- Return a window.
function panel_imgui.new(title)
  local context, ui = reaper.ImGui_CreateContext(title, reaper.ImGui_ConfigFlags_DockingEnable()), {}
  add_texts(ui, context)
  add_widgets(ui, context)
  function ui.key() return key_of(context) end
  function ui.quit() end -- the context goes with the script

  -- Draw a frame. Tells whether the window is open still.
  function ui.frame(draw)
    reaper.ImGui_SetNextWindowDockID(context, FIRST_DOCKER, reaper.ImGui_Cond_FirstUseEver())
    reaper.ImGui_SetNextWindowSize(context, 420, 720, reaper.ImGui_Cond_FirstUseEver())
    local visible, open = reaper.ImGui_Begin(context, title, true)
    if visible then
      local fine, problem = pcall(draw)
      reaper.ImGui_End(context) -- also where something went wrong: ReaImGui ends the script of who leaves a window open
      assert(fine, problem)
    end
    return open
  end

  return ui
end

return panel_imgui
