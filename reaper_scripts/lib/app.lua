-- Where every action enters: it loads modules, and takes care that an error is told and ends nothing else.

local app = {}

-- Return a function that loads modules of this folder, each once.
function app.importer(folder)
  local loaded = {}
  local function import(name)
    if loaded[name] == nil then
      local chunk, problem = loadfile(folder .. name .. ".lua", "t")
      if not chunk then
        error(problem, 0)
      end
      loaded[name] = chunk(import)
    end
    return loaded[name]
  end
  return import
end

local LEAST = "PCM_Source_BuildPeaks" -- came with the REAPER that we need

-- Run an action of a module. ``folder`` is where the scripts lie, with a separator at its end.
function app.run(folder, module, ...)
  if not reaper[LEAST] then
    reaper.MB("DAW Bridge needs REAPER 6.47 or later. Nothing was done.", "DAW Bridge", 0)
    return
  end
  reaper.defer(function() end) -- else REAPER makes an undo step of each press; ours are made where something changes
  local import = app.importer(folder .. "lib/")
  import("place_of_scripts").folder = folder
  local trap = import("trap")
  trap.action(import(module).run, ...)
end

return app
