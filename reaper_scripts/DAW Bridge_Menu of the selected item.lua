-- What can be done about the selected items: send, cancel, ask again, decide about unknown ones; pause; clean up.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "item_menu")
