-- Ardour's dialogs. Each is modal, and Ardour goes on below it.

local import = ...
local form = import("form")

local dialog = {}

local TITLE = "DAW Bridge"
local NONE = "none"
local ELSEWHERE = { capture = true, track = true } -- fields of REAPER's form

-- Show a text.
function dialog.tell(text)
  LuaDialog.Message(TITLE, text, LuaDialog.MessageType.Info, LuaDialog.ButtonType.Close):run()
end

-- Ask a question. Returns true for yes.
function dialog.ask(text)
  local answer = LuaDialog.Message(TITLE, text, LuaDialog.MessageType.Question, LuaDialog.ButtonType.Yes_No):run()
  return answer == LuaDialog.Response.Yes
end

local function preset_choices(daemon, typed)
  local choices, chosen = { [NONE] = "" }, NONE
  for name in pairs(type(daemon.presets) == "table" and daemon.presets or {}) do
    choices[name] = name
    chosen = name == typed and name or chosen
  end
  return choices, chosen
end

local function row(field, typed, daemon)
  if field.key == "preset" then
    local choices, chosen = preset_choices(daemon, typed)
    return { type = "dropdown", key = "preset", title = "Preset", values = choices, default = chosen }
  end
  return { type = "entry", key = field.key, title = field.label, default = typed }
end

-- Show the form of an action once. Returns what was typed, or nil where it was cancelled.
local function once(action, daemon, subject, typed)
  local rows = {
    { type = "heading", title = subject, align = "left" },
    { type = "heading", title = form.headline(daemon), align = "left" },
  }
  for _, field in ipairs(form.fields(action)) do
    if not ELSEWHERE[field.key] then
      rows[#rows + 1] = row(field, typed[field.key] or "", daemon)
    end
  end
  local told = LuaDialog.Dialog(TITLE .. ": " .. action, rows):run()
  if not told then
    return nil
  end
  local read = {}
  for _, field in ipairs(form.fields(action)) do
    read[field.key] = told[field.key] or typed[field.key] or field.default
  end
  return read
end

-- Show the form until it is right, or cancelled. ``subject`` says what is sent, or where the take goes. Returns the values (nil if it
-- was cancelled), and what was typed.
function dialog.form(action, daemon, subject, typed)
  while true do
    local read = once(action, daemon, subject, typed)
    if not read then
      return nil, typed
    end
    local values, fault = form.read(action, read)
    if values then
      return values, read
    end
    typed = read
    dialog.tell(fault)
  end
end

-- Ask before a dear request is sent. Returns true and the amount agreed to (nil where none was asked for), or false.
function dialog.price(daemon, values)
  local question, amount = form.question(daemon, values)
  if not question then
    return true, nil
  end
  return dialog.ask(question), amount
end

return dialog
