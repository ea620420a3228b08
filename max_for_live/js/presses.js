/**
 * Presses: from a button to an accepted request. A press has one id for life. What the bridge asks back (the price, a
 * second press within ten seconds) is agreed to by pressing the same button again.
 */
function Presses(parts) {
  this.wire = parts.wire;
  this.panel = parts.panel;
  this.identity = parts.identity;
  this.requests = parts.requests;
  this.jobs = parts.jobs;
  this.placer = parts.placer;
  this.connection = parts.connection;
  this.salt = parts.salt;
  this.tell = parts.tell; // (sentence): shown
  this.question = null; // {button, press, extra, text, label, until}
  this.last = { key: "", at: 0, seed: 0 };
  this.againAt = -Infinity; // ms
  this.waiting = {}; // presses that are not answered, by their ids
  this.cancelled = {}; // ids of presses that were given up before they were answered
  this.ending = {}; // jobs that are being cancelled
}

Presses.AGREE = 15000; // ms in which a question stands on the panel and may be answered
Presses.READ = 1000; // ms for which it stands before a press answers it: nobody reads a question faster
Presses.DOUBLE = 10000; // ms in which the bridge asks whether a press was meant twice

/** Generate, by the controls. */
Presses.prototype.generate = function (song, overrides, now) {
  var why = Asking.missing(this.panel, overrides);
  var spot = why ? null : Asking.spot(this.panel, song, overrides);
  if (why || spot.error) {
    this.turnedDown((why || spot.error) + ". Nothing was asked or spent", overrides);
    return;
  }
  this.send("generate", "/bridge/generate", [], spot, song, overrides, now);
};

/** Transform a source {file, start, end, length (s), beats, ...}. */
Presses.prototype.transform = function (button, source, song, overrides, now) {
  var why = Asking.missing(this.panel, overrides) || source.error;
  if (why) {
    this.turnedDown(why + ". Nothing was asked or spent", overrides);
    return;
  }
  var region = [["file", source.file], ["start", Text.decimal(source.start)], ["end", Text.decimal(source.end)]];
  var spot = Asking.spotOf(source, this.panel, song, overrides);
  this.send(button, "/bridge/transform", region, spot, song, overrides, now, source.note);
};

/** Send a press; `note` is what is doubtful about its region, and is told with the answer. */
Presses.prototype.send = function (button, address, region, spot, song, overrides, now, note) {
  if (!this.connection.connected) {
    this.turnedDown("Not connected to the bridge: nothing was asked or spent. " + this.connection.why, overrides);
    return;
  }
  var path = Live.setPath(this.placer.version);
  var launch = overrides.launch ? overrides.launch === "quantized" : this.panel.launch;
  var place = Asking.place(spot, song, this.identity, this.panel, path, launch, overrides.fit);
  if (place.error) {
    this.turnedDown(place.error + ". Nothing was asked or spent", overrides);
    return;
  }
  var sound = Asking.sound(this.panel, overrides, address === "/bridge/transform", song);
  var key = address + JSON.stringify(sound.concat(region)) + Asking.setting(this.panel);
  if (!overrides.action && this.agreed(button, key, now)) {
    return;
  }
  var agreed = ["confirm_usd", "again", "valid_for"].filter(function (key) { return overrides[key] !== undefined; })
    .map(function (key) { return [key, overrides[key]]; });
  var folders = Asking.folders(path);
  var pairs = [["client", this.identity.client]].concat(sound, region, place.pairs);
  if (Wire.size(pairs.concat([["folder", folders[0]]])) > Wire.MOST) {
    this.turnedDown("This is too long for a message: shorten the prompt or what is not to be heard. Nothing was asked or spent", overrides);
    return;
  }
  this.go({
    button: button, address: address, id: Presses.id(overrides.id) || Text.uuid(this.salt), folders: folders,
    seed: overrides.seed !== undefined ? String(overrides.seed) : this.seed(key, now),
    pairs: pairs, trackId: place.trackId, extra: agreed, note: note,
    key: button === "capture" ? this.captureKey(song) : key
  }, now);
};

/** What a capture is recognized by before it has recorded. */
Presses.prototype.captureKey = function (song) {
  return JSON.stringify(Asking.sound(this.panel, {}, true, song)) + Asking.setting(this.panel) + this.panel.which;
};

