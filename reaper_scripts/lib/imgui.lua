-- ReaImGui, where that extension is installed.

local imgui = {}

-- Tell whether it has every function of a list, named without "ImGui_".
function imgui.has(names)
  for _, name in ipairs(names) do
    if not reaper["ImGui_" .. name] then
      return false
    end
  end
  return true
end

return imgui
