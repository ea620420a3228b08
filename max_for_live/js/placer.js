/**
 * The placer: each (job, delivery) is acted on once and confirmed each time that it is announced. A take is placed in one
 * go, so that Live makes one undo step of it, and counts as placed only when its clip was read back.
 */
function Placer(wire, identity, panel, devicePath, fetch, holds) {
  this.holds = holds; // (told): whether a person is to be asked first
  this.tracks = {}; // request id → the track that was made for its takes
  this.devicePath = devicePath;
  this.wire = wire;
  this.identity = identity;
  this.panel = panel;
  this.version = [0, 0, 0];
  this.acted = {}; // job and delivery → what was answered
  this.asked = {}; // request id → {trackId, at}: what this device has asked for since it was loaded
  this.searches = {}; // job and delivery → {told, order, search}: what may stand in the set from an earlier life of the device
  this.moved = {}; // jobs whose take was asked for in the library, since Live did not take the path of its folder
  this.fetch = fetch; // (job): asks for it there
  this.standing = {}; // job and delivery → {told, order, clip (its id), state}: placed before its grid was known
  this.lastFile = "";
}

Placer.LANES = [12, 2, 0];
Placer.FARTHEST = 1576800; // beats

/** Take an announced result. Returns a sentence about it, or "" where there is nothing new. */
Placer.prototype.take = function (told) {
  var key = told.job + " " + told.delivery;
  if (this.acted[key]) {
    this.confirm(told, this.acted[key]);
    return "";
  }
  if (!told.job || !told.delivery) {
    return ""; // nothing that could be answered
  }
  if (String(told.client || "") !== this.identity.client) {
    return this.settle(told, this.failed("OTHER-DEVICE", "This take is of " + (told.client || "no device") +
      " and not of " + this.identity.client + ": it was not placed here"));
  }
  if (!told.file) {
    return this.settle(told, this.failed("NO-FILE", "A take came without a file"));
  }
  if (this.searches[key]) {
    return "";
  }
  var waits = this.belongsElsewhere(told);
  if (waits !== "") {
    return waits;
  }
  this.lastFile = String(told.file);
  var answer = this.refuses();
  if (!answer && !this.asked[told.id]) {
    var lanes = Live.atLeast(this.version, Placer.LANES);
    this.searches[key] = { told: told, search: new Search(Files.native(told.file), Number(told.delivery), lanes) };
    return this.tick() || "Looking whether the take stands in the set ...";
  }
  return answer ? this.settle(told, answer) : this.arrive(told);
};

/** A take that may be placed: now, or when a person has heard it. */
Placer.prototype.arrive = function (told) {
  return this.holds(told) ? "" : this.settle(told, this.place(told));
};

Placer.prototype.settle = function (told, answer) {
  this.acted[told.job + " " + told.delivery] = answer;
  this.confirm(told, answer);
  if (answer.code === "NOT-PLACED" && / /.test(String(told.file)) && !this.moved[told.job]) {
    this.moved[told.job] = true;
    this.fetch(String(told.job));
    return "Live took no path with spaces. Trying the library ...";
  }
  return answer.said;
};

/** Go on with one search; returns what came of it, or "". */
Placer.prototype.tick = function () {
  var key = Object.keys(this.searches)[0];
  if (key === undefined) {
    return "";
  }
  var found = this.searches[key];
  if (!found.search.step()) {
    return "";
  }
  delete this.searches[key];
  var there = found.search.found >= found.search.wanted;
  var before = { ok: true, said: "Placed before: " + String(found.told.name || "take") };
  return there ? this.settle(found.told, before) : this.arrive(found.told);
};

/** Why a take is not for the set that is open; "" where it is. The mark says which set, the path which copy of it. */
Placer.prototype.belongsElsewhere = function (told) {
  var set = String(told.project_id || "");
  if (set !== "" && set !== this.identity.set) {
    return "A take waits for another set";
  }
  var asked = Files.native(told.project || "");
  var here = Files.native(Live.setPath(this.version)).slice(-200);
  if (set === "" || asked === "" || asked === here || this.asked[told.id]) {
    return "";
  }
  // the set was renamed or moved where the one that asked is gone
  return Files.exists(asked, this.devicePath) ? "A take waits for the set " + Files.name(asked) : "";
};

/** Why this Live can place nothing, or null. */
Placer.prototype.refuses = function () {
  return Live.canPlace(this.version) ? null : this.failed("LIVE-TOO-OLD", "Live " + this.version.join(".") +
    " cannot place clips by itself (it takes 11.3.25 or 12.0.5). Show File shows the take: drag it in");
};

Placer.prototype.place = function (told) {
  var order = Placer.order(told, this.asked[told.id], this.panel);
  order.lanes = Live.atLeast(this.version, Placer.LANES);
  var result = this.put(order);
  if (result.ok && result.clip && !Fit.known(told)) {
    this.standing[told.job + " " + told.delivery] = {
      told: told, order: order, clip: Number(result.clip.id), state: Clips.state(result.clip)
    };
  }
  return result.code ? result : this.answer(order, result);
};

Placer.prototype.put = function (order) {
  if (!order.session && (isNaN(order.beats) || order.beats < 0 || order.beats > Placer.FARTHEST)) {
    return this.failed("NO-PLACE", "The beat " + order.beats + " lies outside of the arrangement");
  }
  return this.onTrack(order);
};

