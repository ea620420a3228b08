/**
 * The check: runs what is counted on of Live and Max as numbered facts, one after the other, on a track and in a scene of its own, and
 * writes one report. A fact is a row of steps; a step that says false is tried again, and one that throws ends the fact.
 */
function Check(outlet, named) {
  this.outlet = outlet;
  this.named = named; // (scripting name): a box of the patcher
  this.ready = false;
  this.at = -1; // the fact that is under way; -1: none
  this.report = null;
  this.heard = {}; // what came over the network, by its address
}

Check.TICK = 100; // ms
Check.PATIENCE = 15000; // ms that a step may take
Check.TRACK = "Daw Bridge Check";
Check.REPORT = "live-check.json";

Check.prototype.now = function () {
  return new Date().getTime();
};

Check.prototype.start = function (devicePath) {
  if (!this.ready) {
    this.ready = true;
    this.devicePath = devicePath;
    this.home = new Home(devicePath);
    this.version = Live.version();
    this.say("Press Run in an empty set. " + Facts.length + " facts are tried on a track of its own.");
  }
};

Check.prototype.say = function (sentence) {
  this.outlet(2, ["status"].concat(Fitting.words(sentence, LINES.status[0], LINES.status[1])));
};

/** Whatever came in at the inlet. */
Check.prototype.hear = function (word, values) {
  if (word.charAt(0) === "/") {
    this.heard[word] = values;
  } else if (word === "run" && this.ready && this.at < 0 && !(values.length && Number(values[0]) === 0)) {
    this.begin();
  }
};

Check.prototype.begin = function () {
  if (this.home.path === "" || this.home.secret() === "") {
    this.say("There is no home of the bridge to write the report into. Start it: daw-bridge start");
    return;
  }
  this.report = { version: 1, device: VERSION, live: this.version.join("."), started_at: new Date().toString(), facts: [] };
  this.scenes = Live.ids(Live.song(), "scenes").length;
  this.track = Tracks.make(Tracks.own());
  if (!this.track) {
    this.say("Live made no audio track: nothing was tried");
    return;
  }
  this.track.set("name", Check.TRACK);
  Live.song().call("create_scene", -1);
  this.files = [this.home.path + "/sources/check.wav", this.home.path + "/sources/check with spaces.wav"];
  this.at = 0;
  this.next(this.now());
};

/** Begin a fact, or end the check. */
Check.prototype.next = function (now) {
  this.step = 0;
  this.since = now;
  this.notes = [];
  if (this.at >= Facts.length) {
    this.end();
    return;
  }
  this.say("Fact " + (this.at + 1) + " of " + Facts.length + ": " + Facts[this.at].text);
};

/** Go on with the fact that is under way. */
Check.prototype.tick = function () {
  if (this.at < 0) {
    return;
  }
  var fact = Facts[this.at];
  var now = this.now();
  var why = Facts.skips(fact, this.version);
  if (why === "") {
    try {
      if (this.step < fact.steps.length && fact.steps[this.step](this) === false) {
        if (now - this.since > Check.PATIENCE) {
          throw new Error("nothing came in " + Check.PATIENCE / 1000 + " s");
        }
        return;
      }
    } catch (fault) {
      this.told(fact, "differs", String(fault.message || fault), now);
      return;
    }
    this.step += 1;
    this.since = now;
    if (this.step < fact.steps.length) {
      return;
    }
  }
  this.told(fact, why === "" ? "holds" : "not tried", why, now);
};

Check.prototype.told = function (fact, result, why, now) {
  this.report.facts.push({ fact: fact.number, text: fact.text, result: result, why: [why].concat(this.notes).filter(Boolean).join("; ") });
  if (fact.after) {
    fact.after(this);
  }
  this.at += 1;
  this.next(now);
};

/** Put the set back as it was, and write the report. */
Check.prototype.end = function () {
  this.at = -1;
  var song = Live.song();
  Tracks.remove(this.track);
  while (Live.ids(song, "scenes").length > this.scenes && this.scenes > 0) {
    song.call("delete_scene", Live.ids(song, "scenes").length - 1);
  }
  var all = this.report.facts;
  var differs = all.filter(function (one) { return one.result === "differs"; }).map(function (one) { return one.fact; });
  var path = this.home.path + "/" + Check.REPORT;
  var written = Scratch.write(path, this.devicePath, Scratch.text(JSON.stringify(this.report, null, 1).replace(/[^\x00-\x7f]/g, "?") + "\n"));
  this.say((written ? "Report: " + path : "The report could not be written") + ". " +
    (differs.length ? "These differ: " + differs.join(", ") + "." : "All that was tried holds."));
};

Check.prototype.gone = function () {
  if (this.at >= 0) {
    this.outlet(2, ["recorder", 0]);
  }
};

/** What the facts use. */

Check.prototype.expect = function (true_, what) {
  if (!true_) {
    throw new Error(what);
  }
};

Check.prototype.near = function (value, wanted, most, what) {
  this.expect(Math.abs(value - wanted) <= most, what + " is " + value + " and not " + wanted);
};

Check.prototype.note = function (text) {
  this.notes.push(text);
};

/** A free slot of the track. */
Check.prototype.slot = function () {
  var found = Session.anySlot(this.track);
  this.expect(found, "there is no free slot");
  return found;
};

/** A clip of the file without spaces in a free slot. */
Check.prototype.clip = function () {
  this.made = this.slot();
  var clip = Clips.inSlot(this.made, this.files[0]);
  this.expect(clip, "no clip was made");
  return clip;
};

/** The slots and the arrangement of the track are empty again. */
Check.prototype.clear = function () {
  var track = this.track;
  Live.each(Live.ids(track, "clip_slots"), function (slot) {
    if (Live.flag(slot, "has_clip")) {
      slot.call("delete_clip");
    }
  });
  Live.ids(track, "arrangement_clips").forEach(function (id) { track.call("delete_clip", "id " + id); });
};
