-- daw_bridge.json: where the bridge's home is, and under which name this DAW speaks to it. README.md describes it.

local import = ...
local files = import("files")
local host = import("host")
local json = import("json")
local scripts = import("place_of_scripts")

local config = {}

local NAME = "daw_bridge.json"
local VERSION = 1

local function is_absolute(path)
  return path:match("^/") ~= nil or path:match("^%a:[/\\]") ~= nil or path:match("^\\\\") ~= nil
end

local function check(data)
  if type(data) ~= "table" then
    return "it is no JSON object"
  elseif data.version ~= VERSION then
    return "it is of version " .. tostring(data.version) .. ", and these scripts know version 1: update the scripts"
  elseif type(data.home) ~= "string" or not is_absolute(data.home) then
    return "home is not the whole path of a folder"
  elseif type(data.client) ~= "string" or not data.client:match("^[a-z0-9-]+$") or #data.client > 40 then
    return "the name (client) must be 1 to 40 of a-z, 0-9 and -"
  end
end

local function folders()
  return { scripts.folder, host.settings_folder() }
end

-- Return the configuration, or nil and a sentence for a person.
function config.load()
  for _, folder in ipairs(folders()) do
    local path = files.join(folder, NAME)
    local text = files.read(path)
    if text then
      local data, problem = json.decode(text)
      problem = problem or check(data)
      if problem then
        return nil, path .. " cannot be used: " .. problem .. ". Run: " .. host.INSTALL
      end
      return data
    end
  end
  return nil, "These scripts do not know yet where the bridge is. Run once in a terminal: " .. host.INSTALL
end

-- Write the configuration beside the scripts, if there is none. Returns true, or nil and why not.
function config.create(home, client)
  local data = { version = VERSION, home = home, client = client }
  local problem = check(data)
  if problem then
    return nil, problem
  end
  return files.write_new(scripts.folder, NAME, json.encode(data) .. "\n")
end

return config
