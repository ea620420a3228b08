-- The heart of the fake: pointers, the strict door that every call goes through, and the switches that break a point on purpose.
-- "fact N" is a line of tests/reaper/README.md.

local core = {}

-- A pointer of REAPER is a userdata: the address of an upvalue is one in plain Lua, and no other has it while the function is kept.
function core.new_pointers(broken)
  local self = { objects = {}, kept = {} }

  function self.make(kind, object)
    local cell = {}
    local function keep()
      return cell
    end
    local pointer = debug.upvalueid(keep, 1)
    self.kept[pointer] = keep -- for ever: an address never comes back
    self.objects[pointer] = { kind = kind, object = object, alive = true }
    object.pointer, object.kind = pointer, kind
    return pointer
  end

  -- fact 4: the same object is the same userdata each time
  function self.of(object)
    if object == nil then
      return nil
    elseif broken.identity then
      return self.make(object.kind, object)
    end
    return object.pointer
  end

  function self.kill(object)
    local entry = self.objects[object.pointer]
    if entry then
      entry.alive = false
    end
  end

  function self.find(pointer, kind)
    local entry = self.objects[pointer]
    if entry and entry.kind == kind and entry.alive then
      return entry.object
    end
  end

  return self
end

-- Read the list of functions: name, arguments, returns, first seen in.
function core.read_api(path)
  local api = {}
  for line in io.lines(path) do
    local name, arguments, _, since = line:match("^([^\t#]+)\t([^\t]*)\t([^\t]*)\t([^\t]*)$")
    if name then
      local list = {}
      for argument in arguments:gmatch("[^,]+") do
        local optional = argument:sub(-1) == "?"
        list[#list + 1] = { kind = argument == "?" and "?" or (argument:gsub("%?$", "")), optional = optional }
      end
      api[name] = { name = name, arguments = list, since = tonumber(since:match("^<?=?(%d+%.%d+)")) or 0 }
    end
  end
  return api
end

local function bad(name, index, expected, value)
  error(string.format("bad argument #%d to '%s' (%s expected, got %s)", index, name, expected, type(value)), 3)
end

local PLAIN = { string = "string", boolean = "boolean", number = "number", ["function"] = "function" }

-- fact 32: wrong types are refused
local function check(fake, spec, index, argument, value)
  local kind = argument.kind
  if value == nil and argument.optional then
    return
  elseif kind == "?" or kind == "identifier" or kind:find("|", 1, true) then
    return
  elseif kind == "integer" then
    if type(value) ~= "number" or not math.tointeger(value) then
      bad(spec.name, index, "integer", value)
    end
  elseif PLAIN[kind] then
    if type(value) ~= PLAIN[kind] then
      bad(spec.name, index, kind, value)
    end
  elseif kind == "reaper.array" then
    if type(value) ~= "table" or not value.is_reaper_array then
      bad(spec.name, index, kind, value)
    end
  elseif kind:match("^ImGui_") then
    if value == nil then
      bad(spec.name, index, kind, value)
    end
  elseif kind == "ReaProject" and (value == nil or value == 0) then
    return -- fact 3: nil and 0 are the active project
  elseif not fake.pointers.find(value, kind) then
    bad(spec.name, index, kind .. " that is valid", value)
  end
end

-- Return the function that scripts see for one of ours.
local function door(fake, spec, own)
  return function(...)
    local count = select("#", ...)
    if not fake.broken.counts then
      if count > #spec.arguments then
        error(string.format("'%s' takes %d arguments, got %d", spec.name, #spec.arguments, count), 2)
      end
    end
    if not fake.broken.types then
      for index, argument in ipairs(spec.arguments) do
        local value = select(index, ...)
        if index > count and not argument.optional and not fake.broken.counts then
          bad(spec.name, index, argument.kind, nil)
        end
        if index <= count then
          check(fake, spec, index, argument, value)
        end
      end
    end
    fake.step()
    fake.calls[spec.name] = (fake.calls[spec.name] or 0) + 1
    if not own then
      error("the fake has no " .. spec.name .. ": write it before it is used", 2)
    end
    return own(...)
  end
end

-- Make the tables ``reaper`` and ``gfx`` of what the fake can do. A name that REAPER does not have is nil (fact 1); one that the fake
-- does not have is an error.
function core.make_tables(fake, own, api)
  local reaper, gfx = {}, { x = 0, y = 0, w = 640, h = 480 }
  for name, spec in pairs(api) do
    local drawing = name:match("^gfx%.(.*)$")
    if drawing then
      gfx[drawing] = door(fake, spec, own[name])
    elseif name:match("^ImGui_") then -- fact 64
      reaper[name] = own[name] and (fake.broken.imgui_calls and own[name] or door(fake, spec, own[name]))
    elseif spec.since <= fake.version_number and (fake.sws or not name:match("^CF_")) then
      reaper[name] = door(fake, spec, own[name])
    end
  end
  for name in pairs(own) do
    assert(api[name], "REAPER has no " .. name)
  end
  if fake.broken.unknown then
    setmetatable(reaper, { __index = function() return function() end end })
  end
  return reaper, gfx
end

return core
