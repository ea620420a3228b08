-- Scripts and what they share: their own Lua each, deferred functions, ExtState, files, dialogs.

local import = ...
local model = import("model")

local MAIN = 0

return function(fake, own)
  local broken = fake.broken

  -- Running scripts. fact 41: each run has globals of its own.

  local function stepping(library)
    local made = {}
    for name, run in pairs(library) do
      made[name] = type(run) ~= "function" and run or function(...)
        fake.step()
        return run(...)
      end
    end
    return made
  end

  local function new_globals(script)
    if broken.own_state then
      script.globals = fake.shared_globals
      return script.globals
    end
    local globals = {}
    for key, value in pairs(_G) do
      globals[key] = value
    end
    globals._G = globals
    globals.os, globals.io = stepping(os), stepping(io)
    -- fact 47: on Windows, rename and remove may take no path with characters outside of ASCII, while open does
    for _, name in ipairs({ "rename", "remove" }) do
      local run = globals.os[name]
      globals.os[name] = function(path, ...)
        if fake.narrow and not broken.narrow and (path .. (... or "")):find("[\128-\255]") then
          return nil, path .. ": No such file or directory", 2
        end
        return run(path, ...)
      end
    end
    globals.os.time = function(parts)
      return parts and os.time(parts) or os.time() + fake.late
    end
    globals.reaper, globals.gfx = fake.reaper, fake.gfx
    globals.loadfile = function(path, mode, env)
      return loadfile(path, mode, env or globals)
    end
    globals.dofile = function(path)
      return assert(loadfile(path, "t", globals))()
    end
    script.globals = globals
    return globals
  end

  local function count(list, script)
    local number = 0
    for _, one in ipairs(list) do
      number = number + (one.script == script and 1 or 0)
    end
    return number
  end

  local function call(script, run, ...)
    local before = fake.current
    fake.current = script
    local fine, trace = xpcall(run, debug.traceback, ...)
    fake.current = before
    if not fine then -- an error ends the script
      fake.errors[#fake.errors + 1] = trace
      script.ended = true
    end
    return fine
  end

  local function finish(script)
    if script.finished then
      return
    end
    script.finished, script.ended = true, true
    for _, run in ipairs(script.at_exit) do
      call(script, run)
    end
    for index, one in ipairs(fake.scripts) do
      if one == script then
        table.remove(fake.scripts, index)
      end
    end
  end

  local function end_if_done(script)
    if script.ended or count(fake.deferred, script) == 0 then
      finish(script)
    end
  end

  local function terminate(script)
    script.ended = true
    finish(script)
  end

  -- A person ends all scripts.
  function fake.terminate_all()
    for _, script in ipairs({ table.unpack(fake.scripts) }) do
      terminate(script)
    end
  end

  -- fact 35: REAPER asks when a script that is deferred is started again, unless the script said what it wants
  local function relaunch(path)
    for _, script in ipairs(fake.scripts) do
      if script.path == path then
        if script.options & 1 == 0 and not broken.relaunch then
          fake.modal("ReaScript task control: " .. path)
        end
        if script.options & 1 ~= 0 then
          terminate(script)
          return script.options & 2 ~= 0
        end
      end
    end
    return true
  end

  function fake.run(path, command)
    if not relaunch(path) then
      return
    end
    local script = { path = path, command = command or fake.commands[path] or -1, at_exit = {}, options = 0, deferred = false }
    fake.scripts[#fake.scripts + 1] = script
    local chunk, problem = loadfile(path, "t", new_globals(script))
    assert(chunk, problem)
    call(script, chunk)
    if not script.deferred and not broken.automatic_undo then -- fact 20
      fake.undo_point(fake.tabs[fake.active], "ReaScript: Run " .. path:match("[^/]*$"))
    end
    fake.end_of_tick()
    end_if_done(script)
  end

  function own.defer(run)
    local script = fake.current
    script.deferred = true
    if broken.defer_inline then -- fact 19
      run()
      return true
    end
    fake.deferred[#fake.deferred + 1] = { script = script, run = run }
    return true
  end

  function own.atexit(run)
    table.insert(fake.current.at_exit, run)
  end

  function own.set_action_options(flag)
    fake.current.options = flag
  end

  function own.get_action_context()
    return false, fake.current.path, MAIN, fake.current.command, 0, 0, 0, ""
  end

  -- One turn of REAPER's loop: what was deferred before it runs, nothing that is deferred in it.
  function fake.tick()
    fake.now = fake.now + 1 / 30
    fake.render_on()
    local due = fake.deferred
    fake.deferred = {}
    for _, one in ipairs(due) do
      if not one.script.ended then
        call(one.script, one.run)
        fake.end_of_tick()
      end
    end
    fake.end_previews()
    for _, script in ipairs({ table.unpack(fake.scripts) }) do
      end_if_done(script)
    end
  end

  -- facts 21 and 22: nothing may be left open behind a tick
  function fake.end_of_tick()
    if fake.frozen ~= 0 and not broken.refresh then
      fake.errors[#fake.errors + 1] = "PreventUIRefresh was left at " .. fake.frozen
    end
    for project in pairs(fake.open_blocks) do
      if not broken.undo_balance then
        fake.errors[#fake.errors + 1] = "an undo block was left open in " .. project.path
      end
    end
    fake.frozen = 0
  end

  -- REAPER dies: nothing is told to anybody.
  function fake.crash()
    fake.scripts, fake.deferred, fake.rendering = {}, {}, nil
    for index = #fake.tabs, 1, -1 do
      fake.close(fake.tabs[index])
    end
    fake.ext = {}
    fake.new_project("")
  end

  -- Actions

  function own.AddRemoveReaScript(add, section, path)
    assert(section == MAIN)
    if not fake.is_file(path) then
      return 0
    end
    if not add then
      fake.commands[path] = nil
      return 1
    end
    if not fake.commands[path] then
      fake.next_command = fake.next_command + 1
      fake.commands[path] = fake.next_command
    end
    return fake.commands[path]
  end

  -- fact 57: a script has a name that is made from its path, without "_" as it is told and with "_" as it is asked for; 0 where it is
  -- not in the list
  local function name_of(path)
    local hash = 5381
    for at = 1, #path do
      hash = (hash * 33 + path:byte(at)) & 0xffffffffffff
    end
    return string.format("RS%040x", hash)
  end

  function own.ReverseNamedCommandLookup(number)
    for path, known in pairs(fake.commands) do
      if known == number then
        return name_of(path)
      end
    end
  end

  function own.NamedCommandLookup(name)
    for path, known in pairs(fake.commands) do
      if name == (broken.command_names and "" or "_") .. name_of(path) then
        return known
      end
    end
    return 0
  end

  local function command(number, project)
    if fake.actions[number] then
      return fake.actions[number](project)
    end
    for path, known in pairs(fake.commands) do
      if known == number then
        return fake.run(path, number)
      end
    end
    error("no such action: " .. number)
  end

  function own.Main_OnCommand(number)
    command(number, fake.tabs[fake.active])
  end

  function own.Main_OnCommandEx(number, _, pointer)
    command(number, fake.project(pointer))
  end

  -- ExtState. fact 40: what persists outlives REAPER; the rest ends with it.

  function own.GetExtState(section, key)
    local name = section .. "\n" .. key
    local value = fake.ext[name] or fake.persistent[name]
    if value == nil and not broken.ext_absent then -- fact 13
      return ""
    end
    return value
  end

  function own.SetExtState(section, key, value, persist)
    local name = section .. "\n" .. key
    assert(not (persist and value:find("\n")), "what persists is one line")
    fake.ext[name] = value
    if persist or broken.ext_persist then
      -- fact 43: what is outside of the system's code page comes back as ?
      fake.persistent[name] = broken.ext_ascii and value or value:gsub("[\128-\255]+", "?")
      local file = io.open(fake.resources .. "/reaper-extstate.lua", "wb")
      if file then
        file:write(model.to_text(fake.persistent))
        file:close()
      end
    end
  end

  -- Files

  function fake.is_file(path)
    local file = io.open(path, "rb")
    if not file then
      return false
    end
    local _, _, number = file:read(0)
    file:close()
    return number == nil
  end

  function fake.make_folder(path)
    fake.host.make_folder(path)
  end

  function own.RecursiveCreateDirectory(path)
    fake.host.make_folder(path)
    return 1
  end

  function own.file_exists(path) -- fact 17: true for folders, too
    return fake.is_file(path) or (not broken.exists_folder and fake.host.is_folder(path))
  end

  -- fact 16: a listing is kept until it is asked for with -1; its order says nothing
  function own.EnumerateFiles(path, index)
    if index == -1 or not fake.listings[path] or broken.listing_cache then
      local names = {}
      for name in fake.host.list(path):gmatch("[^\n]+") do
        table.insert(names, 1, name)
      end
      fake.listings[path] = names
    end
    return index >= 0 and fake.listings[path][index + 1] or nil
  end

  function own.GetResourcePath()
    return fake.resources
  end

  -- fact 18: nil, or the code and what was said
  function own.ExecProcess(line)
    if broken.exec then
      return "done"
    end
    fake.executed = line
    local answer = fake.processes[line]
    return answer and answer[1] .. "\n" .. answer[2] or nil
  end

  -- fact 31
  function own.GetAppVersion()
    return broken.version and "REAPER " .. fake.version_number or fake.version_number .. "/linux-x86_64"
  end

  function own.GetOS()
    return broken.version and "Linux" or fake.system or "Other"
  end

  function own.genGuid()
    return model.guid()
  end

  function own.Audio_Quit()
    fake.audio_off = true
  end

  function own.Audio_IsRunning()
    return fake.audio_off and 0 or 1
  end

  function own.time_precise()
    return fake.now
  end

  function own.ShowConsoleMsg(text)
    fake.console = fake.console .. text
  end

  -- Dialogs. fact 30: everything stands still until somebody answers.

  function fake.modal(text)
    fake.modals[#fake.modals + 1] = text
    fake.now = fake.now + fake.thinking
    if broken.modal_stalls then
      fake.tick()
    end
  end

  local function next_answer(what)
    local answer = table.remove(fake.answers, 1)
    if answer == nil then
      error("nobody answers: " .. what)
    end
    return answer
  end

  function own.MB(text, _, kind)
    fake.modal(text)
    if kind == 0 then
      return 1
    end
    return next_answer(text)
  end

  local QUOTES = { ['"'] = true, ["'"] = true, ["`"] = true }

  local function fields_of(text, separator)
    local fields, from, quoted, depth = {}, 1, nil, 0
    for at = 1, #text do
      local mark = text:sub(at, at)
      if broken.inputs_csv then
        quoted, depth = nil, 0
      elseif QUOTES[mark] and (quoted == nil or quoted == mark) then
        quoted = quoted == nil and mark or nil
      elseif mark == "(" then
        depth = depth + 1
      elseif mark == ")" then
        depth = math.max(0, depth - 1)
      end
      if mark == separator and not quoted and depth == 0 then
        fields[#fields + 1] = text:sub(from, at - 1)
        from = at + 1
      end
    end
    fields[#fields + 1] = text:sub(from)
    return fields
  end

  local function captions_of(text, most)
    local captions, separator = {}, ","
    for part in (text .. ","):gmatch("([^,]*),") do
      if part:match("^separator=") then
        separator = part:sub(11)
      elseif not part:match("^extrawidth=") then
        captions[#captions + 1] = part
      end
    end
    assert(#captions == most, "as many captions as fields")
    return captions, separator
  end

  -- fact 29: captions by commas; values by the separator; an odd quote of any kind or an open parenthesis swallows fields
  function own.GetUserInputs(title, most, captions_text, values_text)
    assert(most <= 16, "at most 16 fields")
    local captions, separator = captions_of(captions_text, most)
    local fields = fields_of(values_text, separator)
    for index = 1, most do
      fields[index] = fields[index] or ""
    end
    fake.modal(title)
    fake.shown = { title = title, captions = captions, fields = { table.unpack(fields, 1, most) } }
    local answer = next_answer(title)
    if answer == "cancel" then
      return false, values_text
    end
    for key, value in pairs(answer) do
      local index = type(key) == "number" and key
      for number, caption in ipairs(captions) do
        index = index or (caption:find(key, 1, true) == 1 and number)
      end
      fields[assert(index, "no field " .. key)] = value
    end
    return true, table.concat(fields, separator, 1, most)
  end

  -- gfx

  function own.GetMousePosition()
    return 400, 300
  end

  function own.TrackCtl_SetToolTip(text)
    fake.tooltip = text
  end

  -- fact 65: fields by |; an empty one is a rule, which is not counted; # ! < > in front mean something; & marks a letter, && is one
  local function lines_of(text)
    local lines = {}
    for field in (text .. "|"):gmatch("([^|]*)|") do
      local shown = field:gsub("^[#!<>]+", ""):gsub("&(.?)", "%1")
      if broken.menu_marks then
        lines[#lines + 1] = field
      elseif field ~= "" and not field:find("^[#!<]*>") then
        lines[#lines + 1] = field:find("^#") and "" or shown
      end
    end
    return lines
  end

  -- A person answers with the number of a line, or with what it begins with.
  own["gfx.showmenu"] = function(text)
    fake.menu, fake.menu_lines = text, lines_of(text)
    fake.modal("menu")
    local answer = next_answer("menu: " .. text)
    for index, line in ipairs(type(answer) == "string" and fake.menu_lines or {}) do
      if line:find(answer, 1, true) == 1 then
        return index
      end
    end
    return assert(type(answer) == "number" and answer, "no such line in the menu: " .. tostring(answer))
  end
end
