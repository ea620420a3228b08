-- Lists takes that no open project holds, and places those that are chosen.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "unplaced")
