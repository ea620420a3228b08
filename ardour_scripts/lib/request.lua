-- The request: what was typed and where it belongs, in the words of the bridge.

local import = ...
local json = import("json")
local names = import("names")
local request_body = import("request_body")
local session = import("session")

local request = {}

local LONGEST_NAME = 200 -- characters, of the bridge

-- Return the place of a take that begins at a sample. ``track``: the name of the track it was made from, or nil.
function request.place(sample, length, track)
  local time, rate = session.time_at(sample), session.rate()
  return {
    project = names.short(Session:name(), LONGEST_NAME),
    track = track and names.short(track, LONGEST_NAME),
    target = "arrangement",
    position = sample / rate,
    beats = time.quarters,
    length = length,
    time_offset = 0,
    tempo = time.tempo,
    time_signature = time.meter,
    sample_rate = rate,
    token = json.encode({ session = session.id() }),
  }
end

-- Return the request. ``more``: client, id, action, place, source, confirm_usd, again.
function request.make(values, more)
  -- Ardour's Lua cannot stretch, and a copy that fits is made where the form or a preset asks for it
  more.fit = values.fit or not values.preset and "off" or nil
  return request_body.make(values, more)
end

-- Return the session that a place was sent from, or nil.
function request.session_of(place)
  local data = type(place.token) == "string" and json.decode(place.token)
  return type(data) == "table" and data.session or nil
end

return request
