-- Setup, run once: registers the actions, finds out whether the bridge is there, and offers to start the watcher with REAPER.
-- Everything goes through REAPER's own functions; of files only Scripts/__startup.lua is touched, our block of it, when agreed.

local import = ...
local ask = import("ask")
local bridge_wait = import("bridge_wait")
local config = import("config")
local files = import("files")
local icons = import("icons")
local mailbox = import("mailbox")
local menu = import("menu")
local registered = import("registered")
local scripts = import("place_of_scripts")
local startup = import("startup")
local version = import("version")
local watcher = import("watcher")

local setup = {}

local TITLE = "DAW Bridge"
local YES_NO, YES = 4, 6
local SURE = "Unregister the actions of DAW Bridge? Shortcuts and toolbar buttons of them are lost."
local AGAIN, TAKE_BACK = 1, 2 -- lines of the menu

local PANEL = "DAW Bridge_Panel.lua"
local REMEMBERED = { [watcher.SCRIPT] = registered.WATCHER, [PANEL] = registered.PANEL } -- those that are started by a script

setup.ACTIONS = {
  PANEL,
  "DAW Bridge_Generate at cursor or time selection.lua",
  "DAW Bridge_Transform selection.lua",
  "DAW Bridge_Transform again with the last settings.lua",
  "DAW Bridge_Cancel newest.lua",
  "DAW Bridge_Menu of the selected item.lua",
  "DAW Bridge_Show status window.lua",
  "DAW Bridge_Place unplaced takes.lua",
  "DAW Bridge_Setup.lua",
  watcher.SCRIPT,
}

-- Register the actions, or take them back. Returns how many were, and the names of those that were not.
local function register(add)
  local done, failed = 0, {}
  for index, name in ipairs(setup.ACTIONS) do
    local last = index == #setup.ACTIONS -- REAPER writes its list once, at the end
    local path = scripts.folder .. name
    local which = add and REMEMBERED[name]
    local command = which and registered.add(path, which) or reaper.AddRemoveReaScript(add, 0, path, last)
    if command ~= 0 then
      done = done + 1
    else
      failed[#failed + 1] = name
    end
  end
  return done, failed
end

local CAPTIONS = "Home (daw-bridge status tells it),Name of this REAPER,extrawidth=320,separator=\n"

-- What REAPER's dialog cannot show is left out.
local function shown(text)
  return ask.showable(text) == text and text or ""
end

local function ask_for_home()
  local typed = "\nreaper"
  while true do
    local agreed, text = reaper.GetUserInputs(TITLE .. ": where is the bridge?", 2, CAPTIONS, typed)
    local home, client = text:match("^([^\n]*)\n([^\n]*)$")
    if not agreed or not home then
      return nil, "Setup was cancelled."
    end
    local made, problem = config.create(home, client)
    if made then
      return true
    end
    reaper.MB(problem, TITLE, 0)
    typed = shown(home) .. "\n" .. shown(client)
  end
end

local function about(daemon)
  if tostring(daemon.version) ~= version then
    return string.format("The bridge is version %s, the scripts are %s. Run: daw-bridge install reaper", daemon.version, version)
  end
  return "The bridge runs, version " .. version .. "."
end

-- Call ``tell`` with a sentence about the bridge, as soon as it has had the time that it may need to see us.
local function see_bridge(tell)
  local box, problem = mailbox.ready()
  if not box then
    return tell(problem)
  end
  files.probe(box.inbox)
  bridge_wait.wait(box, function(daemon) tell(about(daemon)) end, function()
    tell("The bridge does not run now. Start it with: daw-bridge start")
  end)
end

local function started(script, which)
  return { script = scripts.folder .. script, name = registered.name(which) }
end

local function offer_startup()
  local question = "Start DAW Bridge with REAPER? Takes that arrive while REAPER is closed are then placed by themselves, and the panel "
    .. "opens again if it was open.\n\nThis adds four lines to Scripts/__startup.lua."
  local is_there = startup.is_there() -- one of an earlier version is brought up to date
  if not is_there and reaper.MB(question, TITLE, YES_NO) ~= YES then
    return
  end
  local done, problem = startup.add(started(watcher.SCRIPT, registered.WATCHER), started(PANEL, registered.PANEL))
  if not done and not is_there then
    reaper.MB("Scripts/__startup.lua was not changed: " .. tostring(problem), TITLE, 0)
  end
end

local function install()
  if not config.load() then
    local made, problem = ask_for_home()
    if not made then
      return reaper.MB(problem, TITLE, 0)
    end
  end
  local done, failed = register(true)
  icons.bring()
  offer_startup()
  see_bridge(function(sentence)
    local text = string.format("%d actions are registered: look for DAW Bridge in the action list.\n\n%s", done, sentence)
    if #failed > 0 then
      text = text .. "\n\nNot registered:\n" .. table.concat(failed, "\n")
    end
    reaper.MB(text, TITLE, 0)
  end)
end

local function take_back()
  local _, problem = startup.remove()
  icons.remove()
  register(false)
  local text = "The actions are unregistered. The scripts themselves are removed by: daw-bridge uninstall reaper"
  if problem then
    text = text .. "\n\nScripts/__startup.lua was not changed: " .. problem
  end
  reaper.MB(text, TITLE, 0)
end

function setup.run()
  local there = files.exists(files.join(scripts.folder, "daw_bridge.json")) and reaper.GetExtState(TITLE, "set_up") ~= ""
  if there then
    local chosen = menu.choose(TITLE, { "Set up again", "Unregister the actions, and do not start with REAPER any more" })
    if chosen == TAKE_BACK and reaper.MB(SURE, TITLE, YES_NO) == YES then
      reaper.SetExtState(TITLE, "set_up", "", true)
      return take_back()
    elseif chosen ~= AGAIN then
      return
    end
  end
  install()
  reaper.SetExtState(TITLE, "set_up", "1", true)
end

return setup
