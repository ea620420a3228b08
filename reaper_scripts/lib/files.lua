-- Files: read whole, written so that nobody ever takes half of one for the whole. Paths are absolute; REAPER's Lua opens them as
-- UTF-8 on every system. Renaming and removing may fail on Windows below a folder whose name has accents, so both have a second way.

local import = ...
local host = import("host")

local files = {}

local SEPARATOR = host.SEPARATOR
local IN_PLACE = "in_place"

-- Return a path made of parts.
function files.join(first, ...)
  local path = first
  for _, part in ipairs({ ... }) do
    local last = path:sub(-1)
    path = (last == "/" or last == SEPARATOR) and path .. part or path .. SEPARATOR .. part
  end
  return path
end

-- Return the last part of a path, and its folder.
function files.split(path)
  local folder, name = path:match("^(.*)[/" .. (SEPARATOR == "\\" and "\\" or "") .. "]([^/\\]*)$")
  return name or path, folder or ""
end

-- Return the content of a file, or nil and why not.
function files.read(path)
  local file, problem = io.open(path, "rb")
  if not file then
    return nil, problem
  end
  local text, wrong = file:read("a")
  file:close()
  return text, wrong
end

-- Tell whether there is a file (no folder) that can be read.
function files.exists(path)
  local file = io.open(path, "rb")
  if not file then
    return false
  end
  local _, _, number = file:read(0) -- a folder can be opened on some systems, and not read
  file:close()
  return number == nil
end

-- Return the size of a file in bytes, or nil.
function files.size(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local size = file:seek("end")
  file:close()
  return size
end

-- Write a file in one go, in place. Returns true, or nil and why not.
function files.write(path, text)
  local file, problem = io.open(path, "wb")
  if not file then
    return nil, problem
  end
  local written, why = file:write(text)
  local closed, wrong = file:close() -- a full disk may show only here
  if not (written and closed) then
    return nil, why or wrong
  end
  return true
end

-- Remove a file, or empty it where it cannot be removed: nobody here takes an empty file for anything. Returns true, or nil and why not.
function files.remove(path)
  local done, problem = os.remove(path)
  if done then
    return true
  elseif not files.exists(path) then
    return nil, problem
  end
  return files.write(path, "")
end

-- Tell whether files are written in place, since renaming does not work here.
function files.in_place()
  return host.get(IN_PLACE) == "1"
end

-- Find out whether renaming and removing work in a folder, and remember it.
function files.probe(folder)
  local from, to = files.join(folder, ".probe"), files.join(folder, ".probed")
  local written = files.write(from, "")
  os.remove(to)
  local works = written and os.rename(from, to) and os.remove(to)
  host.set(IN_PLACE, works and "" or "1", true)
end

-- Return a JSON object with a last member that proves that it is whole.
local function with_end(text)
  local body = text:match("^(.*)}%s*$")
  return body .. (body:find("^%s*{%s*$") and "" or ",") .. '"end":true}'
end

local function write_and_rename(path, text)
  local draft = path .. ".tmp"
  local done, problem = files.write(draft, text)
  if done then
    done, problem = os.rename(draft, path)
  end
  if not done then
    files.remove(draft)
    return nil, problem
  end
  return true
end

-- Write a JSON object under a name that is not taken yet; nobody takes it before it is whole. Returns true, or nil and why not.
function files.write_new(folder, name, text)
  local path = files.join(folder, name)
  if not files.in_place() then
    local done, problem = write_and_rename(path, text)
    if done then
      return true
    elseif files.exists(path) then
      return nil, problem
    end
  end
  if (files.size(path) or 0) > 0 then
    return nil, "there is such a file"
  end
  return files.write(path, with_end(text))
end

-- Take a file back that was handed over by files.write_new. Returns true where nobody had taken it: nobody takes it any more.
function files.take_back(path)
  if os.remove(path) then
    return true
  end
  local file = io.open(path, "r+b") -- only where it lies there still
  if not file then
    return false
  end
  local written = file:write("-") -- no JSON object begins so
  return file:close() and written ~= nil
end

-- Give a file another name, or copy it where that does not work. Returns true, or nil and why not.
function files.move(from, to)
  if os.rename(from, to) then
    return true
  end
  local text, problem = files.read(from)
  if not text then
    return nil, problem
  end
  local done
  done, problem = files.write(to, text)
  if not done then
    files.remove(to)
    return nil, problem
  end
  files.remove(from)
  return true
end

-- Make a folder and those above it. Returns true, or nil and why not.
function files.make_folder(path)
  host.make_folder(path)
  if files.in_place() then
    return true -- a probe could not be removed again; who writes is told soon enough
  end
  local probe = files.join(path, ".writable")
  local done, problem = files.write(probe, "")
  if not done then
    return nil, problem
  end
  os.remove(probe)
  return true
end

-- Return the names of the files in a folder, sorted.
function files.list(path)
  local names, index = {}, 0
  host.name_in(path, -1) -- else an old listing is told
  local name = host.name_in(path, 0)
  while name do
    names[#names + 1] = name
    index = index + 1
    name = host.name_in(path, index)
  end
  table.sort(names)
  return names
end

return files
