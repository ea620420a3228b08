-- The panel's window without ReaImGui: gfx, with the same content and keys. A small kit of widgets that are drawn anew in each frame;
-- a list is REAPER's own menu. What is typed goes into the field that was clicked last.

local import = ...
local memory = import("memory")
local menu = import("menu")

local panel_gfx = {}

local WIDTH, HEIGHT, ROW, GAP, FONT = 420, 720, 22, 6, 15
local COLORS = {
  ground = { 0.13, 0.13, 0.14 }, text = { 0.92, 0.92, 0.92 }, dim = { 0.63, 0.63, 0.66 }, good = { 0.55, 0.83, 0.55 },
  bad = { 1, 0.6, 0.48 }, widget = { 0.24, 0.25, 0.28 }, over = { 0.32, 0.34, 0.38 }, bar = { 0.25, 0.45, 0.65 },
}
local CLOSED, ESCAPE, ENTER, LINE_FEED, BACKSPACE, CONTROL = -1, 27, 13, 10, 8, 4
local UNICODE = string.byte("u") << 24
local WHEEL = 120 / (2 * ROW) -- of the wheel's steps for a pixel
local NAME = "panel window"
local LINE = 200 -- characters that a field of one line shows at most
local FIELD, LEAST = 160, 60 -- pixels of a field beside its label

local function set(name)
  gfx.set(table.unpack(COLORS[name]))
end

local function put(text, x, y, color)
  set(color or "text")
  gfx.x, gfx.y = x, y
  gfx.drawstr(text)
end

local function width_of(text)
  return (gfx.measurestr(text))
end

-- Return how many bytes of a word fit into a width, at least one character.
local function fitting(word, width)
  local low, high = 1, utf8.len(word) or #word
  local stop = function(count) return (utf8.len(word) and utf8.offset(word, count + 1) or count + 1) - 1 end
  while low < high do
    local middle = (low + high + 1) // 2
    if width_of(word:sub(1, stop(middle))) <= width then
      low = middle
    else
      high = middle - 1
    end
  end
  return stop(low)
end

