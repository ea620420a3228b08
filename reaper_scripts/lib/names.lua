-- Texts that a person has typed, as names and lines of something else.

local names = {}

-- Return a text on one line, of at most so many characters; what was cut off is told by "…".
function names.short(text, most)
  text = text:gsub("%c", " ")
  local length = utf8.len(text)
  if not length then -- not UTF-8: bytes
    return text:sub(1, most)
  end
  return length > most and text:sub(1, utf8.offset(text, most) - 1) .. "…" or text
end

return names
