-- Asks for a new take at the edit cursor, or as long as the time selection.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "press", "generate")
