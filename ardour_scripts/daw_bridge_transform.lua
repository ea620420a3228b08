ardour {
  ["type"] = "EditorAction",
  name = "DAW Bridge: Transform",
  license = "MIT",
  author = "daw-bridge",
  description = [[Makes a take of the selected range, or of the selected regions.]]
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
  chunk (folder).run ("press", "transform")
end end
