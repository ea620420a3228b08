/** The panel: what its controls say, and what is shown on it. */
function Panel(outlet, hide) {
  this.outlet = outlet;
  this.hide = hide; // (name of a box, whether it is hidden)
  this.shownPages = {};
  this.prompt = "";
  this.negative = "";
  this.negatives = []; // the models that take a negative prompt
  this.chains = []; // for each preset the models of the takes that a press of it makes
  this.preset = "";
  this.model = "";
  this.prompts = []; // earlier ones, the newest first
  this.bars = 4;
  this.span = 0;
  this.place = 0;
  this.strength = 0.5;
  this.cfg = 7;
  this.variations = 1;
  this.seed = 0;
  this.drawn = 0; // the seed that was drawn last, until it is locked
  this.lock = 0;
  this.warp = 0;
  this.fit = 0;
  this.target = 0;
  this.loudness = 0;
  this.tempo = 1;
  this.hold = 0;
  this.more = 0;
  this.launch = 0;
  this.source = 0;
  this.which = 0;
  this.known = { preset: [], model: [] }; // what the bridge has
  this.shown = {};
}

Panel.BARS = 0;
Panel.LOOP = 1;
Panel.CLIP = 2;
Panel.SHOT = 3;
Panel.SECONDS = 4;
Panel.SESSION = 0;
Panel.THIS_TRACK = 0;
Panel.SELECTED = 1;
Panel.NEW = 2;
Panel.NO_PRESET = "No preset";
Panel.NO_MODEL = "Default model";
Panel.HISTORY = "Earlier prompts";
Panel.PROMPTS = 12;
Panel.LOUDNESS = ["", "source", "-9", "-14", "-16", "-23"];
Panel.LABELS = { generate: "Generate", transform: "Transform", capture: "Capture", again: "Again" };
Panel.FITS = ["", "off", "start", "grid", "loop"]; // "": by how the length is chosen, and where it goes
Panel.NUMBERS = {
  bars: true, span: true, place: true, strength: true, cfg: true, variations: true, seed: true, lock: true, warp: true, fit: true, target: true, loudness: true,
  tempo: true, hold: true, more: true,
  launch: true, source: true, which: true
};

/** Take a value of a control; false where the word is none of them. */
Panel.prototype.hear = function (word, values) {
  if (Panel.NUMBERS[word] === true) {
    if (values.length && !isNaN(Number(values[0]))) {
      this[word] = Number(values[0]);
    }
    if (word === "lock" && this.lock && this.drawn > 0 && this.seed === this.drawn) {
      this.drawn = 0;
      this.outlet(2, ["seed", this.seed]); // what is assigned may not be saved; a number is, for one step of undo
    }
    return true;
  }
  if (word === "prompt" || word === "negative") {
    // "text", then all of it as one word, or as many; an empty field says bang, of which prepend may leave nothing
    this[word] = String(values[0]) === "text" ? values.slice(1).join(" ") : "";
    return true;
  }
  return false;
};

/** A name was chosen in the menu of presets or of models; returns what is to be saved. */
Panel.prototype.choose = function (what, values) {
  var none = what === "preset" ? Panel.NO_PRESET : Panel.NO_MODEL;
  var name = values.join(" ");
  this[what] = name === none || name === "bang" || name === "0" ? "" : name;
  return this[what] === "" ? none : this[what];
};

/** Fill a menu and keep the choice, also of what the bridge has not got (yet). */
Panel.prototype.names = function (what, names) {
  var none = what === "preset" ? Panel.NO_PRESET : Panel.NO_MODEL;
  var chosen = this[what];
  this.known[what] = names || this.known[what];
  var all = [none].concat(this.known[what]);
  this.menu(what + "s", chosen !== "" && all.indexOf(chosen) < 0 ? all.concat([chosen]) : all, chosen || none);
};

/** What stands in a menu, and which of it is chosen. */
Panel.prototype.menu = function (word, all, chosen) {
  var key = all.join("\n") + "\n\n" + chosen;
  if (this.shown[word] === key) {
    return;
  }
  this.shown[word] = key;
  this.outlet(2, [word, "clear"]);
  for (var i = 0; i < all.length; i += 1) {
    this.outlet(2, [word, "append", all[i]]);
  }
  this.outlet(2, [word, "setsymbol", chosen]);
};

