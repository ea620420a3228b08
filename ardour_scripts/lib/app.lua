-- Where every action enters: it loads modules, and takes care that an error is told. Ardour itself drops errors of an action without a
-- word, and takes a hook with an error out of its list.

local folder = ...

local app = {}

-- Return a function that loads modules of this folder, each once.
function app.importer()
  local loaded = {}
  local function import(name)
    if loaded[name] == nil then
      local chunk, problem = loadfile(ARDOUR.LuaAPI.build_filename(folder, "lib", name .. ".lua"), "t")
      if not chunk then
        error(problem, 0)
      end
      loaded[name] = chunk(import)
    end
    return loaded[name]
  end
  import("place_of_scripts").folder = folder
  return import
end

local STOPPED = "DAW Bridge could not go on here. What was sent before is safe: look at the jobs (daw-bridge jobs list) before you "
  .. "press again. Please report this:\n\n"

-- Run an action of a module that somebody has pressed. An error is shown.
function app.run(module, ...)
  local import = app.importer()
  local fine, problem = pcall(function(...)
    import(module).run(...)
  end, ...)
  if not fine then
    import("log").write(tostring(problem))
    LuaDialog.Message("DAW Bridge", STOPPED .. tostring(problem), LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run()
  end
end

-- Return what a hook is to call. An error is written down, once; no box appears by itself.
function app.hook(module)
  local import = app.importer()
  local told
  return function()
    local fine, problem = pcall(import(module).tick)
    if not fine and problem ~= told then
      told = problem
      import("log").write(tostring(problem))
    end
  end
end

return app
