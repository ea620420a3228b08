-- Copies a take into a project's media folder, a little in each tick. The copy has its name only when it is whole, where renaming
-- works; elsewhere only a whole copy is as long as the take.

local import = ...
local files = import("files")

local copy = {}
copy.__index = copy

local PIECE = 1024 * 1024

local function free_name(folder, name, size)
  local stem, ending = name:match("^(.*)(%.[^.]*)$")
  local candidate, number = name, 1
  while true do
    local there = files.size(files.join(folder, candidate))
    if there == nil or there == size then
      return candidate, there == size -- the name has the job in it: the same size is the same take
    end
    number = number + 1
    candidate = string.format("%s (%d)%s", stem or name, number, ending or "")
  end
end

-- Begin. Returns the copy; its path is where the take will lie. Or nil and why not.
function copy.start(from, folder)
  local size = files.size(from)
  if not size then
    return nil, "the file " .. from .. " is not there"
  end
  local ready, problem = files.make_folder(folder)
  if not ready then
    return nil, problem
  end
  local name, there = free_name(folder, (files.split(from)), size)
  local self = setmetatable({ path = files.join(folder, name), size = size, done = there }, copy)
  if there then
    return self
  end
  self.from = from
  local opened
  opened, problem = self:open(files.in_place() and self.path or self.path .. ".part")
  if not opened then
    return nil, problem
  end
  return self
end

function copy:open(draft)
  local problem
  self.draft = draft
  self.input, problem = io.open(self.from, "rb")
  if self.input then
    self.output, problem = io.open(draft, "wb")
  end
  if not self.output then
    self:stop()
    return nil, problem
  end
  return true
end

-- Go on for one tick. Returns "going", "done", or "failed" and why.
function copy:step()
  if self.done then
    return "done"
  end
  local piece, problem = self.input:read(PIECE)
  if piece then
    local written, why = self.output:write(piece)
    if written then
      return "going"
    end
    problem = why
  end
  if problem then
    self:stop()
    return "failed", problem
  end
  return self:finish()
end

function copy:finish()
  self.input:close()
  local closed, problem = self.output:close()
  self.input, self.output = nil, nil
  if closed and files.size(self.draft) ~= self.size then
    closed, problem = nil, "the copy is not as long as the file"
  end
  if closed and self.draft ~= self.path and not os.rename(self.draft, self.path) then
    files.remove(self.draft)
    closed, problem = self:open(self.path) -- once more, in place
    if closed then
      return "going"
    end
  end
  if not closed then
    files.remove(self.draft)
    return "failed", problem
  end
  self.done = true
  return "done"
end

-- Break off, in any state.
function copy:stop()
  if self.input then
    self.input:close()
  end
  if self.output then
    self.output:close()
  end
  if self.draft and not self.done then
    files.remove(self.draft)
  end
  self.input, self.output = nil, nil
end

return copy
