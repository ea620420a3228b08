-- The form of a request: its fields, how typed text is read, what it costs. Both dialogs (REAPER's own and the window of
-- ReaImGui) show this form.

local import = ...
local memory = import("memory")
local parameters = import("parameters")

local form = {}

form.CAPTURES = { "heard", "no fx", "dry" }
form.INTO = "take" -- of the source item
form.TRACKS = { "new", "same", "lane", "silent lane", form.INTO }
local USUAL_LENGTH = 30 -- s, of the bridge's defaults

local BOTH = { "generate", "transform" }
local TRANSFORM = { "transform" }

-- kind: text, or number and whole with "" for "as the bridge or the preset has it", or one of a few words.
local PRESET = { key = "preset", label = "Preset (empty: none)", kind = "text", default = "", on = BOTH }
local PLACING = {
  { key = "length", label = "Length in s", kind = "number", low = 0.01, high = 190, default = "", on = BOTH },
  { key = "capture", label = "Capture", words = form.CAPTURES, default = "heard", on = TRANSFORM },
  { key = "track", label = "Track", words = form.TRACKS, default = "new", on = BOTH },
}
local FIELDS = {}

for _, one in ipairs(parameters) do
  if one.form then
    one.default = ""
    table.insert(FIELDS, one.kind == "choice" and #FIELDS or #FIELDS + 1, one) -- before the variations, which the places follow
    FIELDS[#FIELDS + 1] = one.key == "prompt" and PRESET or nil
  end
end
table.move(PLACING, 1, #PLACING, #FIELDS + 1, FIELDS)

for _, field in ipairs(FIELDS) do
  if field.words then
    field.kind = "word"
    field.label = field.label .. ": " .. table.concat(field.words, ", ")
  elseif field.choices then
    local number = field.low and string.format(", %g to %g LUFS", field.low, field.high) or ""
    field.label = field.label .. ": " .. table.concat(field.choices, ", ") .. number
  end
end

local COMMON = { loudness = { "-14", "-16", "-18", "-23" } } -- LUFS that people ask for

-- Return the texts of a field that a list can offer: its words, or its choices with some numbers and what is typed now; or nil.
function form.offered(field, typed)
  if not field.choices then
    return field.words
  end
  local list = { "", table.unpack(field.choices) }
  table.move(COMMON[field.key] or {}, 1, #(COMMON[field.key] or {}), #list + 1, list)
  for _, text in ipairs(list) do
    if text == typed then
      return list
    end
  end
  list[#list + 1] = typed
  return list
end

-- Return the fields of an action ("generate" or "transform").
function form.fields(action)
  local found = {}
  for _, field in ipairs(FIELDS) do
    for _, name in ipairs(field.on) do
      if name == action then
        found[#found + 1] = field
      end
    end
  end
  return found
end

-- Return the text in each field to begin with: the last values; the length of what is selected, and a new seed; over all of them what
-- was typed and not sent (``draft``).
function form.start(action, length, draft)
  local last, values = memory.values(action), {}
  for _, field in ipairs(form.fields(action)) do
    local value = last[field.key]
    values[field.key] = type(value) == "string" and value or field.default
  end
  values.seed = ""
  if length then
    values.length = string.format("%.9f", length):gsub("0+$", ""):gsub("%.$", "")
  end
  for key in pairs(values) do
    local typed = draft and draft[key]
    values[key] = type(typed) == "string" and (typed ~= "" or key ~= "length") and typed or values[key]
  end
  return values
end

local function number_of(text)
  return tonumber((text:gsub(",", ".")))
end

local function read_number(field, text)
  local number = number_of(text)
  if field.kind == "whole" then
    number = number and math.tointeger(number)
  end
  if not number or number < field.low or number > field.high then
    local what = field.kind == "whole" and "a whole number" or "a number"
    return nil, string.format("%s: %s from %g to %.0f", field.label, what, field.low, field.high)
  end
  return number
end

-- One of some words, or a number where that is allowed, too.
local function read_choice(field, text)
  for _, word in ipairs(field.choices) do
    if text:lower() == word then
      return word
    end
  end
  local number = field.low and number_of(text)
  if number and number >= field.low and number <= field.high then
    return number
  end
  return nil, field.label .. ": one of these"
end

local function read_field(field, text)
  if field.kind == "text" then
    return text
  elseif field.kind == "choice" then
    return read_choice(field, text)
  elseif field.kind ~= "word" then
    return read_number(field, text)
  end
  for _, word in ipairs(field.words) do
    if text:lower() == word then
      return word
    end
  end
  return nil, field.label .. ": one of these words"
end

-- Read what was typed. Returns the values with empty fields left out, or nil and every fault in one text.
function form.read(action, typed)
  local values, faults = {}, {}
  for _, field in ipairs(form.fields(action)) do
    local text = (typed[field.key] or ""):match("^%s*(.-)%s*$")
    if text ~= "" then
      local value, fault = read_field(field, text)
      values[field.key] = value
      faults[#faults + 1] = fault
    end
  end
  if not values.prompt and not values.preset then
    faults[#faults + 1] = "Prompt: say what you want to hear, or name a preset"
  end
  if #faults > 0 then
    return nil, table.concat(faults, "\n")
  end
  values.capture = values.capture or "heard"
  values.track = values.track or "new"
  return values
end

local function dollars(usd)
  return (string.format("$%.2f", usd):gsub(",", "."))
end

form.dollars = dollars

local function preset_of(daemon, values)
  local presets = daemon and daemon.presets
  local preset = type(presets) == "table" and presets[values.preset or ""]
  return type(preset) == "table" and preset or {}
end

-- Return how many takes a request asks for: what was typed, else what its preset says.
function form.variations(daemon, values)
  return values.variations or math.tointeger(tonumber(preset_of(daemon, values).variations)) or 1
end

-- Tell whether the take is to go behind its source, and continue it.
function form.continues(daemon, values)
  return tonumber(preset_of(daemon, values).continue_from) ~= nil
end

-- Return how long a take is to be, s: what was typed, else what is selected (nil: nothing), else what the preset says.
function form.length(daemon, values, selected)
  return values.length or selected or tonumber(preset_of(daemon, values).duration) or USUAL_LENGTH
end

-- Return what a request costs in dollars, or nil if the bridge has not said its price.
function form.price(daemon, values)
  local each = daemon and tonumber(daemon.price_usd)
  return each and each * form.variations(daemon, values)
end

-- Return the question before the same press is sent once more. ``price``: what that costs in dollars, or nil.
function form.same_again(price)
  return "This is the same press as the one before it, so it was not sent. Nothing was spent for it.\n\nSend it again"
    .. (price and price > 0 and " for " .. dollars(price) or "") .. "?"
end

-- Return one line about money and the bridge, for the head of the dialog.
function form.headline(daemon)
  if not daemon then
    return "the bridge has said nothing yet"
  end
  local parts = {}
  local price, spent, limit = tonumber(daemon.price_usd), tonumber(daemon.spent_today_usd), tonumber(daemon.limit_today_usd)
  if daemon.engine == "sketch" then
    parts[#parts + 1] = "sketch engine, free"
  elseif price then
    parts[#parts + 1] = dollars(price) .. " a take"
  end
  if spent and limit and daemon.engine ~= "sketch" then
    parts[#parts + 1] = string.format("%s of %s left today", dollars(math.max(0, limit - spent)), dollars(limit))
  end
  if daemon.paused then
    parts[#parts + 1] = "PAUSED"
  end
  return table.concat(parts, ", ")
end

-- Return the question to ask before a dear request is sent, or nil; and the amount to agree to.
function form.question(daemon, values)
  local price = form.price(daemon, values)
  local limit = daemon and tonumber(daemon.confirm_above_usd) or 2
  if not price or price <= limit then
    return nil
  end
  local text = string.format(
    "This costs %s (%d at %s). You are asked above %s.\n\nSend it?",
    dollars(price),
    form.variations(daemon, values),
    dollars(tonumber(daemon.price_usd)),
    dollars(limit)
  )
  return text, price
end

return form
