-- Menus of REAPER's own, which need a window to stand in.

local menu = {}

local LONGEST = 120 -- characters of a line

local function line(text)
  text = text:gsub("[%c|]", " "):gsub("^[#!<>]+", "")
  local stop = utf8.len(text) and utf8.offset(text, LONGEST + 1)
  return stop and text:sub(1, stop - 1) .. "…" or text
end

-- Show lines. Returns the number of the one that was chosen, or nil.
function menu.choose(title, lines)
  local shown = {}
  for index, text in ipairs(lines) do
    shown[index] = line(text)
  end
  local x, y = reaper.GetMousePosition()
  gfx.init(title, 1, 1, 0, x, y) -- where the person looks; else it is wherever the system likes
  gfx.x, gfx.y = 0, 0
  local chosen = gfx.showmenu(table.concat(shown, "|"))
  gfx.quit()
  return chosen > 0 and chosen or nil
end

-- Show entries with a ``text`` each, and "all of these" above them. Returns the list of those that were chosen.
function menu.choose_some(title, entries)
  local lines = { string.format("%s: all %d", title, #entries) }
  for _, entry in ipairs(entries) do
    lines[#lines + 1] = entry.text
  end
  local chosen = menu.choose(title, lines)
  if not chosen then
    return {}
  end
  return chosen == 1 and entries or { entries[chosen - 1] }
end

return menu
