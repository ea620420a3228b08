-- Projects, tracks, items, takes: plain tables, and how they are saved, loaded and undone.

local model = {}

local serial = 0

local function guid()
  serial = serial + 1
  return string.format(
    "{%08X-%04X-4%03X-8%03X-%012X}",
    math.random(0, 0x7fffffff),
    math.random(0, 0xffff),
    math.random(0, 0xfff),
    serial % 0x1000,
    serial
  )
end

model.guid = guid

local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local made = {}
  for key, one in pairs(value) do
    made[key] = copy(one)
  end
  return made
end

model.copy = copy

local ITEM = { D_POSITION = 0, D_LENGTH = 1, B_LOOPSRC = 1, C_LOCK = 0, I_CUSTOMCOLOR = 0, I_FIXEDLANE = 0, B_UISEL = 0,
  I_GROUPID = 0, B_MUTE = 0, D_FADEINLEN = 0, D_FADEOUTLEN = 0 }
local TAKE = { D_STARTOFFS = 0, D_PLAYRATE = 1, D_PITCH = 0, B_PPITCH = 1, D_VOL = 1, I_CHANMODE = 0 }
local TRACK = { I_FXEN = 1, I_FREEMODE = 0, D_VOL = 1, I_SELECTED = 0, I_FOLDERDEPTH = 0, I_SOLO = 0, B_SHOWINTCP = 1,
  B_SHOWINMIXER = 1, I_NUMFIXEDLANES = 1 }

model.RENDER = {
  numbers = {
    RENDER_SETTINGS = 0, RENDER_BOUNDSFLAG = 1, RENDER_CHANNELS = 2, RENDER_SRATE = 48000, RENDER_STARTPOS = 1.5, RENDER_ENDPOS = 7.25,
    RENDER_TAILFLAG = 18, RENDER_TAILMS = 1000, RENDER_ADDTOPROJ = 1, RENDER_DITHER = 3, RENDER_NORMALIZE = 1,
    PROJECT_SRATE = 48000, PROJECT_SRATE_USE = 1,
  },
  texts = { RENDER_FILE = "/somewhere/else", RENDER_PATTERN = "$project", RENDER_FORMAT = "l3pm", RENDER_FORMAT2 = "ZXZhdxg=" },
}

function model.new_take()
  return { guid = guid(), info = copy(TAKE), texts = { P_NAME = "" }, ext = {}, fx = {}, markers = {} }
end

function model.new_item()
  return { guid = guid(), info = copy(ITEM), texts = { P_NOTES = "" }, ext = {}, takes = {}, active = 0, selected = false }
end

function model.new_track(name)
  return { guid = guid(), info = copy(TRACK), texts = { P_NAME = name or "" }, ext = {}, items = {}, selected = false }
end

function model.new_project(path)
  return {
    path = path or "",
    tracks = {},
    master = model.new_track("MASTER"),
    ext = {},
    numbers = copy(model.RENDER.numbers),
    texts = copy(model.RENDER.texts),
    cursor = 0,
    time_selection = { 0, 0 },
    tempo = 120,
    tempo_changes = {}, -- { at (s), tempo }
    signature = { 4, 4 },
    offset = 0,
    play_state = 0,
    changes = 0,
    dirty = false,
    history = {},
    at = 0,
    blocks = 0,
  }
end

local function plain_take(take)
  return { guid = take.guid, info = copy(take.info), texts = copy(take.texts), ext = copy(take.ext), fx = copy(take.fx),
    markers = copy(take.markers), file = take.source and take.source.path }
end

local function plain_item(item)
  local plain = { guid = item.guid, info = copy(item.info), texts = copy(item.texts), ext = copy(item.ext), active = item.active,
    selected = item.selected, takes = {} }
  for index, take in ipairs(item.takes) do
    plain.takes[index] = plain_take(take)
  end
  return plain
end

model.plain_item = plain_item

local function plain_track(track)
  local plain = { guid = track.guid, info = copy(track.info), texts = copy(track.texts), ext = copy(track.ext),
    selected = track.selected, locked = track.locked, frozen = track.frozen, items = {} }
  for index, item in ipairs(track.items) do
    plain.items[index] = plain_item(item)
  end
  return plain
end

-- Return what an undo point keeps of a project.
function model.snapshot(project)
  local tracks = {}
  for index, track in ipairs(project.tracks) do
    tracks[index] = plain_track(track)
  end
  return tracks
end

local SAVED = { "ext", "numbers", "texts", "cursor", "time_selection", "tempo", "tempo_changes", "signature", "offset" }

-- Return what a project file keeps.
function model.to_file(project)
  local plain = { tracks = model.snapshot(project) }
  for _, key in ipairs(SAVED) do
    plain[key] = copy(project[key])
  end
  return plain
end

-- Fill a new project with what a file has.
function model.from_file(project, plain)
  for _, key in ipairs(SAVED) do
    project[key] = copy(plain[key])
  end
end

-- Write a plain value as Lua.
function model.to_text(value)
  if type(value) == "table" then
    local parts = {}
    for key, one in pairs(value) do
      parts[#parts + 1] = "[" .. model.to_text(key) .. "]=" .. model.to_text(one)
    end
    return "{" .. table.concat(parts, ",") .. "}"
  elseif type(value) == "string" then
    return string.format("%q", value)
  elseif math.type(value) == "float" then
    return value == math.huge and "math.huge" or string.format("%.17g", value) .. ((value % 1 == 0) and ".0" or "")
  end
  return tostring(value)
end

-- Read what to_text has written.
function model.from_text(text)
  return assert(load("return " .. text, "=file", "t", { math = math }))()
end

return model
