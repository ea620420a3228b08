-- The form and the status in a window of ReaImGui, where that extension is installed. The form is the same as in REAPER's own
-- dialog: text for each field, read by form.read.

local import = ...
local form = import("form")
local imgui = import("imgui")
local memory = import("memory")
local status = nil -- loaded late: it loads this module, too
local trap = import("trap")
local words_missing = "as the bridge or the preset has it"

local window = {}

local TITLE = "DAW Bridge"
local NEEDED = {
  "CreateContext", "Begin", "End", "Text", "TextWrapped", "InputText", "InputTextMultiline", "SliderDouble", "SliderInt",
  "BeginCombo", "EndCombo", "Selectable", "Button", "ProgressBar", "SameLine", "Separator", "SetNextWindowSize", "Cond_FirstUseEver",
  "IsWindowAppearing", "IsWindowFocused", "IsItemActive", "SetKeyboardFocusHere", "IsKeyPressed", "GetKeyMods", "Mod_Ctrl",
  "Key_Enter", "Key_KeypadEnter", "Key_Escape", "CloseCurrentPopup",
}
local PERIOD = 0.5 -- s

-- Tell whether ReaImGui is there, with everything that is used of it.
function window.is_possible()
  return imgui.has(NEEDED)
end

local function text_of(field, number)
  return field.kind == "whole" and string.format("%d", number) or (string.format("%.3f", number):gsub(",", "."))
end

local function slider(context, field, typed)
  local set = typed[field.key] ~= ""
  local now = tonumber(typed[field.key]) or field.start
  local label = field.label .. (set and "" or " (" .. words_missing .. ")")
  local moved, value
  label = label .. "###" .. field.key -- the id alone: the visible part changes while the slider is dragged
  if field.kind == "whole" then
    moved, value = reaper.ImGui_SliderInt(context, label, math.floor(now), field.low, field.high)
  else
    moved, value = reaper.ImGui_SliderDouble(context, label, now, field.low, field.high, "%.2f")
  end
  if moved then
    typed[field.key] = text_of(field, value)
  elseif set then
    reaper.ImGui_SameLine(context)
    if reaper.ImGui_Button(context, "Reset###reset_" .. field.key) then
      typed[field.key] = "" -- as the bridge or the preset has it
    end
  end
end

local function combo(context, label, current, choices, choose)
  if not reaper.ImGui_BeginCombo(context, label, current) then
    return
  end
  if imgui.pressed(context, "Escape") then
    reaper.ImGui_CloseCurrentPopup(context)
  end
  for index, choice in ipairs(choices) do
    if reaper.ImGui_Selectable(context, choice:gsub("%c", " ") .. "##" .. index, choice == current) then
      choose(choice)
    end
  end
  reaper.ImGui_EndCombo(context)
end

