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

-- Tell whether a key went down in this frame; one that is held does not count again. ``names``: of keys, without "Key_".
function imgui.pressed(context, ...)
  for _, name in ipairs({ ... }) do
    if reaper.ImGui_IsKeyPressed(context, reaper["ImGui_Key_" .. name](), false) then
      return true
    end
  end
  return false
end

return imgui
