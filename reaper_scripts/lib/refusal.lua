-- A press of this life of REAPER that the bridge has refused: its item goes, and the person is told. What may be sent all the same is one
-- answer away: the same press again (E-DOUBLE-PRESS), or a price that was not agreed to yet (E-CONFIRM, E-PRICE).

local import = ...
local discard = import("discard")
local form = import("form")
local send = import("send")
local tabs = import("tabs")
local words = import("words")

local refusal = {}

local TITLE, YES_NO, YES = "DAW Bridge", 4, 6
local STEP = "DAW Bridge: nothing was sent"

-- Return the question that may be answered with yes, and what a yes adds to the request; or nil.
local function question(status, press)
  local code, usd = status.refused.code, tonumber(status.usd)
  if code == "E-DOUBLE-PRESS" then
    return form.same_again(press.usd), { again = true, confirm_usd = press.confirm_usd }
  elseif (code == "E-CONFIRM" or code == "E-PRICE") and usd and usd > 0 then
    local text = string.format("This costs %s, which you have not agreed to yet. Nothing was spent.", form.dollars(usd))
    if code == "E-PRICE" then -- of a model that is new, or dearer than before: yes counts for later presses, too
      text = string.format("%s\n\nAll of it costs %s.", status.refused.message, form.dollars(usd))
    end
    return text .. "\n\nSend it?", { confirm_usd = usd }
  end
end

local function remove_items(id)
  local here = {}
  for _, found in ipairs(tabs.search(function(data) return data.id == id and data.mark == id end)) do
    here[found.project] = here[found.project] or {}
    table.insert(here[found.project], found)
  end
  local project
  for one, list in pairs(here) do
    discard.items(one, list, STEP)
    project = one
  end
  return project
end

-- Tell whether a refused request is a press that is dealt with here, and not yet.
function refusal.is_mine(one)
  return one.status ~= nil and one.status.refused ~= nil and send.pressed(one.id) ~= nil
end

-- Deal with a refused press.
function refusal.handle(box, one)
  local press = send.pressed(one.id)
  send.forget(one.id)
  send.was_refused(one.id)
  local project = remove_items(one.id)
  local text, more = question(one.status, press)
  if not text or not project then
    return reaper.MB("Not sent. " .. words.problem(one.status.refused), TITLE, 0)
  elseif reaper.MB(text, TITLE, YES_NO) == YES then
    local _, problem = send.once_more(box, project, press, more)
    if problem then
      reaper.MB(problem .. " Nothing was sent, nothing was spent.", TITLE, 0)
    end
  end
end

return refusal