/** Once more what was asked last, with a new seed. It is a press of its own, and paid for. */
Presses.prototype.again = function (now) {
  var last = this.gone;
  if (!last || !this.connection.connected) {
    this.turnedDown((last ? "Not connected to the bridge: n" : "Nothing was asked for yet. N") + "othing was asked or spent", {});
    return;
  }
  if (this.agreed("again", last.key, now)) {
    return;
  }
  var press = {};
  for (var name in last) {
    press[name] = last[name];
  }
  press.button = "again";
  press.id = Text.uuid(this.salt);
  // the second of a double click is the same press, so that the bridge asks whether it was meant
  press.seed = now - this.againAt <= Presses.DOUBLE ? last.seed : this.panel.newSeed();
  this.againAt = now;
  press.extra = [];
  this.go(press, now);
};

/** A press that is not sent. Its reason takes the place of a question, which then cannot be agreed to; a pad's waits. */
Presses.prototype.turnedDown = function (why, overrides) {
  if (!overrides.action) {
    this.question = null;
  }
  this.tell(why);
};

Presses.id = function (given) {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(String(given || "")) ? String(given).toLowerCase() : "";
};

/** The seed of a press. The same press again keeps it for a while, or the bridge could not see that it is the same. */
Presses.prototype.seed = function (key, now) {
  if (this.panel.lock && this.panel.seed > 0) {
    return this.panel.nextSeed();
  }
  if (key !== this.last.key || now - this.last.at > Presses.DOUBLE) {
    this.last = { key: key, seed: this.panel.nextSeed() };
  }
  this.last.at = now;
  return this.last.seed;
};

Presses.prototype.go = function (press, now) {
  var self = this;
  var pairs = press.pairs.concat([["seed", press.seed], ["folder", press.folders[0]]], press.extra);
  this.placer.asked[press.id] = { trackId: press.trackId };
  this.gone = press;
  this.tell("Asking ...");
  this.waiting[press.id] = press;
  this.requests.ask(press.address, press.id, pairs, now, function (word, told) {
    self.answered(press, word, told);
  });
};

Presses.prototype.answered = function (press, word, told) {
  var self = this;
  delete this.waiting[press.id];
  if (word === "accepted") {
    this.jobs.accepted(told);
    this.panel.remember(Presses.of(press, "prompt"), true);
    // progress and a take tell no price: then nothing is claimed
    this.tell("Accepted" + (told.usd === undefined ? "" : ": " + (Number(told.usd) ? Text.dollars(told.usd) : "free")) +
      (press.note ? ". " + press.note : ""));
    String(told.jobs).split(",").forEach(function (job) {
      self.saw({ job: job, id: press.id }, new Date().getTime());
    });
  } else if (word === "refused") {
    this.refused(press, told, new Date().getTime());
  } else {
    this.tell("No answer: it may have been taken. The list of jobs tells (daw-bridge jobs)");
  }
};

Presses.prototype.refused = function (press, told, now) {
  var code = String(told.code || "");
  var usd = Math.ceil(Number(told.usd) * 100 - 1e-6) / 100; // an older bridge does not tell
  usd = isNaN(usd) ? this.price(press) : usd;
  var confirm = ["confirm_usd", isNaN(usd) ? undefined : Text.decimal(usd, 2)];
  // a price that is new, or has risen, is told with what all of the press costs
  var extra = { "E-CONFIRM": confirm, "E-PRICE": told.usd === undefined ? undefined : confirm, "E-DOUBLE-PRESS": ["again", 1] }[code];
  if (this.cancelled[press.id]) {
    this.tell("Cancelled. Nothing was spent");
  } else if (code === "E-PATH" && press.folders.length > 1) {
    press.folders = press.folders.slice(1); // refused costs nothing and keeps the id free
    this.go(press, now);
  } else if (extra) {
    this.tell("Not agreed to in time. Nothing was spent"); // shown when the question is gone
    this.question = {
      button: press.button, press: press, extra: extra, since: now, until: now + Presses.AGREE,
      text: told.message + " Press it again to agree",
      label: (code === "E-DOUBLE-PRESS" ? "Again" : "Send") + (isNaN(usd) ? "" : " · " + (usd ? Text.dollars(usd) : "free"))
    };
  } else {
    told.charge = told.charge || "none"; // a refusal was never sent
    this.tell(Text.problem(told));
  }
};

/** The question that stands on the panel now, or null. */
Presses.prototype.asks = function (now) {
  if (this.question && now > this.question.until) {
    this.question = null;
  }
  return this.question;
};

