-- Follows open jobs and brings takes to their places. The actions start it; it ends when nothing is open.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "watcher")
