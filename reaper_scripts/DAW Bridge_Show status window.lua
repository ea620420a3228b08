-- Shows the bridge, the money and the newest jobs.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "status")