/** What was measured of a take after it was placed: then it is made to fit, once. Returns a sentence, or "". */
Placer.prototype.measured = function (told) {
  var key = told.job + " " + told.delivery;
  var stands = this.standing[key];
  if (!stands || !Fit.known(told) || String(told.client || "") !== this.identity.client) {
    return "";
  }
  delete this.standing[key];
  for (var name in told) {
    stands.told[name] = told[name];
  }
  var order = Placer.order(stands.told, this.asked[stands.told.id], this.panel);
  order.session = stands.order.session;
  order.beats = stands.order.beats;
  order.lanes = stands.order.lanes;
  if (JSON.stringify([order.plan, order.gain]) === JSON.stringify([stands.order.plan, stands.order.gain])) {
    return "";
  }
  if (!order.plan.pins && order.plan.start === 0 && !order.gain) {
    return order.name + ": " + order.plan.notes.join(" - ");
  }
  var clip = Live.byId(stands.clip);
  if (!Live.exists(clip) || Clips.state(clip) !== stands.state) {
    return order.name + " was changed and is left as it is";
  }
  var result = order.session ? { ok: true, notes: Clips.mark(clip, order) } : Arrangement.again(order, clip);
  return result.ok ? Placer.sentence("Fitted: ", order, result.notes) : "Not fitted: " + result.why;
};

/** What was done with a take. */
Placer.sentence = function (done, order, notes) {
  return done + order.name + (notes.length ? " (" + notes.join(" - ") + ")" : "");
};

Placer.prototype.onTrack = function (order) {
  var act = order.session ? Session.place : Arrangement.place;
  var track = order.fresh ? Live.byId(this.tracks[order.request] || 0) : Tracks.wanted(order);
  if (track && Tracks.able(track)) {
    return act(order, track);
  }
  var own = Tracks.own();
  var name = own ? Live.text(own, "name") : "daw-bridge";
  var made = order.fresh ? [] : Tracks.madeFor(name);
  if (made.length) {
    return act(order, made[0]);
  }
  var fresh = Tracks.make(own);
  if (!fresh) {
    return { ok: false, why: "there is no audio track for it, and Live made none" };
  }
  var result = act(order, fresh);
  if (result.ok) {
    this.tracks[order.request] = Number(fresh.id);
    fresh.set("name", name + Tracks.TAKES);
  } else {
    Tracks.remove(fresh);
  }
  return result;
};

Placer.prototype.answer = function (order, result) {
  if (!result.ok) {
    return this.failed("NOT-PLACED", "Not placed: " + result.why + ". Show File shows the take");
  }
  var short = order.seconds < order.wanted - 0.05 ? ["the take is shorter than was asked"] : [];
  return { ok: true, said: Placer.sentence("Placed: ", order, result.notes.concat(order.loud, short)) };
};

Placer.prototype.failed = function (code, message) {
  return { ok: false, code: code, said: message };
};

Placer.prototype.confirm = function (told, answer) {
  var about = [["client", this.identity.client], ["job", told.job], ["delivery", Number(told.delivery)]];
  if (answer.ok) {
    this.wire.send("/bridge/placed", about);
  } else {
    this.wire.send("/bridge/unplaced", about.concat([["code", answer.code], ["message", answer.said]]));
  }
};

/** What a result asks for, as numbers. Beats are rounded: Live's own reader stumbles over 1e-05. */
Placer.order = function (told, asked, panel) {
  var number = function (key) { return told[key] === undefined || told[key] === "" ? NaN : Number(told[key]); };
  var token = {};
  try {
    token = JSON.parse(String(told.token || "{}")) || {};
  } catch (error) {
    token = {}; // another's token: the other keys say enough
  }
  var song = Timeline.read();
  var beats = number("beats");
  if (isNaN(beats) && !isNaN(number("position"))) {
    beats = number("position") * (number("tempo") || song.tempo) / 60;
  }
  var target = String(told.target || "");
  var session = target !== "" ? target === "session" :
    !isNaN(number("slot")) || (isNaN(beats) && panel.place === Panel.SESSION);
  var take = number("frames") / number("rate");
  var wanted = isNaN(number("length")) ? take : number("length");
  var seconds = isNaN(take) ? wanted : Math.min(wanted, take);
  var from = isNaN(number("slot")) ? Session.highlighted() : number("slot");
  var loud = Fit.loudness(told);
  var order = {
    file: Files.native(told.file), name: Asking.plain(String(told.name || "take")) || "take", session: session, wanted: wanted, seconds: seconds,
    tempo: song.tempo, bar: song.bar, file_seconds: isNaN(take) ? seconds : take, way: Fit.wanted(told, token),
    fileLength: (isNaN(take) ? seconds : take) * song.tempo / 60,
    beats: isNaN(beats) ? Placer.beat(song.here) : Placer.beat(beats), warp: token.w === 1,
    slot: from + Math.max(0, (number("variation") || 1) - 1), launch: String(told.launch || "") === "quantized",
    trackId: asked ? asked.trackId : 0, trackIndex: token.t === undefined ? -1 : Number(token.t),
    fresh: token.k === 1, request: String(told.id), trackName: token.n !== undefined ? String(token.n) : String(told.track || ""), gain: loud.gain, loud: loud.notes
  };
  order.plan = Fit.plan(told, order);
  order.unwarped = Fit.plan({}, { wanted: wanted, file_seconds: order.file_seconds, tempo: song.tempo, warp: false });
  order.length = Number(order.plan.length.toFixed(6));
  return order;
};

Placer.beat = function (beats) {
  return Math.abs(beats) < 1e-4 ? 0 : Number(beats.toFixed(6));
};
