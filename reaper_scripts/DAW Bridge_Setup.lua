-- @description DAW Bridge: generated takes on the timeline
-- @author daw-bridge
-- @version 0.1.0
-- @changelog
--   First version
-- @provides
--   [main] .
--   [main] DAW Bridge_Generate at cursor or time selection.lua
--   [main] DAW Bridge_Transform selection.lua
--   [main] DAW Bridge_Transform again with the last settings.lua
--   [main] DAW Bridge_Cancel newest.lua
--   [main] DAW Bridge_Show status window.lua
--   [main] DAW Bridge_Place unplaced takes.lua
--   [main] DAW Bridge_Watcher (starts by itself).lua
--   [nomain] lib/*.lua
-- @about
--   # DAW Bridge
--   Sends what is selected, or a prompt, to the daw-bridge daemon on this machine, and brings the take back to its place on the
--   timeline. Needs REAPER 6.47 or later and the daemon. Run this action once after installing.

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])")
dofile(folder .. "lib/app.lua").run(folder, "setup")
