-- @noindex
-- The parameters of a request. Made by docs/make_tables.py; change bridge_daemon/domain/parameters.py.

return {
  { key = "prompt", label = "Prompt", kind = "text", form = true, sound = false, on = { "generate", "transform" } },
  { key = "model", label = "model", kind = "text", form = false, sound = false, on = { "generate", "transform" } },
  { key = "duration", label = "duration", kind = "number", low = 1, high = 190, form = false, sound = false, on = { "generate", "transform" } },
  { key = "strength", label = "Strength 0..1", kind = "number", low = 0, high = 1, start = 0.5, form = true, sound = true, on = { "transform" } },
  { key = "cfg_scale", label = "CFG scale 1..25", kind = "number", low = 1, high = 25, start = 7, form = true, sound = true, on = { "generate", "transform" } },
  { key = "steps", label = "Steps", kind = "whole", low = 4, high = 100, start = 50, form = true, sound = true, on = { "generate", "transform" } },
  { key = "seed", label = "Seed (empty: new)", kind = "whole", low = 1, high = 4294967294, form = true, sound = false, on = { "generate", "transform" } },
  { key = "variations", label = "Variations 1..8", kind = "whole", low = 1, high = 8, start = 1, form = true, sound = false, on = { "generate", "transform" } },
  { key = "valid_for", label = "valid_for", kind = "number", low = 0, high = 604800, form = false, sound = false, on = { "generate", "transform" } },
}
