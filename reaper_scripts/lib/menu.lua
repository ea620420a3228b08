-- Menus of REAPER's own, which need a window to stand in.

local import = ...
local names = import("names")

local menu = {}

local LONGEST = 120 -- characters of a line

-- Return a text as a line of a menu: an empty one would be a rule, which is not counted, a mark in front would be read, and so would &.
local function line(text)
  text = names.short(text:gsub("|", " "), LONGEST):gsub("&", "&&")
  return (text == "" or text:find("^[#!<>]")) and " " .. text or text
end

-- Show lines in a window that is open, at gfx.x and gfx.y. ``current``: the one that is marked. Returns the number of the one that was
-- chosen, or nil.
function menu.show(lines, current)
  local shown = {}
  for index, text in ipairs(lines) do
    shown[index] = (text == current and "!" or "") .. line(text)
  end
  local chosen = gfx.showmenu(table.concat(shown, "|"))
  return chosen > 0 and chosen or nil
end

-- Show lines. Returns the number of the one that was chosen, or nil.
function menu.choose(title, lines)
  local x, y = reaper.GetMousePosition()
  gfx.init(title, 1, 1, 0, x, y) -- where the person looks; else it is wherever the system likes
  gfx.x, gfx.y = 0, 0
  local chosen = menu.show(lines)
  gfx.quit()
  return chosen
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
