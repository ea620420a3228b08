/** Held takes: those that wait to be heard before they are placed, in the order in which they came. */
function Held(outlet, placer, mark) {
  this.outlet = outlet;
  this.placer = placer;
  this.mark = mark; // (job, pairs): tells the bridge what a person thinks of a take
  this.takes = []; // what was told of each
  this.playing = false;
}

/** Hold a take back; once, however often it is announced. */
Held.prototype.hold = function (told) {
  if (!this.find(told)) {
    this.takes.push(told);
  }
};

Held.prototype.find = function (told) {
  return this.takes.filter(function (other) { return other.job === told.job && other.delivery === told.delivery; })[0] || null;
};

/** What was measured of a take that waits: it counts when it is placed. */
Held.prototype.measured = function (told) {
  var take = this.find(told);
  for (var key in take ? told : {}) {
    take[key] = told[key];
  }
};

/** The take that is heard, kept or discarded next, or null. */
Held.prototype.next = function () {
  return this.takes[0] || null;
};

Held.prototype.says = function () {
  var take = this.next();
  return take ? String(take.name || "A take") + (this.takes.length > 1 ? ", and " + (this.takes.length - 1) + " more" : "") +
    ": keep it or discard it" : "";
};

/** Play the take, or stop. */
Held.prototype.hear = function () {
  if (this.playing) {
    this.stop();
  } else if (this.next()) {
    this.outlet(2, ["player", "open", Files.native(this.next().file)]);
    this.outlet(2, ["player", 1]);
    this.playing = true;
  }
};

Held.prototype.stop = function () {
  if (this.playing) {
    this.outlet(2, ["player", 0]);
    this.playing = false;
  }
};

/** It was played to its end. */
Held.prototype.heard = function () {
  this.playing = false;
};

Held.prototype.take = function () {
  this.stop();
  return this.takes.shift();
};

Held.prototype.keep = function () {
  var take = this.take();
  return take ? this.placer.settle(take, this.placer.place(take)) : "";
};

Held.prototype.favourite = function () {
  var take = this.next();
  if (take) {
    this.mark(take.job, [["favourite", 1]]);
  }
  return this.keep();
};

Held.prototype.discard = function () {
  var take = this.take();
  if (!take) {
    return "";
  }
  this.mark(take.job, [["trashed", 1]]);
  return this.placer.settle(take, this.placer.failed("DISCARDED", "Discarded: " + String(take.name || "a take") + ". Its file is kept"));
};
