-- The request as the bridge reads it: what was typed into the form, and where it belongs.

local import = ...
local parameters = import("parameters")

local request_body = {}

-- Return the request. ``more``: client, id, action, place, source, and what else is no field of the form.
function request_body.make(values, more)
  local body = { version = 1, preset = values.preset }
  for _, one in ipairs(parameters) do
    if one.form then
      body[one.key] = values[one.key]
    end
  end
  for key, value in pairs(more) do
    body[key] = value
  end
  return body
end

return request_body
