-- The way to the bridge and back: files in the inbox and outbox of this client.

local import = ...
local config = import("config")
local files = import("files")
local host = import("host")
local json = import("json")

local mailbox = {}
mailbox.__index = mailbox

local BEATS = 3 -- that may be missed before the bridge counts as gone
local USUAL = 10 -- s between two beats, at most

-- Return the mailbox of this DAW, or nil and a sentence for a person.
function mailbox.open()
  local found, problem = config.load()
  if not found then
    return nil, problem
  end
  local self = setmetatable({ home = found.home, client = found.client }, mailbox)
  self.inbox = files.join(found.home, "inbox", found.client)
  self.outbox = files.join(found.home, "outbox", found.client)
  self.sources = files.join(self.inbox, ".sources") -- the bridge passes over names with a dot
  self.unsaved = files.join(self.inbox, ".unsaved")
  return self
end

-- Make the folders that are missing. Returns true, or nil and a sentence for a person.
function mailbox:prepare()
  for _, folder in ipairs({ self.sources, self.unsaved }) do
    local made, problem = files.make_folder(folder)
    if not made then
      return nil, "The folder " .. folder .. " cannot be written (" .. tostring(problem) .. "). Nothing was sent."
    end
  end
  return true
end

-- Return the mailbox of this DAW with all its folders, or nil and a sentence for a person.
function mailbox.ready()
  local box, problem = mailbox.open()
  local ready
  if box then
    ready, problem = box:prepare()
  end
  return ready and box, problem
end

-- Return a new UUID.
function mailbox.uuid()
  return host.uuid()
end

-- Hand a request over. Returns true, or nil and why not.
function mailbox:send(request)
  return files.write_new(self.inbox, request.id .. ".json", json.encode(request))
end

-- Tell whether a request lies in the inbox still.
function mailbox:waits(id)
  return files.exists(files.join(self.inbox, id .. ".json"))
end

-- Give a command (cancel, deliver, retry, pause, resume). Returns its UUID, or nil and why not.
function mailbox:command(name, pairs_of_it)
  local uuid = mailbox.uuid()
  local body = { command = name }
  for key, value in pairs(pairs_of_it or {}) do
    body[key] = value
  end
  local done, problem = files.write_new(self.inbox, uuid .. ".command.json", json.encode(body))
  return done and uuid, problem
end

local function word_name(job, delivery, word)
  return string.format("%s.%d.%s.json", job, delivery, word)
end

-- Tell whether a word about a delivery was said and the bridge has not read it yet.
function mailbox:said(job, delivery, word)
  return files.exists(files.join(self.inbox, word_name(job, delivery, word)))
end

-- Tell the bridge that a take stands. Returns true, or nil and why not.
function mailbox:placed(job, delivery)
  if self:said(job, delivery, "placed") then
    return true
  end
  return files.write_new(self.inbox, word_name(job, delivery, "placed"), json.encode({ job = job, delivery = delivery }))
end

-- Tell the bridge why a take could not be placed. Returns true, or nil and why not.
function mailbox:unplaced(job, delivery, code, message)
  if self:said(job, delivery, "unplaced") then
    return true
  end
  local body = { job = job, delivery = delivery, code = code, message = message }
  return files.write_new(self.inbox, word_name(job, delivery, "unplaced"), json.encode(body))
end

-- Return what the bridge says of itself, or nil; the text as well, so that who asks often can compare.
function mailbox:daemon()
  local text = files.read(files.join(self.outbox, "daemon.json"))
  local data = text and json.decode(text)
  return type(data) == "table" and data or nil, text
end

-- Tell whether the bridge runs, as far as it has said.
function mailbox.is_fresh(daemon)
  if not daemon or daemon.running == false then
    return false
  end
  local age = os.time() - (tonumber(daemon.time) or 0)
  return math.abs(age) <= BEATS * (tonumber(daemon.every_s) or USUAL)
end

-- Return the text of the answer to a request or command, or nil.
function mailbox:status_text(id)
  return (files.read(files.join(self.outbox, id .. ".status.json")))
end

-- Return the answer to a request or command, or nil if there is none that can be read.
function mailbox:status(id)
  local text = self:status_text(id)
  local status = text and json.decode(text)
  return type(status) == "table" and status or nil
end

-- Return the job and delivery that a file of the outbox is the result of, or nil.
function mailbox.result_of(name)
  local job, delivery = name:match("^([%w_-]+)%.(%d+)%.result%.json$")
  return job, delivery and math.tointeger(tonumber(delivery))
end

-- Return a result, or nil while it is not there or not whole.
function mailbox:result(name)
  local text = files.read(files.join(self.outbox, name))
  local data = text and json.decode(text)
  if type(data) ~= "table" or type(data.file) ~= "string" then
    return nil
  end
  local job, delivery = mailbox.result_of(name)
  data.job, data.delivery = job, delivery
  data.place = type(data.place) == "table" and data.place or {}
  return data
end

return mailbox
