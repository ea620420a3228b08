/** The device: everything put together. Max brings it messages and time; Live is touched only when it is ready. */
function Device(outlet, kind, hide) {
  var self = this;
  this.kind = kind;
  this.enabled = true;
  this.outlet = outlet;
  this.ready = false;
  this.owner = "device-" + Text.hex(12);
  this.panel = new Panel(outlet, hide);
  this.wire = new Wire(outlet);
  this.jobs = new Jobs();
  this.requests = new Requests(this.wire);
  this.notes = { text: "", until: 0 };
  this.done = {}; // ids of pads that were acted on
  this.saved = []; // what the set had saved, until Live is there
  this.tell = function (sentence) { self.notes = { text: sentence, until: self.now() + Device.NOTE }; };
}

Device.TICK = 100; // ms
Device.NOTE = 5000; // ms that an event is shown before what goes on is shown again
Device.JOBS = 50;

Device.prototype.now = function () {
  return new Date().getTime();
};

/** Live is there. Also comes after a preset was loaded or the device saved: then only what may have changed is read. */
Device.prototype.start = function (devicePath) {
  var self = this;
  if (!this.ready) {
    this.ready = true;
    this.ledger = new Ledger(this.owner);
    this.home = new Home(devicePath);
    this.identity = new Identity(this.ledger);
    this.port = new Port(this.wire, this.ledger, this.outlet);
    this.connection = new Connection(this.home, this.wire, this.port, this.identity);
    this.timeline = new Timeline(this.wire, this.identity);
    this.placer = new Placer(this.wire, this.identity, this.panel, devicePath, function (job) {
      self.requests.ask("/bridge/deliver", Text.uuid(self.number()), [["client", self.identity.client], ["job", job], ["library", 1]],
        self.now(), function (word, told) {
          if (word !== "ok") {
            self.tell(String(told.message || "The take was not brought to the library. Show File shows it"));
          }
        });
    }, function (told) {
      if (self.panel.hold) {
        self.held.hold(told);
      }
      return Boolean(self.panel.hold);
    });
    this.held = new Held(this.outlet, this.placer, function (job, pairs) {
      self.requests.ask("/bridge/mark", Text.uuid(self.number()), [["client", self.identity.client], ["job", job]].concat(pairs),
        self.now(), function (word, told) {
          if (word !== "ok") {
            self.tell(String(told.message || "The mark was not answered: set it on the page (daw-bridge open)"));
          }
        });
    });
    this.recorder = new Recorder(this.outlet, this.home, this.timeline);
    this.presses = new Presses({
      wire: this.wire, panel: this.panel, identity: this.identity, requests: this.requests, jobs: this.jobs,
      placer: this.placer, connection: this.connection, salt: this.number(), tell: this.tell
    });
    this.placer.version = Live.version();
    Timeline.scales = Live.atLeast(this.placer.version, [12, 0, 5]);
    this.timeline.observe();
    this.outlet(0, ["maxpacketsize", Wire.MOST]);
    this.outlet(2, ["identity", "bang"]);
    this.outlet(2, ["preset", "bang"]);
    this.outlet(2, ["model", "bang"]);
  }
  this.recall();
  if (this.identity.restore(this.saved, this.now(), this.here())) {
    this.keep(); // what another one has saved is not to be taken for this one's later
  }
  this.outlet(2, ["prompt", "bang"]);
  this.panel.names("preset");
  this.panel.names("model");
  this.tick();
};

/** A number of this device for the making of ids. */
Device.prototype.number = function () {
  return parseInt(this.owner.slice(-4), 16);
};

/** Whatever came in at the inlet. */
Device.prototype.hear = function (word, values) {
  if (word.charAt(0) === "/") {
    if (this.ready) {
      this.fromBridge(word, values);
    }
  } else if (word === "identity") {
    this.saved = values;
    this.recall();
    if (this.ready && this.identity.begun) {
      this.identity.restore(values, this.now(), this.here());
    }
  } else if (word === "enabled") {
    this.enabled = Number(values[0]) === 1;
  } else if (word === "presetname" || word === "modelname") {
    this.panel.choose(word.slice(0, -4), values);
    this.panel.names(word.slice(0, -4));
  } else if (word === "preset" || word === "model") {
    this.outlet(2, [word, this.panel.choose(word, values)]);
  } else if (word === "history") {
    this.panel.recall(values);
  } else if (word === "heard" && this.ready) {
    this.held.heard();
  } else if (!this.panel.hear(word, values) && this.ready) {
    this.used(word, values);
  }
};

/** A button. One that says 0 was let go. */
Device.prototype.used = function (word, values) {
  if (Device.BUTTONS[word] && !(values.length && Number(values[0]) === 0)) {
    this.presses.onlyFor(word);
    this.outlet(2, ["fields", "bang"]);
    this[Device.BUTTONS[word]]({});
    this.show(this.now());
  }
};

Device.BUTTONS = {
  generate: "pressGenerate", transform: "pressTransform", capture: "pressCapture", cancel: "pressCancel", reveal: "pressReveal",
  again: "pressAgain", hear: "pressHear", keep: "pressKeep", favourite: "pressFavourite", discard: "pressDiscard"
};

