ardour {
  ["type"] = "EditorAction",
  name = "DAW Bridge: Place takes",
  license = "MIT",
  author = "daw-bridge",
  description = [[Places the takes that have arrived, saves the session, and tells how far the others are.]]
}

function factory () return function ()
  if not (io and loadfile) then
    LuaDialog.Message ("DAW Bridge", "Ardour keeps scripts from files. Switch off: Preferences > Scripting > Sandbox all Lua scripts.",
      LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
    return
  end
  local folder = ARDOUR.LuaAPI.build_filename (ARDOUR.user_config_directory (-1), "scripts", "daw-bridge")
  local chunk, problem = loadfile (ARDOUR.LuaAPI.build_filename (folder, "lib", "app.lua"), "t")
  if not chunk then
    LuaDialog.Message ("DAW Bridge", "The scripts are not whole: " .. tostring (problem) .. "\nIn a terminal: daw-bridge install ardour",
      LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
    return
  end
  chunk (folder).run ("arrived")
end end
