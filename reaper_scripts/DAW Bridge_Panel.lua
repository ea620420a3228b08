-- One window that stays open: what will be sent, prompt, price, jobs, listening.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "panel")
