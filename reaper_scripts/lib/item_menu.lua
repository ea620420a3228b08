-- The menu of an item of ours: what can be done about its jobs, the bridge, and the empty placeholders of the project.

local import = ...
local act = import("act")
local choices = import("choices")
local mailbox = import("mailbox")
local menu = import("menu")
local tabs = import("tabs")

local item_menu = {}

local TITLE = "DAW Bridge"

local function add(list, more)
  for _, one in ipairs(more) do
    list[#list + 1] = one
  end
end

-- Return the choices for what is selected in the active project.
local function collect(box)
  local project, daemon = reaper.EnumProjects(-1), box:daemon()
  local list, dead = {}, {}
  for _, found in ipairs(tabs.search(function() return true end)) do
    if found.project == project then
      local status = box:status(found.data.id)
      if reaper.IsMediaItemSelected(found.item) then
        local mine = choices.of_item(found, status, daemon)
        for _, one in ipairs(mine) do
          one.found = found
        end
        add(list, mine)
      end
      if choices.is_dead(found, status) then
        dead[#dead + 1] = found
      end
    end
  end
  add(list, choices.of_bridge(daemon))
  list[#list + 1] = choices.to_clean(dead)
  return list
end

function item_menu.run()
  if reaper.set_action_options then
    reaper.set_action_options(1 | 2)
  end
  local box, problem = mailbox.ready()
  if not box then
    return reaper.MB(problem, TITLE, 0)
  end
  local list, lines = collect(box), {}
  for index, one in ipairs(list) do
    lines[index] = one.text
  end
  local chosen = menu.choose(TITLE, lines)
  if chosen then
    act.run(box, list[chosen], list[chosen].found)
  end
end

return item_menu
