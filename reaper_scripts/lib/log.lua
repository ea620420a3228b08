-- A small log for what no box is shown for: the last line in the status window, all of it in a file.

local import = ...

local host = import("host")

local log = {}

local LONGEST = 256 * 1024

-- Write down what went wrong.
function log.write(text)
  host.set("problem", (text:gsub("\n.*", "")), false)
  local config = import("config").load()
  if not config then
    return
  end
  local files = import("files")
  local path = files.join(config.home, "inbox", config.client, ".scripts.log")
  local mode = (files.size(path) or 0) > LONGEST and "wb" or "ab"
  local file = io.open(path, mode)
  if file then
    file:write(os.date("%Y-%m-%d %H:%M:%S "), text, "\n")
    file:close()
  end
end

-- Return the last problem, or "".
function log.last()
  return host.get("problem")
end

return log