/**
 * Save who this device is with the set, at the first thing that is done with it, since adding it alone changes nothing; and anew when the
 * set was saved for the first time, or under another name: otherwise it would be somebody else's there.
 */
Device.prototype.keep = function () {
  var words = this.identity.words(this.here());
  if (!this.identity.isSaved(words)) {
    this.identity.saved = words.join(" ");
    // a home that was not found yet does not take the place of the one that was saved
    var home = this.home.secret() !== "" ? this.home.path : this.home.kept;
    this.outlet(2, ["identity"].concat(words, [encodeURIComponent(home || "-")]));
  }
};

/** The home that this device used when it was saved is one of those that are tried. */
Device.prototype.recall = function () {
  if (this.ready && this.saved.length > 4) {
    try {
      this.home.kept = decodeURIComponent(String(this.saved[4])).replace(/^-$/, "");
    } catch (error) {
      this.home.kept = ""; // no text of this device
    }
  }
};

/** Where this device is: the set and the track. */
Device.prototype.here = function () {
  var track = Tracks.own();
  return {
    path: Live.atLeast(this.placer.version, [11, 3, 25]) ? Files.native(Live.setPath(this.placer.version)) : null,
    track: track ? Tracks.index(track) + " " + Live.text(track, "name") : ""
  };
};

Device.prototype.pressGenerate = function (overrides) {
  this.keep();
  this.presses.generate(Timeline.read(), overrides, this.now());
};

Device.prototype.pressTransform = function (overrides) {
  this.keep();
  if (this.unready() !== "") {
    this.presses.turnedDown(this.unready(), overrides);
    return;
  }
  var song = Timeline.read();
  var source = this.panel.source === 1 && !overrides.action ? Sources.loop(song, Tracks.own()) : Sources.clip(song);
  this.presses.transform("transform", source, song, overrides, this.now());
};

Device.prototype.pressCapture = function (overrides) {
  this.keep();
  var now = this.now();
  var why = "This device hears no audio: Capture is in Daw Bridge on an audio track";
  if (!overrides.action && this.presses.agreedCapture(Timeline.read(), now)) {
    return;
  }
  if (this.kind === "audio") {
    why = Asking.missing(this.panel, overrides) || (this.connection.connected ? "" : this.connection.why);
    var bars = Number(overrides.bars) || this.panel.bars;
    why = why || this.unready();
    why = why || this.recorder.begin(this.panel.which, bars, Timeline.read(), this.number(), now);
    this.overrides = overrides;
  }
  if (why !== "") {
    this.presses.turnedDown(why.replace(/\.$/, "") + ". Nothing was recorded or spent", overrides);
  }
};

Device.prototype.pressAgain = function () {
  this.keep();
  this.presses.again(this.now());
};

/** What is done with a take that waits. */
["hear", "keep", "favourite", "discard"].forEach(function (what) {
  Device.prototype["press" + what.charAt(0).toUpperCase() + what.slice(1)] = function () {
    this.say(this.held[what]() || "");
  };
});

/** Tell what there is to tell. */
Device.prototype.say = function (sentence) {
  if (sentence !== "") {
    this.tell(sentence);
  }
};

/** Why no source can reach the engine, or "". */
Device.prototype.unready = function () {
  var welcome = this.connection.connected ? this.connection.welcome : {};
  return Number(welcome.can_transform) === 0 ?
    "Transform and Capture do not work: " + String(welcome.why_not || "nothing publishes a source").replace(/\.$/, "") : "";
};

Device.prototype.pressCancel = function () {
  var captured = this.recorder.cancel();
  var count = this.presses.cancel(this.now());
  if (count === 0) {
    this.tell(captured ? "The capture was given up. Nothing was spent" : "There is nothing to cancel");
  }
};

/** Show the folder of the last take in the Finder or the Explorer. */
Device.prototype.pressReveal = function () {
  var file = this.placer.lastFile;
  if (file === "") {
    this.tell("No take has come yet");
    return;
  }
  var folder = Files.folder(Files.native(file));
  messnamed("max", "launchbrowser", Files.url(folder));
};

Device.prototype.fromBridge = function (address, values) {
  var word = address.slice(address.lastIndexOf("/") + 1);
  if (address === Port.ADDRESS) {
    this.port.heard(values[0]);
    this.connection.tick(this.now());
    return;
  }
  var told = Wire.pairs(values);
  var act = Device.HEARD[address];
  if (act) {
    this[act](told, word);
    this.show(this.now());
  }
};

Device.HEARD = {
  "/bridge/welcome": "welcomed", "/bridge/accepted": "answered", "/bridge/ok": "answered", "/bridge/refused": "answered",
  "/bridge/progress": "progressed", "/bridge/job": "progressed", "/bridge/result": "came", "/bridge/failed": "failed",
  "/bridge/do": "asked", "/bridge/pong": "ponged", "/bridge/measured": "measured"
};