/** A prompt of this device was heard of. */
Panel.prototype.remember = function (prompt, newest) {
  var text = Asking.plain(String(prompt || ""));
  if (text === "" || (!newest && this.prompts.indexOf(text) >= 0)) {
    return;
  }
  var others = this.prompts.filter(function (other) { return other !== text; });
  this.prompts = (newest ? [text].concat(others) : others.concat([text])).slice(0, Panel.PROMPTS);
};

/** The prompts in the menu: their beginnings, with their numbers. */
Panel.prototype.earlier = function () {
  return this.prompts.map(function (text, i) { return (i + 1) + " " + Text.words(text.slice(0, 40)).join(" "); });
};

/** An earlier prompt was chosen: it is written into the field. */
Panel.prototype.recall = function (values) {
  var text = this.prompts[this.earlier().indexOf(values.join(" "))];
  this.shown.prompts = "";
  if (text) {
    this.outlet(2, ["prompt", "set", text]);
    this.outlet(2, ["prompt", "bang"]);
  }
};

/** The models of the takes that a press makes, the last one that of the panel; "" is the default one. */
Panel.prototype.made = function (preset, model) {
  var made = String(this.chains[this.known.preset.indexOf(preset)] || "").split(" ");
  return model ? made.slice(0, -1).concat([model]) : made;
};

/** Whether the model that is chosen, or that the preset names, takes a negative prompt. */
Panel.prototype.takesNegative = function () {
  return this.negatives.indexOf(this.made(this.preset, this.model).pop() || this.known.model[0]) >= 0;
};

/** Show what was folded away, and a take that waits. */
Panel.prototype.pages = function (held) {
  var without = Boolean(this.more) && this.takesNegative();
  var shown = { what: !without, without: without, how: !this.more, more: Boolean(this.more), go: !held, held: held };
  for (var page in shown) {
    for (var i = 0; this.shownPages[page] !== shown[page] && i < PAGES[page].length; i += 1) {
      this.hide(PAGES[page][i], shown[page] ? 0 : 1);
    }
    this.shownPages[page] = shown[page];
  }
};

/** Show a sentence on one of the lines: connection, status, money. What does not fit is shortened, and whole at the pointer. */
Panel.prototype.say = function (line, sentence, more) {
  if (this.shown[line] === sentence && !more) {
    return;
  }
  var words = Fitting.words(sentence, LINES[line][0], LINES[line][1]);
  if (this.shown[line] !== sentence) {
    this.shown[line] = sentence;
    this.outlet(2, [line].concat(words.length ? words : [" "]));
  }
  var whole = words.join(" ") === Text.words(sentence).join(" ");
  this.once("whole_" + line, more ? sentence + ". " + more : whole ? " " : sentence);
};

Panel.prototype.light = function (on) {
  this.once("light", on ? 1 : 0);
};

/** Show how far the jobs are, 0 to 1. */
Panel.prototype.progress = function (fraction) {
  this.once("progress", Math.round(Math.max(0, Math.min(1, fraction)) * 100) / 100);
};

/** Write on each button what its next press does, and what it costs: `prices` by button. One that a question is open for says that. */
Panel.prototype.labels = function (question, prices) {
  for (var button in Panel.LABELS) {
    var priced = Panel.LABELS[button] + (prices[button] ? " · " + prices[button] : "");
    var label = question && question.button === button ? question.label : priced;
    this.once("label_" + button, Fitting.width(label) <= BUTTONS[button] ? label : prices[button] || Panel.LABELS[button]);
  }
};

/** What needs the service to fetch a source is dark where it cannot, and all is while the device is switched off. */
Panel.prototype.dark = function (enabled, ready) {
  this.once("active_transform", enabled && ready ? 1 : 0);
  this.once("active_capture", enabled && ready ? 1 : 0);
};

Panel.prototype.once = function (word, value) {
  if (this.shown[word] !== value) {
    this.shown[word] = value;
    this.outlet(2, [word, value]);
  }
};

/** The seed of the next press: the locked one, else a new one that is then shown. */
Panel.prototype.nextSeed = function () {
  return this.lock && this.seed > 0 ? Math.floor(this.seed) : this.newSeed();
};

Panel.prototype.newSeed = function () {
  this.seed = 1 + Math.floor(Math.random() * 16777206); // leaves room for eight variations
  this.drawn = this.lock ? 0 : this.seed;
  // a stored value that is assigned makes no undo step, and may not be saved; a locked one has to be
  this.outlet(2, this.lock ? ["seed", this.seed] : ["seed", "assign", this.seed]);
  return this.seed;
};
