-- The panel: one window that stays open, docked where the person likes it. What it says is made by lib/panel_model.lua; it is drawn by
-- ReaImGui (lib/panel_imgui.lua), or without it by gfx (lib/panel_gfx.lua), with the same content and keys.

local import = ...
local form = import("form")
local mailbox = import("mailbox")
local model = import("panel_model")
local options = import("placing_options")
local start_bridge = import("start_bridge")
local toolbar = import("toolbar")
local trap = import("trap")

local panel = {}

local TITLE = "DAW Bridge"
local AS_USUAL = "as usual"
local MORE = { cfg_scale = true, steps = true, seed = true, length = true, capture = true }
local FIRST = { variations = true, strength = true, fit = true, loudness = true }
local MUTE, FADE, CROSSFADE = "Mute the source", "Fades in ms", "Crossfade into neighbours, ms"

-- Return a strength in words. ``one`` is what the model makes of 1.
function panel.strength(value, one)
  if value >= 0.67 then
    return one
  end
  return value <= 0.33 and "far from the source" or "half way"
end

local function preset_names(daemon)
  local names = {}
  for name in pairs(daemon and type(daemon.presets) == "table" and daemon.presets or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  table.insert(names, 1, "none")
  return names
end

local function show_bridge(ui, self)
  for index, line in ipairs(self.lines) do
    ui.text(line, not self.runs and "bad" or index > 1 and "dim" or nil)
  end
  if not self.runs and not self.starting and start_bridge.line() then
    if ui.button("start", "Start the bridge") then
      self:start()
    end
  elseif self.runs then
    if ui.button("pause", self.daemon.paused and "Send again" or "Pause sending") then
      self:pause_or_resume()
    end
    ui.same()
    ui.text(self.watches and "Takes are placed as they arrive." or "No take is on its way.", "dim")
  end
end

local function show_source(ui, self)
  local other = self.action == "transform" and "generate" or "transform"
  ui.text(self.action == "transform" and "Transform what is selected" or "Generate something new")
  ui.same()
  if ui.button("action", other == "generate" and "Generate instead" or "Transform instead") then
    self:set_action(other)
  end
  if self.problem then
    ui.text(self.problem, "bad")
  elseif self.source then
    local source = self.source:gsub("–", " to ") -- not every font has the dash
    ui.text((self.action == "transform" and "Will be sent: " or "Goes to: ") .. source, "good")
  end
  if self.view and self.view.known then
    ui.wave("wave", self.view.columns)
  end
end

local function show_prompt(ui, self)
  self.typed.prompt = ui.input("prompt", "Prompt", self.typed.prompt, true)
  if #self.prompts > 0 then
    self.typed.prompt = ui.combo("earlier", "Earlier prompts", "", self.prompts) or self.typed.prompt
  end
  local preset = self.typed.preset ~= "" and self.typed.preset or "none"
  local chosen = ui.combo("preset", "Preset", preset, preset_names(self.daemon))
  if chosen then
    self.typed.preset = chosen ~= "none" and chosen or ""
  end
end

local function text_of(field, number)
  return field.kind == "whole" and string.format("%.0f", number) or (string.format("%.2f", number):gsub(",", "."))
end

local function show_number(ui, self, field)
  local typed = self.typed
  local set = typed[field.key] ~= ""
  local now = tonumber((typed[field.key]:gsub(",", "."))) or field.start
  local note = not set and AS_USUAL or field.key == "strength" and panel.strength(now, field.one_means) or nil
  local label = field.label .. (note and ": " .. note or "")
  local moved = ui.slider(field.key, label, now, field.low, field.high, field.kind == "whole")
  if moved then
    typed[field.key] = text_of(field, moved)
  elseif set then
    ui.same()
    if ui.button("reset_" .. field.key, "Reset") then
      typed[field.key] = ""
    end
  end
  if field.key == "strength" then
    ui.text("0: far from the source. 1: " .. field.one_means .. ".", "dim")
  end
end

local function show_field(ui, self, field)
  local list = form.offered(field, self.typed[field.key])
  if list then
    local label, shown = field.label:match("^[^:]*"), {}
    for index, text in ipairs(list) do
      shown[index] = text == "" and AS_USUAL or text
    end
    local now = self.typed[field.key]
    local chosen = ui.combo(field.key, label, now == "" and AS_USUAL or now, shown)
    self.typed[field.key] = chosen == AS_USUAL and "" or chosen or now
  elseif field.start then
    show_number(ui, self, field)
  else
    self.typed[field.key] = ui.input(field.key, field.label, self.typed[field.key])
  end
end

local function show_fields(ui, self, wanted)
  for _, field in ipairs(form.fields(self.action)) do
    if wanted(field.key) then
      show_field(ui, self, field)
    end
  end
end

local function show_placing(ui, self)
  local placing = self.placing
  show_fields(ui, self, function(key) return key == "track" end)
  if self.action == "transform" then
    placing.mute = ui.check("mute", MUTE, placing.mute)
  end
  placing.fade = ui.slider("fade", FADE, placing.fade, 0, 100, true) or placing.fade
  placing.crossfade = ui.slider("crossfade", CROSSFADE, placing.crossfade, 0, options.LONGEST, true) or placing.crossfade
end

local function show_form(ui, self, key)
  show_source(ui, self)
  show_prompt(ui, self)
  show_fields(ui, self, function(name) return FIRST[name] end)
  self.more = ui.check("more", "More settings", self.more or false)
  if self.more then
    show_fields(ui, self, function(name) return MORE[name] end)
    show_placing(ui, self)
  end
  local values, fault = self:values()
  ui.text(fault or self:price(values), fault and "dim" or nil)
  local by_key = key == "send" and not self:is_held()
  if ui.button("send", "Send (Ctrl+Enter)", self:is_ready(values)) or (by_key and self:is_ready(values)) then
    self:send()
  end
  if self.note then
    ui.text(self.note, "dim")
  end
end

-- Return the buttons of a job: id, text, and what each does.
local function buttons_of(self, row)
  local list = {}
  local function add(id, text, run)
    list[#list + 1] = { id = id .. "_" .. row.id, text = text, run = run }
  end
  if row.job.file then
    add("hear", self.player:part(row.id) and "Stop" or "Listen", function() self:hear(row) end)
    if row.job.action == "transform" then
      local plays = self.player:part("source of " .. row.id)
      add("source", plays and "Stop source" or "Source", function() self:hear_source(row) end)
    end
    add("favourite", row.favourite and "Favourite: yes" or "Favourite: no", function() self:toggle_favourite(row) end)
  end
  for _, button in ipairs(row.buttons) do
    add(button.choice.key, button.text, function() self:choose(button.choice, row) end)
  end
  if self.can_discard(row) then
    add("discard", "Discard", function() self:discard(row) end)
  end
  return list
end

local function show_buttons(ui, list)
  local used, row = 0, ui.letters()
  for index, button in ipairs(list) do
    used = used + #button.text + 3
    if index > 1 and used <= row then
      ui.same()
    elseif index > 1 then
      used = #button.text
    end
    if ui.button(button.id, button.text) then
      button.run()
    end
  end
end

local function show_job(ui, self, row)
  ui.line()
  local facts = { row.state, row.charge, row.wait }
  ui.text((row.favourite and "* " or "") .. row.prompt)
  ui.text(table.concat(facts, " - ", 1, row.wait and 3 or 2), "dim")
  if row.problem then
    ui.text(row.problem, "bad")
  end
  local part = self.player:part(row.id) or self.player:part("source of " .. row.id)
  if row.open or part then
    ui.bar("bar_" .. row.id, part or row.fraction)
  end
  show_buttons(ui, buttons_of(self, row))
end

-- Draw one frame.
function panel.frame(ui, self)
  local key = ui.key()
  if key == "stop" then
    self.player:stop()
  end
  show_bridge(ui, self)
  ui.line()
  show_form(ui, self, key)
  ui.line()
  ui.text("Takes and jobs")
  for _, row in ipairs(self.jobs) do
    show_job(ui, self, row)
  end
  if #self.jobs == 0 then
    ui.text("Nothing yet.", "dim")
  end
end

local SECTION, OPEN, ENDED = TITLE, "panel", "panel ended"
local AT_ONCE = 0.5 -- s between the end of one and the start of the next, when the action is pressed while it is open

-- Tell whether the action was pressed while the panel was open. REAPER has ended that one, as it also does when REAPER itself ends; only
-- here is it known that somebody wants it closed.
local function is_pressed_again()
  local ended = tonumber(reaper.GetExtState(SECTION, ENDED))
  return ended ~= nil and math.abs(reaper.time_precise() - ended) < AT_ONCE
end

-- Remember over a restart of REAPER whether it is open: Setup's lines in Scripts/__startup.lua open it again.
local function remember(open)
  reaper.SetExtState(SECTION, OPEN, open and "open" or "", true)
end

function panel.run()
  if reaper.set_action_options then
    reaper.set_action_options(1 | 2) -- pressed again: REAPER ends the one that is open, and this one closes at once
  end
  if is_pressed_again() then
    remember(false)
    return reaper.defer(function() end) -- else REAPER makes an undo step
  end
  local box, problem = mailbox.ready()
  if not box then
    return reaper.MB(problem, TITLE, 0)
  end
  local imgui = import("panel_imgui")
  local ui = (imgui.is_possible() and imgui or import("panel_gfx")).new(TITLE)
  local self = model.new(box)
  local command = toolbar.show(true)
  remember(true)
  reaper.atexit(function()
    trap.quiet(function() self:stop() end)
    ui.quit()
    toolbar.show(false, command)
    reaper.SetExtState(SECTION, ENDED, string.format("%.6f", reaper.time_precise()), false)
  end)
  local function loop()
    local open = false
    trap.quiet(function()
      self:step()
      open = ui.frame(function() panel.frame(ui, self) end)
    end)
    if open then
      return reaper.defer(loop)
    end
    remember(false) -- its window was closed
  end
  model.ensure_watcher()
  loop()
end

return panel
