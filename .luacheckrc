-- Every function of REAPER, from the list that the tests use; what is not in it is misspelt or of an extension.
std = "lua53"
max_line_length = 140

local reaper, gfx = {}, {}
for line in io.lines("tests/reaper/data/api.tsv") do
  local name = line:match("^([^\t#]+)\t")
  if name then
    local drawing = name:match("^gfx%.(.*)$")
    local fields = drawing and gfx or reaper
    fields[drawing or name] = {}
  end
end

-- ReaImGui, which the window asks for before it uses it.
for _, name in ipairs({
  "CreateContext", "Begin", "End", "Text", "TextWrapped", "InputText", "InputTextMultiline", "SliderDouble", "SliderInt",
  "BeginCombo", "EndCombo", "Selectable", "Button", "ProgressBar", "SameLine", "Separator", "SetNextWindowSize", "Cond_FirstUseEver",
  "IsWindowAppearing", "IsWindowFocused", "IsItemActive", "SetKeyboardFocusHere", "IsKeyPressed", "GetKeyMods", "Mod_Ctrl",
  "Key_Enter", "Key_KeypadEnter", "Key_Escape", "CloseCurrentPopup", "Checkbox", "ConfigFlags_DockingEnable", "SetNextWindowDockID",
  "SetNextItemWidth", "Dummy", "GetWindowDrawList", "DrawList_AddRectFilled", "GetCursorScreenPos", "GetContentRegionAvail", "BeginDisabled",
  "EndDisabled", "PushStyleColor", "PopStyleColor", "Col_Text",
}) do
  reaper["ImGui_" .. name] = {}
end

for _, name in ipairs({ "x", "y", "w", "h", "mouse_x", "mouse_y", "mouse_cap", "mouse_wheel" }) do
  gfx[name] = { read_only = false }
end

read_globals = { reaper = { fields = reaper }, gfx = { fields = gfx } }

-- Ardour's own names. Its scripts define globals that Ardour looks for.
files["ardour_scripts"] = {
  read_globals = {
    "ardour", "ARDOUR", "C", "Editing", "Editor", "LuaDialog", "LuaSignal", "Session", "Temporal",
  },
  globals = { "factory", "signals" },
}
