/** The panel: what its controls say, and what is shown on it. */
function Panel(outlet) {
  this.outlet = outlet;
  this.prompt = "";
  this.preset = "";
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
  this.launch = 0;
  this.source = 0;
  this.which = 0;
  this.names = [];
  this.shown = {};
}

Panel.BARS = 0;
Panel.LOOP = 1;
Panel.CLIP = 2;
Panel.SESSION = 0;
Panel.NO_PRESET = "No preset";
Panel.LABELS = { generate: "Generate", transform: "Transform", capture: "Capture" };
Panel.NUMBERS = {
  bars: true, span: true, place: true, strength: true, cfg: true, variations: true, seed: true, lock: true, warp: true,
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
  if (word === "prompt") {
    // "text", then all of it as one word, or as many; an empty field says bang, of which prepend may leave nothing
    this.prompt = String(values[0]) === "text" ? values.slice(1).join(" ") : "";
    return true;
  }
  return false;
};

/** A name was chosen in the preset menu; returns what is to be saved. */
Panel.prototype.choose = function (values) {
  var name = values.join(" ");
  this.preset = name === Panel.NO_PRESET || name === "bang" || name === "0" ? "" : name;
  return this.preset === "" ? Panel.NO_PRESET : this.preset;
};

/** Fill the preset menu and keep the choice, also of a preset that the bridge has not got (yet). */
Panel.prototype.presets = function (names) {
  var all = [Panel.NO_PRESET].concat(names);
  if (this.preset !== "" && all.indexOf(this.preset) < 0) {
    all.push(this.preset);
  }
  var key = all.join("\n") + "\n\n" + this.preset;
  if (this.shown.presets === key) {
    return;
  }
  this.shown.presets = key;
  this.names = names;
  this.outlet(2, ["presets", "clear"]);
  for (var i = 0; i < all.length; i += 1) {
    this.outlet(2, ["presets", "append", all[i]]);
  }
  this.outlet(2, ["presets", "setsymbol", this.preset === "" ? Panel.NO_PRESET : this.preset]);
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

/** Write on each button what its next press does: the one that a question is open for says that, and what it costs. */
Panel.prototype.labels = function (question) {
  for (var button in Panel.LABELS) {
    this.once("label_" + button, question && question.button === button ? question.label : Panel.LABELS[button]);
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
  if (this.lock && this.seed > 0) {
    return Math.floor(this.seed);
  }
  this.seed = 1 + Math.floor(Math.random() * 16777206); // leaves room for eight variations
  this.drawn = this.lock ? 0 : this.seed;
  // a stored value that is assigned makes no undo step, and may not be saved; a locked one has to be
  this.outlet(2, this.lock ? ["seed", this.seed] : ["seed", "assign", this.seed]);
  return this.seed;
};
