-- A REAPER for tests, in plain Lua, so that it runs in every Lua that the scripts run in. Strict where the real one is, and mean
-- where the real one may be: README.md beside the tests lists the facts that it keeps to. It has no engine, no screen, no plug-ins.

local folder, host = ...

local loaded = {}
local function import(name)
  if loaded[name] == nil then
    loaded[name] = assert(loadfile(folder .. "/" .. name .. ".lua"))(import)
  end
  return loaded[name]
end

local core = import("core")
local model = import("model")

local function plain_host()
  local quote = function(path)
    return "'" .. path:gsub("'", "'\\''") .. "'"
  end
  local function said(line)
    local pipe = assert(io.popen(line))
    local text = pipe:read("a")
    pipe:close()
    return text
  end
  return {
    list = function(path) return said("find " .. quote(path) .. " -maxdepth 1 -type f -printf '%f\\n' 2>/dev/null") end,
    make_folder = function(path) said("mkdir -p " .. quote(path) .. " 2>&1") end,
    is_folder = function(path) return said("test -d " .. quote(path) .. " && echo yes") ~= "" end,
  }
end

-- Return a fake. ``options``: resources (folder), version (7.08), imgui (true: ReaImGui is installed),
-- sws (true: SWS is), narrow (true: as on a Windows
-- whose functions rename and remove take no accents), broken (the name of the point
-- of the fidelity list that is broken on purpose).
local function new(options)
  local fake = {
    host = host or plain_host(),
    broken = options.broken and { [options.broken] = true } or {},
    resources = options.resources,
    narrow = options.narrow,
    sws = options.sws,
    version_number = tonumber(options.version or "7.08"),
    default_media = options.resources .. "/Default Media",
    now = 1000.0,
    late = 0, -- s that the clock of the machine is ahead
    thinking = 10.0, -- s that a person takes to answer a dialog
    tabs = {}, active = 1, closed = {}, open_blocks = {}, frozen = 0,
    scripts = {}, deferred = {}, errors = {}, calls = {}, writes = {}, commands = {}, next_command = 50000, actions = {},
    steps = 0, dies_at = -1,
    cursor_context = 0, ext = {}, persistent = {}, listings = {}, processes = {}, console = "",
    modals = {}, answers = {}, drawn = {}, key = 0,
    renders = {}, render = "blocking", accessors = 0, loose_sources = 0,
  }
  -- Each call, and each change of a file, is a moment in which REAPER may die, for good: nothing runs after it.
  function fake.step()
    fake.steps = fake.steps + 1
    if fake.steps == fake.dies_at then
      os.exit(7, false)
    end
  end

  fake.pointers = core.new_pointers(fake.broken)
  local kept = io.open(fake.resources .. "/reaper-extstate.lua", "rb")
  if kept then
    fake.persistent = model.from_text(kept:read("a"))
    kept:close()
  end
  local own = {}
  import("projects")(fake, own)
  import("items")(fake, own)
  import("sound")(fake, own)
  import("scripts")(fake, own)
  import("screen")(fake, own)
  if host and host.imgui then -- a real Dear ImGui
    for name, run in pairs(host.imgui) do
      own["ImGui_" .. name] = run
    end
  elseif options.imgui then
    import("imgui")(fake, own)
  end
  fake.reaper, fake.gfx = core.make_tables(fake, own, core.read_api(folder .. "/../data/api.tsv"))
  fake.shared_globals = setmetatable({ reaper = fake.reaper, gfx = fake.gfx }, { __index = _G })
  fake.new_project("")
  return fake
end

return new
