-- The toolbar icons, in three sizes: brought to where REAPER looks for them, and taken away again.

local import = ...
local files = import("files")
local scripts = import("place_of_scripts")

local icons = {}

local SIZES = { "", "150", "200" } -- folders, for screens of so many per cent
local NAMES = { "panel", "transform", "transform_again", "generate" }

local function each(run)
  for _, size in ipairs(SIZES) do
    local from = size == "" and scripts.folder .. "toolbar_icons" or files.join(scripts.folder .. "toolbar_icons", size)
    local folder = files.join(reaper.GetResourcePath(), "Data", "toolbar_icons")
    folder = size == "" and folder or files.join(folder, size)
    for _, name in ipairs(NAMES) do
      run(folder, files.join(from, "daw_bridge_" .. name .. ".png"), files.join(folder, "daw_bridge_" .. name .. ".png"))
    end
  end
end

-- Bring them. One that cannot be brought is left out: a toolbar shows the name of the action then.
function icons.bring()
  each(function(folder, from, to)
    local picture = files.read(from)
    if picture and picture ~= files.read(to) and files.make_folder(folder) then
      files.write(to, picture)
    end
  end)
end

-- Take them away.
function icons.remove()
  each(function(_, _, to)
    if files.exists(to) then
      files.remove(to)
    end
  end)
end

return icons