Device.prototype.welcomed = function (told) {
  var lines = function (text) { return String(text || "").split("\n").filter(function (name) { return name !== ""; }); };
  this.panel.names("preset", lines(told.presets));
  this.panel.negatives = lines(told.negative_prompt);
  this.panel.chains = lines(told.presets_models);
  this.panel.names("model", lines(told.models));
  if (this.connection.welcomed(told, this.now())) {
    this.wire.send("/bridge/jobs", [["client", this.identity.client], ["limit", Device.JOBS]]);
  }
};

Device.prototype.ponged = function (told) {
  this.connection.ponged(told);
};

Device.prototype.answered = function (told, word) {
  if (!this.requests.heard(word, told) && word === "refused" && String(told.re || "") !== "transport") {
    this.tell(String(told.message || told.code));
  }
};

Device.prototype.progressed = function (told, word) {
  if (this.requests.open[told.id]) {
    this.requests.heard("accepted", { id: told.id, jobs: told.job, usd: told.usd }); // its answer was lost
  }
  this.jobs.state(told);
  this.panel.remember(told.prompt, false);
  this.presses.saw(told, this.now());
  if (word === "job" && told.state === "stored") {
    this.jobs.end(told.job); // if it is to be placed it is announced
  }
};

/** A take came. */
Device.prototype.came = function (told) {
  if (this.requests.open[told.id]) {
    this.requests.heard("accepted", { id: told.id, jobs: told.job });
  }
  if (this.presses.saw(told, this.now())) {
    return; // given up here: it is kept and not placed
  }
  this.jobs.end(told.job);
  this.say(this.placer.take(told));
};

/** A take was measured after it came. */
Device.prototype.measured = function (told) {
  this.held.measured(told);
  this.say(this.placer.measured(told));
};

Device.prototype.failed = function (told) {
  this.jobs.state(told);
  this.jobs.end(told.job);
  this.tell(Text.problem(told));
};

/** A pad asks for something. The same ask twice is done once. */
Device.prototype.asked = function (told) {
  var act = { capture: "pressCapture", transform_selection: "pressTransform" }[told.action];
  if (!act || (told.id && this.done[told.id])) {
    return;
  }
  this.done[String(told.id || "")] = true;
  this.outlet(2, ["fields", "bang"]);
  this[act](told);
};

/** Time passes: hellos, repeats, the transport, the recorder, and what is shown. */
Device.prototype.tick = function () {
  var now = this.now();
  if (this.identity.hold(now)) {
    this.connection.tick(now);
  }
  this.requests.tick(now);
  this.timeline.tick(now, this.connection.connected);
  this.say(this.placer.tick());
  var capture = this.recorder.tick(now);
  if (capture) {
    this.outlet(2, ["fields", "bang"]); // what was typed meanwhile counts
    this.presses.transform("capture", capture, Timeline.read(), this.overrides || {}, now);
  }
  this.show(now);
};

Device.prototype.show = function (now) {
  var welcome = this.connection.welcome || {};
  var connected = this.connection.connected;
  var going = this.jobs.summary();
  this.panel.light(connected);
  this.panel.dark(this.enabled, this.unready() === "");
  this.panel.say("connection", connected ? "Connected: " + String(welcome.engine || "") : "Not connected", this.home.says());
  this.panel.say("status", this.status(now, going, connected, welcome));
  this.panel.progress(going ? going.fraction : 0);
  this.panel.pages(this.held.next() !== null && !this.presses.asks(now)); // a take takes no button away that a question is for
  this.panel.menu("prompts", [Panel.HISTORY].concat(this.panel.earlier()), Panel.HISTORY);
  if (this.kind === "audio") {
    this.panel.once("label_hear", this.held.playing ? "Stop" : "Hear");
  }
  if (connected) {
    var usd = this.presses.priceOf(1, this.panel.model, this.panel.preset, true);
    var price = isNaN(usd) ? "price not known" : usd ? Text.dollars(usd) + " a take" : "free";
    var left = Number(welcome.limit_today_usd) - Number(welcome.spent_today_usd);
    this.panel.say("money", price + " · " + Text.dollars(Math.max(0, left)) + " left today · " + this.identity.client);
  }
};

Device.prototype.status = function (now, going, connected, welcome) {
  var question = this.presses.asks(now);
  this.panel.labels(question, this.presses.prices());
  if (question) {
    this.notes.until = now + Device.NOTE; // what is said meanwhile waits
    return question.text;
  }
  if (now < this.notes.until) {
    return this.notes.text;
  }
  var paused = String(welcome.paused || "");
  return this.recorder.says() || (connected ? "" : this.connection.why) || this.held.says() || (going ? going.text : "") ||
    (paused !== "" ? "Paused (" + paused + "). daw-bridge resume goes on" : "") || this.notes.text ||
    this.connection.mismatch(VERSION) || this.unready() || "Ready";
};

/** The device is taken away. */
Device.prototype.gone = function () {
  if (this.ready) {
    this.recorder.cancel();
    this.held.stop();
    this.timeline.forget();
    this.port.release();
    this.ledger.release("client_" + this.identity.client);
  }
};