local function preset_names(daemon)
  local names = {}
  for name in pairs(type(daemon.presets) == "table" and daemon.presets or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  table.insert(names, 1, "")
  return names
end

local function show_prompt(self, choose)
  local context, typed = self.context, self.typed
  if reaper.ImGui_IsWindowAppearing(context) then
    reaper.ImGui_SetKeyboardFocusHere(context)
  end
  local changed, text = reaper.ImGui_InputTextMultiline(context, "Prompt##prompt", typed.prompt, 420, 90)
  typed.prompt = changed and text or typed.prompt
  self.in_prompt = reaper.ImGui_IsItemActive(context)
  combo(context, "Earlier prompts##earlier", "", memory.prompts(), choose)
end

local function show_field(self, field)
  local context, typed, daemon = self.context, self.typed, self.daemon
  local choose = function(choice) typed[field.key] = choice end
  if field.key == "prompt" then
    show_prompt(self, choose)
  elseif field.key == "preset" then
    combo(context, "Preset##preset", typed.preset, preset_names(daemon), choose)
  elseif form.offered(field, typed[field.key]) then
    combo(context, field.label .. "##" .. field.key, typed[field.key], form.offered(field, typed[field.key]), choose)
  elseif field.start then
    slider(context, field, typed)
  else
    local changed, text = reaper.ImGui_InputText(context, field.label .. "##" .. field.key, typed[field.key])
    typed[field.key] = changed and text or typed[field.key]
  end
end

local function show_status(context, content)
  for _, line in ipairs(content.lines) do
    reaper.ImGui_TextWrapped(context, line)
  end
  for _, row in ipairs(content.rows) do
    if not row.ended then
      reaper.ImGui_ProgressBar(context, row.fraction, 160, 0)
      reaper.ImGui_SameLine(context)
    end
    reaper.ImGui_TextWrapped(context, row.text)
  end
end

local function cost_line(daemon, values)
  local price = values and form.price(daemon, values)
  if not price then
    return form.headline(daemon)
  end
  return string.format("This costs %s. %s", form.dollars(price), form.headline(daemon))
end

-- Return what a key asks for in this frame: "send" or "closed", or nil. In the prompt Enter begins a new line. It is asked before the
-- fields are shown: they would take back what was typed when Esc is pressed.
local function asked_by_key(self)
  local context = self.context
  if reaper.ImGui_IsWindowAppearing(context) or not reaper.ImGui_IsWindowFocused(context) then
    return nil -- the key that began the action may be down still; or a list is open
  elseif imgui.pressed(context, "Escape") then
    return "closed"
  end
  local enter = imgui.pressed(context, "Enter", "KeypadEnter")
  local control = reaper.ImGui_GetKeyMods(context) & reaper.ImGui_Mod_Ctrl() ~= 0
  return enter and (control or not self.in_prompt) and "send" or nil
end

-- One frame of the form. Returns "open", "send" or "closed".
local function frame(self)
  local context, outcome = self.context, "open"
  reaper.ImGui_SetNextWindowSize(context, 560, 560, reaper.ImGui_Cond_FirstUseEver())
  local visible, open = reaper.ImGui_Begin(context, TITLE .. ": " .. self.action, true)
  if visible then
    local key = asked_by_key(self)
    reaper.ImGui_TextWrapped(context, self.source)
    for _, field in ipairs(form.fields(self.action)) do
      if key ~= "closed" then
        show_field(self, field)
      end
    end
    local values, fault = form.read(self.action, self.typed)
    reaper.ImGui_TextWrapped(context, cost_line(self.daemon, values))
    if fault then
      reaper.ImGui_TextWrapped(context, fault)
    elseif reaper.ImGui_Button(context, "Send (Ctrl+Enter)###send") or key == "send" then
      self.values, outcome = values, "send"
    end
    if reaper.ImGui_Button(context, "Cancel (Esc)###cancel") or key == "closed" then
      outcome = "closed"
    end
    reaper.ImGui_Separator(context)
    show_status(context, self.content())
    reaper.ImGui_End(context)
  end
  return open and outcome or "closed"
end

-- Return a function that makes something anew at most every so many seconds.
local function now_and_then(make, period)
  local made, due = nil, 0
  return function()
    local now = reaper.time_precise()
    if made == nil or now >= due then
      made, due = make(), now + period
    end
    return made
  end
end

-- Show the form. ``source`` says what is sent, or where the take goes. ``done`` gets the values and what was typed, or nil if it was
-- closed.
function window.form(action, daemon, source, typed, done)
  status = status or import("status")
  local box = import("mailbox").open()
  local began = reaper.time_precise()
  local self = { context = reaper.ImGui_CreateContext(TITLE), action = action, daemon = daemon, typed = typed, source = source }
  self.content = now_and_then(function()
    self.daemon = box:daemon() or daemon
    return status.content(box, began)
  end, PERIOD)
  local over = false
  reaper.atexit(function() -- pressed again, or ended from outside: what was typed is kept
    if not over then
      trap.quiet(done, nil, self.typed)
    end
  end)
  local function loop()
    local outcome = "closed"
    trap.quiet(function() outcome = frame(self) end)
    if outcome == "open" then
      return reaper.defer(loop)
    end
    over = true
    trap.action(done, outcome == "send" and self.values or nil, self.typed)
  end
  loop()
end

-- Show the status until the window is closed.
function window.status(content, period)
  local context = reaper.ImGui_CreateContext(TITLE)
  local current = now_and_then(content, period)
  local function loop()
    local open = false
    trap.quiet(function()
      local visible
      reaper.ImGui_SetNextWindowSize(context, 640, 420, reaper.ImGui_Cond_FirstUseEver())
      visible, open = reaper.ImGui_Begin(context, TITLE .. ": status", true)
      if visible then
        show_status(context, current())
        reaper.ImGui_End(context)
      end
    end)
    if open then
      reaper.defer(loop)
    end
  end
  loop()
end

return window
