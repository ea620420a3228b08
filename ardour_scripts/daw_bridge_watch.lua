ardour {
  ["type"] = "EditorHook",
  name = "DAW Bridge: Watch",
  license = "MIT",
  author = "daw-bridge",
  description = [[Looks every second whether a take of this session has arrived, and places it.]]
}

function signals ()
  return LuaSignal.Set ():add ({ [LuaSignal.LuaTimerS] = true })
end

function factory ()
  local tick
  if io and loadfile then -- else Ardour keeps scripts from files; the actions say so
    local folder = ARDOUR.LuaAPI.build_filename (ARDOUR.user_config_directory (-1), "scripts", "daw-bridge")
    local chunk = loadfile (ARDOUR.LuaAPI.build_filename (folder, "lib", "app.lua"), "t")
    tick = chunk and chunk (folder).hook ("watch")
  end
  return function ()
    if tick and Session then
      tick ()
    end
  end
end