-- Cut a text into lines, at spaces; a word that is longer than a line, where it is full.
local function wrapped(text, width)
  local lines = {}
  for part in (text .. "\n"):gmatch("([^\n]*)\n") do
    local line = ""
    for word in part:gmatch("%S+") do
      local longer = line == "" and word or line .. " " .. word
      if line ~= "" and width_of(longer) > width then
        lines[#lines + 1], line = line, word
      else
        line = longer
      end
      while line == word and width_of(word) > width and (utf8.len(word) or #word) > 1 do
        local stop = fitting(word, width)
        lines[#lines + 1] = word:sub(1, stop)
        word = word:sub(stop + 1)
        line = word
      end
    end
    lines[#lines + 1] = line
  end
  return lines
end

local function is_over(x, y, w, h)
  return gfx.mouse_x >= x and gfx.mouse_x < x + w and gfx.mouse_y >= y and gfx.mouse_y < y + h
end

-- Return where the next widget of a width goes.
local function place(self, width, height)
  if self.beside and self.last_right + GAP + width <= gfx.w - GAP then
    self.beside = false
    self.last_right = self.last_right + GAP + width
    self.y = math.max(self.y, self.last_y + height + GAP)
    return self.last_right - width, self.last_y
  end
  self.beside = false
  local x, y = GAP, self.y
  self.last_y, self.last_right, self.y = y, x + width, y + height + GAP
  return x, y
end

local function box(self, id, x, y, w, h, off)
  local over = not off and is_over(x, y, w, h)
  set((over or self.focus == id) and "over" or "widget")
  gfx.rect(x, y, w, h, true)
  return over and self.clicked
end

-- Return the lines of a text, which are found once while it is shown.
local function lines_of(self, text, width)
  local key = text .. "\0" .. width
  self.fresh[key] = self.fresh[key] or self.wraps[key] or wrapped(text, width)
  return self.fresh[key]
end

-- Return the end of a text that fits into a width.
local function cut(text, width)
  text = utf8.len(text) and utf8.offset(text, -LINE) and text:sub(utf8.offset(text, -LINE)) or text
  while text ~= "" and width_of(text) > width do
    text = text:sub((utf8.offset(text, 2) or #text + 1))
  end
  return text
end

local function add_texts(ui, self)
  function ui.text(text, tone)
    local lines, widest = lines_of(self, text, gfx.w - 2 * GAP - (self.beside and self.last_right or 0)), 0
    for _, line in ipairs(lines) do
      widest = math.max(widest, width_of(line))
    end
    local x, y = place(self, widest, #lines * (FONT + 3))
    for index, line in ipairs(lines) do
      put(line, x, y + (index - 1) * (FONT + 3) + (self.last_y == y and x > GAP and 3 or 0), tone)
    end
  end

  function ui.letters() return math.huge end -- what does not fit goes into the next line

  function ui.same() self.beside = true end

  function ui.line()
    local x, y = place(self, gfx.w - 2 * GAP, 1)
    set("over")
    gfx.rect(x, y, gfx.w - 2 * GAP, 1, true)
  end

  function ui.bar(_, part)
    local x, y = place(self, gfx.w - 2 * GAP, 4)
    set("widget")
    gfx.rect(x, y, gfx.w - 2 * GAP, 4, true)
    set("bar")
    gfx.rect(x, y, (gfx.w - 2 * GAP) * part, 4, true)
  end

  function ui.wave(_, columns)
    local width, height = gfx.w - 2 * GAP, 56
    local x, y = place(self, width, height)
    set("widget")
    gfx.rect(x, y, width, height, true)
    set("bar")
    for index, level in ipairs(columns) do
      local half = math.max(0.5, level * height / 2)
      gfx.rect(x + (index - 1) * width / #columns, y + height / 2 - half, math.max(1, width / #columns - 1), 2 * half, true)
    end
  end
end

-- Return where a field goes and how wide it is, with its label drawn beside it, or above it where the window is narrow.
local function beside_label(ui, self, label)
  local room = gfx.w - 3 * GAP - width_of(label)
  local w = math.min(FIELD, room)
  if w < LEAST then
    ui.text(label)
    w = math.min(FIELD, gfx.w - 2 * GAP)
    return w, place(self, w, ROW)
  end
  local x, y = place(self, w + GAP + width_of(label), ROW)
  put(label, x + w + GAP, y + 3)
  return w, x, y
end

local function add_fields(ui, self)
  function ui.input(id, label, text, many)
    local w, h = gfx.w - 2 * GAP, many and 3 * ROW or ROW
    local x, y
    if many then
      ui.text(label)
      x, y = place(self, w, h)
    else
      w, x, y = beside_label(ui, self, label)
    end
    if box(self, id, x, y, w, h) then
      self.focus = id
    end
    if self.focus == id then
      text = text .. self.typed
      for _ = 1, self.erased do
        text = text:sub(1, (utf8.offset(text, -1) or 1) - 1)
      end
      text = self.entered and many and text .. "\n" or text
      self.typed, self.erased, self.entered = "", 0, false
    end
    local shown = text .. (self.focus == id and "|" or "")
    local lines = many and lines_of(self, shown, w - 8) or { cut(shown, w - 8) }
    for index = math.max(1, #lines - 2), #lines do
      put(lines[index], x + 4, y + 3 + (index - math.max(1, #lines - 2)) * (FONT + 3))
    end
    return text
  end

  function ui.slider(id, label, value, low, high, whole)
    local w, x, y = beside_label(ui, self, label)
    local pressed, moved = box(self, id, x, y, w, ROW), nil
    self.dragged = pressed and id or self.dragged
    if self.dragged == id then
      local part = math.max(0, math.min(1, (gfx.mouse_x - x) / w))
      moved = low + part * (high - low)
      moved = whole and math.floor(moved + 0.5) or moved
    end
    local now = moved or value
    set("bar")
    gfx.rect(x, y, w * math.max(0, math.min(1, (now - low) / (high - low))), ROW, true)
    put(string.format(whole and "%.0f" or "%.2f", now), x + 4, y + 3)
    return moved
  end
end

local function add_choices(ui, self)
  function ui.button(id, label, enabled)
    local off = enabled == false
    local w = width_of(label) + 16
    local x, y = place(self, w, ROW)
    local pressed = box(self, id, x, y, w, ROW, off)
    put(label, x + 8, y + 3, off and "dim" or "text")
    return pressed and not off
  end

  function ui.check(id, label, value)
    local x, y = place(self, ROW + GAP + width_of(label), ROW)
    local pressed = box(self, id, x, y, ROW, ROW)
    if value then
      set("bar")
      gfx.rect(x + 5, y + 5, ROW - 10, ROW - 10, true)
    end
    put(label, x + ROW + GAP, y + 3)
    if pressed then
      return not value
    end
    return value
  end

  function ui.combo(id, label, current, list)
    local w, x, y = beside_label(ui, self, label)
    local pressed = box(self, id, x, y, w, ROW)
    put(cut(current, w - 24), x + 4, y + 3)
    put("v", x + w - 14, y + 3, "dim")
    if not pressed then
      return nil
    end
    gfx.x, gfx.y = x, y + ROW
    return list[menu.show(list, current) or 0]
  end
end

-- Read the keys of a turn. Returns false if the window was closed.
local function read_keys(self)
  self.key, self.typed, self.erased, self.entered = nil, "", 0, false
  for _ = 1, 64 do
    local key = gfx.getchar()
    if key == CLOSED then
      return false
    elseif key == 0 then
      return true
    elseif key == ESCAPE then
      self.key = "stop"
    elseif (key == ENTER or key == LINE_FEED) and gfx.mouse_cap & CONTROL ~= 0 then -- some systems make Ctrl+Enter a line feed
      self.key = "send"
    elseif key == ENTER then
      self.entered = true
    elseif key == BACKSPACE then
      self.erased = self.erased + 1
    elseif key >= 32 and key < 127 or key & 0xFF000000 == UNICODE then
      self.typed = self.typed .. utf8.char(key & 0xFFFFFF)
    elseif key >= 160 and key < 256 then
      self.typed = self.typed .. utf8.char(key)
    end
  end
  return true
end

local function begin(self)
  local down = gfx.mouse_cap & 1 ~= 0
  self.clicked, self.was_down = down and not self.was_down, down
  self.dragged = down and self.dragged or nil
  self.scroll = math.max(0, math.min(math.max(0, self.height - gfx.h), self.scroll - gfx.mouse_wheel / WHEEL))
  gfx.mouse_wheel = 0
  self.y, self.beside, self.wraps, self.fresh = GAP - self.scroll, false, self.fresh, {}
  set("ground")
  gfx.rect(0, 0, gfx.w, gfx.h, true)
end

-- Return a window.
function panel_gfx.new(title)
  local kept = memory.values(NAME)
  local self = { focus = "prompt", fresh = {}, wraps = {}, scroll = 0, height = 0, was_down = false }
  gfx.init(title, WIDTH, HEIGHT, math.tointeger(tonumber(kept.dock)) or 1)
  gfx.setfont(1, "Arial", FONT)
  local ui = {}
  add_texts(ui, self)
  add_fields(ui, self)
  add_choices(ui, self)
  function ui.key() return self.key end
  function ui.quit() gfx.quit() end

  -- Draw a frame. Tells whether the window is open still.
  function ui.frame(draw)
    if not read_keys(self) then
      return false
    end
    begin(self)
    draw()
    self.height = self.y + self.scroll
    gfx.update()
    local dock = gfx.dock(-1)
    if dock ~= self.dock then
      self.dock = dock
      memory.keep_values(NAME, { dock = string.format("%d", dock) })
    end
    return true
  end

  return ui
end

return panel_gfx
