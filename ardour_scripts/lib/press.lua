-- The actions that ask for something: generate at the playhead, and transform what is selected.

local import = ...
local capture = import("capture")
local dialog = import("dialog")
local files = import("files")
local form = import("form")
local host = import("host")
local mailbox = import("mailbox")
local memory = import("memory")
local request = import("request")
local selection = import("selection")
local sent = import("sent")
local session = import("session")
local words = import("words")

local press = {}

local LONGEST = 190 -- s, of the model
local PATIENCE = 3.0 -- s for the bridge to answer: Ardour waits as long
local LOOK = 20000 -- us between two looks
local NOTHING = "\n\nNothing was sent, nothing was spent."
local DOWN = "The bridge is not running. Start it in a terminal (daw-bridge start), and press again." .. NOTHING

-- Look until there is something, or patience ends.
local function wait_for(look)
  local until_when = ARDOUR.LuaAPI.monotonic_time() + PATIENCE * 1e6
  while true do
    local found = look()
    if found or ARDOUR.LuaAPI.monotonic_time() > until_when then
      return found
    end
    ARDOUR.LuaAPI.usleep(LOOK)
  end
end

-- Nothing is sent to a bridge that does not run: it would be sent, and paid, whenever somebody starts it.
local function running(box)
  if not files.exists(files.join(box.home, "runtime.json")) then
    return nil
  end
  return wait_for(function()
    local daemon = box:daemon()
    return mailbox.is_fresh(daemon) and daemon or nil
  end)
end

-- Return what the action is about: {from, subject, length (s) and parts of a selection}, or nil and a sentence.
local function subject_of(action)
  if action == "generate" then
    local sample = Session:transport_sample()
    return { from = sample, subject = string.format("A take at the playhead, %.3f s", sample / session.rate()) }
  end
  local selected, problem = selection.get()
  if not selected then
    return nil, problem
  end
  selected.length = (selected.to - selected.from) / session.rate()
  if selected.length > LONGEST then
    return nil, string.format("The selection is %.1f s long; at most %d s can be sent.", selected.length, LONGEST)
  end
  return selected
end

-- Return the question that may be answered with yes, and what a yes adds to the request; or nil.
local function question(status, price)
  local code, usd = status.refused.code, tonumber(status.usd)
  if code == "E-DOUBLE-PRESS" then
    local money = price and " for " .. form.dollars(price) or ""
    return "This is the same press as the one before it, so it was not sent. Nothing was spent for it.\n\nSend it again" .. money .. "?",
      { again = true }
  elseif code == "E-CONFIRM" and usd then
    return string.format("This costs %s, which nobody has agreed to yet. Nothing was spent.\n\nSend it?", form.dollars(usd)),
      { confirm_usd = usd }
  elseif code == "E-PRICE" and usd and usd > 0 then -- yes counts for later presses, too
    return string.format("%s\n\nAll of it costs %s. Send it?", status.refused.message, form.dollars(usd)), { confirm_usd = usd }
  end
end

-- Write the request, and tell what became of it.
local function hand_over(self, more)
  local id = host.uuid()
  sent.add(id, self.path)
  local body = request.make(self.values, {
    id = id,
    client = self.box.client,
    action = self.action,
    place = request.place(self.about.from, self.length, self.about.track),
    source = self.path and { path = self.path } or nil,
    confirm_usd = more.confirm_usd,
    again = more.again,
  })
  local written, problem = self.box:send(body)
  if not written then
    return dialog.tell("The request could not be written (" .. tostring(problem) .. ")." .. NOTHING)
  end
  local status = wait_for(function() return self.box:status(id) end)
  if not status or not status.refused then
    return -- it waits in the inbox, or goes on: Place takes tells how far it is
  end
  local text, added = question(status, form.price(self.daemon, self.values))
  if text and dialog.ask(text) then
    added.confirm_usd = added.confirm_usd or more.confirm_usd
    added.again = added.again or more.again
    return hand_over(self, added)
  elseif not text then
    dialog.tell("Not sent. " .. words.problem(status.refused))
  end
end

local function captured(self)
  self.path = files.join(self.box.sources, host.uuid() .. ".wav")
  sent.add("", self.path)
  local written, problem = capture.write(self.about, self.path, session.rate())
  if not written then
    dialog.tell("The selection could not be written (" .. tostring(problem) .. ")." .. NOTHING)
  end
  return written
end

local function agreed(self, values, typed)
  memory.keep_draft(self.action, typed)
  if not values then
    return
  end
  local yes, amount = dialog.price(self.daemon, values)
  if not yes then
    return
  end
  if self.action == "transform" then
    typed.length = "" -- of another selection it is another
  end
  memory.keep(self.action, typed)
  self.values, self.length = values, form.length(self.daemon, values, self.about.length)
  if self.action == "generate" or captured(self) then
    hand_over(self, { confirm_usd = amount })
  end
end

-- Ask for something. ``action`` is "generate" or "transform".
function press.run(action)
  local box, problem = mailbox.ready()
  if not box then
    return dialog.tell(problem)
  end
  local about
  about, problem = subject_of(action)
  if not about then
    return dialog.tell(problem .. NOTHING)
  end
  local daemon = running(box)
  if not daemon then
    return dialog.tell(DOWN)
  end
  sent.tidy(box)
  local self = { box = box, action = action, about = about, daemon = daemon }
  local start = form.start(action, about.length, memory.draft(action))
  agreed(self, dialog.form(action, daemon, about.subject, start))
end

return press
