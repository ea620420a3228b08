-- JSON (RFC 8259), strict. Objects and arrays are tables; an array is made with json.array, and a table with elements
-- 1..n and nothing else is one, too. null is json.null in arrays and a missing key in objects. Whole numbers of a file
-- become integers, so that a seed is told as it was.

local json = {}

json.null = setmetatable({}, { __tostring = function() return "null" end })
local Array = {}

local DEEPEST = 100

-- Mark a table as an array, so that it is one also when it is empty.
function json.array(list)
  return setmetatable(list or {}, Array)
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- Names of tracks and files can hold any bytes; what is no UTF-8 becomes U+FFFD, or no reader would take the file.
local function whole_utf8(text)
  local bad = select(2, utf8.len(text))
  if not bad then
    return text
  end
  local parts, from = {}, 1
  while bad do
    parts[#parts + 1] = text:sub(from, bad - 1)
    parts[#parts + 1] = "\u{FFFD}"
    from = bad + 1
    bad = select(2, utf8.len(text, from))
    if from > #text then
      bad = nil
    end
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
end

local function encode_string(text)
  return '"' .. whole_utf8(text):gsub('[%c"\\\127]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end) .. '"'
end

local function encode_number(number)
  if math.type(number) == "integer" then
    return string.format("%d", number)
  end
  if number ~= number or number == math.huge or number == -math.huge then
    error("no number that JSON knows: " .. tostring(number))
  end
  local short = string.format("%.14g", number)
  if tonumber(short) ~= number then
    short = string.format("%.17g", number)
  end
  return (short:gsub(",", ".")) -- some systems write a decimal comma
end

local function is_array(value)
  if getmetatable(value) == Array then
    return true
  end
  local count = #value
  if count == 0 then
    return false
  end
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > count then
      return false
    end
  end
  return true
end

local encode

local function encode_table(value, depth)
  if value == json.null then
    return "null"
  end
  if depth > DEEPEST then
    error("too deep for JSON")
  end
  local parts = {}
  if is_array(value) then
    for index = 1, #value do
      parts[index] = encode(value[index], depth + 1)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local names = {}
  for name in pairs(value) do
    if type(name) ~= "string" then
      error("a key of a JSON object is text, not " .. type(name))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    parts[index] = encode_string(name) .. ":" .. encode(value[name], depth + 1)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

encode = function(value, depth)
  local kind = type(value)
  if kind == "string" then
    return encode_string(value)
  elseif kind == "number" then
    return encode_number(value)
  elseif kind == "boolean" then
    return tostring(value)
  elseif kind == "table" then
    return encode_table(value, depth)
  end
  error("JSON has no " .. kind)
end

-- Return a value as JSON on one line, keys in order.
function json.encode(value)
  return encode(value, 1)
end

local function escaped(character)
  local code = utf8.codepoint(character)
  if code < 0x10000 then
    return string.format("\\u%04x", code)
  end
  code = code - 0x10000
  return string.format("\\u%04x\\u%04x", 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
end

-- Return a value as JSON as json.encode does, with nothing in it but ASCII.
function json.encode_ascii(value)
  return (json.encode(value):gsub("[\194-\244][\128-\191]*", escaped)) -- only texts hold other characters
end

local decode

local function fail(text, at, what)
  local _, line = text:sub(1, at):gsub("\n", "")
  error(string.format("JSON, line %d, byte %d: %s", line + 1, at, what), 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local UNESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function code_unit(text, at)
  local hex = text:match("^%x%x%x%x", at)
  if not hex then
    fail(text, at, "four hexadecimal digits expected")
  end
  return tonumber(hex, 16)
end

local function decode_unicode(text, at)
  local code = code_unit(text, at)
  local after = at + 4
  if code >= 0xD800 and code <= 0xDBFF and text:sub(after, after + 1) == "\\u" then
    local low = code_unit(text, after + 2)
    if low >= 0xDC00 and low <= 0xDFFF then
      return utf8.char(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), after + 6
    end
  end
  if code >= 0xD800 and code <= 0xDFFF then
    code = 0xFFFD -- half a pair
  end
  return utf8.char(code), after
end

local function decode_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('["\\%c]', from)
    if not stop then
      fail(text, at, "text without an end")
    end
    parts[#parts + 1] = text:sub(from, stop - 1)
    local found = text:sub(stop, stop)
    if found == '"' then
      return table.concat(parts), stop + 1
    elseif found == "\127" then
      parts[#parts + 1], from = found, stop + 1
    elseif found ~= "\\" then
      fail(text, stop, "a control character in text")
    else
      local escape = text:sub(stop + 1, stop + 1)
      if escape == "u" then
        parts[#parts + 1], from = decode_unicode(text, stop + 2)
      elseif UNESCAPES[escape] then
        parts[#parts + 1], from = UNESCAPES[escape], stop + 2
      else
        fail(text, stop, "no such escape")
      end
    end
  end
end

local function decode_number(text, at)
  local number = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  local whole = number and number:match("^-?(%d+)")
  if not number or (#whole > 1 and whole:sub(1, 1) == "0") or number:find("%.$") or number:find("%.[eE]") then
    fail(text, at, "no number")
  end
  local value = tonumber(number)
  if not value then
    fail(text, at, "no number")
  end
  return value, at + #number
end

local function decode_array(text, at, depth)
  local list = json.array()
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then
    return list, at + 1
  end
  while true do
    local value
    value, at = decode(text, at, depth)
    list[#list + 1] = value
    at = skip(text, at)
    local mark = text:sub(at, at)
    if mark == "]" then
      return list, at + 1
    elseif mark ~= "," then
      fail(text, at, "a comma or ] expected")
    end
    at = skip(text, at + 1)
  end
end

local function decode_object(text, at, depth)
  local object = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then
    return object, at + 1
  end
  while true do
    if text:sub(at, at) ~= '"' then
      fail(text, at, "a name in quotes expected")
    end
    local name, value
    name, at = decode_string(text, at)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then
      fail(text, at, "a colon expected")
    end
    value, at = decode(text, skip(text, at + 1), depth)
    if value ~= json.null then
      object[name] = value
    end
    at = skip(text, at)
    local mark = text:sub(at, at)
    if mark == "}" then
      return object, at + 1
    elseif mark ~= "," then
      fail(text, at, "a comma or } expected")
    end
    at = skip(text, at + 1)
  end
end

local WORDS = { { "true", true }, { "false", false }, { "null", json.null } }

decode = function(text, at, depth)
  if depth > DEEPEST then
    fail(text, at, "too deep")
  end
  local first = text:sub(at, at)
  if first == '"' then
    return decode_string(text, at)
  elseif first == "{" then
    return decode_object(text, at, depth + 1)
  elseif first == "[" then
    return decode_array(text, at, depth + 1)
  end
  for _, word in ipairs(WORDS) do
    if text:sub(at, at + #word[1] - 1) == word[1] then
      return word[2], at + #word[1]
    end
  end
  return decode_number(text, at)
end

-- Return what JSON text says, or nil and what is wrong with it.
function json.decode(text)
  local fine, value, after = pcall(decode, text, skip(text, 1), 1)
  if not fine then
    return nil, value
  end
  after = skip(text, after)
  if after <= #text then
    return nil, string.format("JSON, byte %d: something stands behind the end", after)
  end
  return value
end

return json
