-- The same once more with the last settings, without a dialog, of what is selected now.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "press", "transform", "again")
