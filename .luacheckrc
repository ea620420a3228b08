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