/** What a press says under a key. */
Presses.of = function (press, key) {
  return (press.pairs.filter(function (pair) { return pair[0] === key; })[0] || [])[1];
};

/** The price of all takes of a press, rounded up to cents; NaN where it is not known. */
Presses.prototype.price = function (press) {
  var of = function (key) { return Presses.of(press, key); };
  return this.priceOf(Number(of("variations")) || 1, of("model"), of("preset"), of("file") !== undefined);
};

/**
 * The price of so many takes of a model ("": that of the preset, else the default one), rounded up to cents; NaN where it is not
 * known. A preset may be a chain, of which each take is paid for; from a source of its own only the last one is made.
 */
Presses.prototype.priceOf = function (takes, model, preset, fromSource) {
  var self = this;
  var all = this.panel.made(preset, model).slice(fromSource ? -1 : 0).reduce(function (sum, each) { return sum + self.priceOfModel(each); }, 0);
  return Math.ceil(all * takes * 100 - 1e-6) / 100;
};

Presses.prototype.priceOfModel = function (model) {
  var welcome = this.connection.welcome || {};
  var usd = model ? String(welcome.models_usd || "").split("\n")[this.panel.known.model.indexOf(model)] : welcome.price_usd;
  return usd === undefined || usd === "" ? NaN : Number(usd);
};

/** What stands on the buttons: the price of the whole press, by button. */
Presses.prototype.prices = function () {
  var self = this;
  var said = function (usd) { return self.connection.connected && usd > 0 ? Text.dollars(usd) : ""; };
  var panel = this.panel;
  var alone = said(this.priceOf(panel.variations, panel.model, panel.preset, true));
  return {
    generate: said(this.priceOf(panel.variations, panel.model, panel.preset, false)), transform: alone, capture: alone,
    again: this.gone ? said(this.price(this.gone)) : ""
  };
};

/**
 * The same press of the button that a question is open for answers it; true where the press is done with. Whatever else has
 * changed is a new one. A press that comes before the question can have been read, as the second of a double click, does nothing.
 */
Presses.prototype.agreed = function (button, key, now) {
  var question = this.asks(now);
  if (question && question.button === button && question.press.key === key && now - question.since < Presses.READ) {
    return true;
  }
  this.question = null;
  if (!question || question.button !== button || question.press.key !== key) {
    return false;
  }
  // a price that has risen since is agreed to once more, in the place of the first time
  question.press.extra = question.press.extra.filter(function (pair) { return pair[0] !== question.extra[0]; }).concat([question.extra]);
  if (question.extra[0] === "again") {
    question.press.seed = button === "again" ? this.panel.newSeed() : this.panel.nextSeed();
  }
  this.go(question.press, now);
  return true;
};

/** Another button than the one that a question is open for: it was not agreed to. */
Presses.prototype.onlyFor = function (button) {
  if (this.question && this.question.button !== button) {
    this.question = null;
  }
};

/** A capture answers a question before it records anew: what it has recorded is sent, if the controls are as they were. */
Presses.prototype.agreedCapture = function (song, now) {
  return this.connection.connected && this.agreed("capture", this.captureKey(song), now);
};

/** Cancel what is asked and what goes on. Returns how many. What is not answered yet is asked no more. */
Presses.prototype.cancel = function (now) {
  var self = this;
  var waiting = Object.keys(this.waiting).filter(function (id) { return self.requests.hush(id); });
  this.question = null;
  waiting.forEach(function (id) { self.cancelled[id] = true; });
  if (waiting.length) {
    this.tell("Cancelling ...");
  }
  var jobs = this.jobs.open();
  this.cancelJobs(jobs, now);
  return waiting.length + jobs.length;
};

/** A job was heard of: where its press was given up it is cancelled. True where it was. */
Presses.prototype.saw = function (told, now) {
  if (this.cancelled[told.id] && !this.ending[told.job]) {
    this.cancelJobs([String(told.job)], now);
  }
  return this.cancelled[told.id] === true;
};

Presses.prototype.cancelJobs = function (jobs, now) {
  var self = this;
  jobs.forEach(function (job) {
    self.ending[job] = true;
    var pairs = [["client", self.identity.client], ["job", job]];
    self.requests.ask("/bridge/cancel", Text.uuid(self.salt), pairs, now, function (word, told) {
      if (word === "ok") {
        self.jobs.end(job);
      } else if (word === "silence") {
        delete self.ending[job];
      }
      self.tell(String(told.message || "Cancel was not answered: daw-bridge jobs tells"));
    });
  });
};
