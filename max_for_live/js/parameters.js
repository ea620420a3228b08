/** The parameters of a request. Made by docs/make_tables.py; change bridge_daemon/domain/parameters.py. */
var Parameters = [
  { key: "prompt", kind: "text", on: ["generate", "transform"] },
  { key: "negative_prompt", kind: "text", on: ["generate", "transform"] },
  { key: "model", kind: "text", on: ["generate", "transform"] },
  { key: "duration", kind: "number", on: ["generate", "transform"] },
  { key: "strength", kind: "number", on: ["transform"] },
  { key: "continue_from", kind: "number", on: ["transform"] },
  { key: "cfg_scale", kind: "number", on: ["generate", "transform"] },
  { key: "steps", kind: "whole", on: ["generate", "transform"] },
  { key: "seed", kind: "whole", on: ["generate", "transform"] },
  { key: "region_start", kind: "number", on: ["transform"] },
  { key: "region_end", kind: "number", on: ["transform"] },
  { key: "variations", kind: "whole", on: ["generate", "transform"] },
  { key: "valid_for", kind: "number", on: ["generate", "transform"] },
  { key: "fit", kind: "choice", on: ["generate", "transform"] },
  { key: "loudness", kind: "choice", on: ["generate", "transform"] }
];
