-- The form in REAPER's own dialog, GetUserInputs, which has traps. It splits captions at commas whatever is said. It splits values
-- at a newline here, so that a prompt may hold commas. A quote, an apostrophe or an open parenthesis in a value to begin with
-- swallows the fields behind it and cannot be escaped: other characters stand in for them. It is short of room.

local import = ...
local form = import("form")
local memory = import("memory")
local menu = import("menu")

local ask = {}

local TITLE = "DAW Bridge"
local ROOM, LONGEST = 1000, 800 -- bytes that surely fit into the dialog: of all values, and of one
local NEWLINE = "\n"
local TOO_LONG = "This is too long for REAPER's dialog, so its end was cut off. Install ReaImGui for a larger one, or put the prompt "
  .. "into a preset."

-- What the dialog reads as quotes and brackets of its own, and what it shows in their place.
local STAND_INS = { ["'"] = "\u{2019}", ['"'] = "\u{201D}", ["`"] = "\u{2018}", ["("] = "\u{FF08}", [")"] = "\u{FF09}" }

-- Return as much of a text as there is room for beside the other fields.
local function cut(text)
  local stop = math.min(#text, LONGEST)
  while stop < #text and text:byte(stop + 1) & 0xC0 == 0x80 do -- within a character
    stop = stop - 1
  end
  return text:sub(1, stop)
end

-- Return a text that REAPER can show as a value to begin with.
function ask.showable(text)
  return cut((text:gsub("[%c]+", " "):gsub("['\"`()]", STAND_INS)))
end

-- Return what was typed over a text, with the marks that stood in for its own turned back. A mark that the text had
-- itself is left alone.
local function typed_over(before, typed)
  for mark, stand_in in pairs(STAND_INS) do
    if before:find(mark, 1, true) and not before:find(stand_in, 1, true) then
      typed = typed:gsub(stand_in, mark)
    end
  end
  return typed
end

local function captions(fields)
  local parts = {}
  for _, field in ipairs(fields) do
    local label = field.key == "prompt" and "Prompt (? = earlier ones)" or field.label
    parts[#parts + 1] = (label:gsub(", ", " / "):gsub(",", " "))
  end
  parts[#parts + 1] = "extrawidth=320"
  parts[#parts + 1] = "separator=" .. NEWLINE
  return table.concat(parts, ",")
end

local function split(text)
  local parts = {}
  for part in (text .. NEWLINE):gmatch("([^\n]*)\n") do
    parts[#parts + 1] = part
  end
  return parts
end

-- Return what was typed, field by field. What was not touched is what it was, also if it could not be shown as it is.
local function fields_of(fields, typed, shown, parts)
  local read = {}
  for index, field in ipairs(fields) do
    local before = typed[field.key] or ""
    read[field.key] = parts[index] == shown[index] and before or typed_over(before, parts[index])
  end
  return read
end

-- Show the fields once. Returns what was typed, nil if it was cancelled, or nil and a fault, and what to go on with.
local function once(title, fields, typed)
  local shown = {}
  for index, field in ipairs(fields) do
    shown[index] = ask.showable(typed[field.key] or "")
  end
  local agreed, text = reaper.GetUserInputs(title, #fields, captions(fields), table.concat(shown, NEWLINE))
  if not agreed then
    return nil
  end
  local parts = split(text)
  if #parts ~= #fields then
    return nil, "REAPER's dialog returned different fields. Leave out quotes and parentheses."
  end
  local read = fields_of(fields, typed, shown, parts)
  if #text > ROOM then -- REAPER may have cut it: what is sent is what is seen
    for key, value in pairs(read) do
      read[key] = cut(value)
    end
    return nil, TOO_LONG, read
  end
  return read
end

local function earlier_prompt()
  local prompts = memory.prompts()
  local chosen = #prompts > 0 and menu.choose(TITLE, prompts)
  return chosen and prompts[chosen]
end

-- Show the form until it is right or cancelled. ``source`` says what is sent, or where the take goes. Returns the values (nil if it was
-- cancelled) and what was typed: REAPER does not tell what was typed into a dialog that is cancelled, but what was typed before.
function ask.form(action, daemon, source, typed)
  local fields = form.fields(action)
  local title = string.format("%s: %s %s (%s)", TITLE, action, source, form.headline(daemon))
  while true do
    local read, fault, rest = once(title, fields, typed)
    if not read and not fault then
      return nil, typed
    end
    typed = read or rest or typed
    if read and read.prompt:match("^%s*%?%s*$") == nil then
      local values
      values, fault = form.read(action, read)
      if values then
        return values, read
      end
    elseif read then
      typed.prompt = earlier_prompt() or ""
    end
    if fault then
      reaper.MB(fault, TITLE, 0)
    end
  end
end

-- Ask before a dear request is sent. Returns true and the amount agreed to (nil if none was asked for), or false.
function ask.price(daemon, values)
  local question, amount = form.question(daemon, values)
  if not question then
    return true, nil
  end
  return reaper.MB(question, TITLE, 4) == 6, amount
end

return ask
