-- @noindex
-- Files: read whole, written so that nobody ever sees half of one. Paths are absolute; REAPER's Lua takes them as UTF-8
-- on every system.

local files = {}

local SEPARATOR = package.config:sub(1, 1)

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

-- Write a file under a name that is not taken yet; nobody sees it before it is whole. Returns true, or nil and why not.
function files.write_new(folder, name, text)
  local path = files.join(folder, name)
  local draft = path .. ".tmp"
  local file, problem = io.open(draft, "wb")
  if not file then
    return nil, problem
  end
  local written, why = file:write(text)
  local closed, wrong = file:close() -- a full disk may show only here
  if not (written and closed) then
    os.remove(draft)
    return nil, why or wrong
  end
  local done
  done, problem = os.rename(draft, path)
  if not done then
    os.remove(draft)
    return nil, problem
  end
  return true
end

-- Make a folder and those above it. Returns true, or nil and why not.
function files.make_folder(path)
  reaper.RecursiveCreateDirectory(path, 0)
  local probe = files.join(path, "." .. reaper.genGuid(""):gsub("[{}]", "") .. ".tmp")
  local file, problem = io.open(probe, "wb")
  if not file then
    return nil, problem
  end
  file:close()
  os.remove(probe)
  return true
end

-- Return the names of the files in a folder, sorted.
function files.list(path)
  local names, index = {}, 0
  reaper.EnumerateFiles(path, -1) -- else an old listing is told
  local name = reaper.EnumerateFiles(path, 0)
  while name do
    names[#names + 1] = name
    index = index + 1
    name = reaper.EnumerateFiles(path, index)
  end
  table.sort(names)
  return names
end

return files
