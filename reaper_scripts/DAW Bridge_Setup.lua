-- Run this action once after installing: it registers the other actions and tells whether the bridge runs.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "setup")
