/**
 * The recorder: writes what passes through the device to a file, with Live's beat beside it. Both go through a delay line; for bars
 * that were heard already the file is written from its far end. The file begins a little early. In which sample the bars begin is
 * read from the beat in the file: clocks of the main thread lag by up to some thousand samples.
 */
function Recorder(outlet, home, timeline) {
  this.outlet = outlet;
  this.home = home;
  this.timeline = timeline;
  this.state = "idle"; // idle, armed, opened, recording, closing
  this.capture = null;
  this.at = 0;
}

Recorder.LONGEST = 30; // s that the delay line can give back
Recorder.SETTLE = 150; // ms for the delay line and the file
Recorder.EARLY = 350; // ms that a file of bars that were heard begins before them, beyond the settling
Recorder.SPARE = 350; // ms that are recorded beyond the last bar
Recorder.PASSED = 0.01; // beats
Recorder.CLOSE = 400; // ms for the file to be closed
Recorder.PATIENCE = 3000; // ms that it may take at most
Recorder.STEADY = 0.01; // by so much the bars may be longer or shorter than the tempo says

Recorder.NEXT = 0;
Recorder.LAST = 1;
Recorder.PASS = 2; // of the arrangement's loop

/** Begin a capture of so many bars. Returns why not, or "". */
Recorder.prototype.begin = function (which, bars, song, salt, now) {
  if (this.state !== "idle") {
    return "A capture is going on already. Cancel gives it up";
  }
  if (this.home.path === "" || this.home.secret() === "") {
    return "There is no home of the bridge to record into. Start it: daw-bridge start";
  }
  var beats = which === Recorder.PASS ? song.loopLength : bars * song.bar;
  this.capture = {
    file: this.home.path + "/sources/capture-" + Text.uuid(salt) + ".wav", beats: beats, tempo: song.tempo, delay: 0,
    start: NaN, salt: salt
  };
  if (which === Recorder.LAST) {
    return this.beginLast(beats, song, now);
  }
  if (which === Recorder.PASS) {
    return this.beginPass(song, now);
  }
  this.state = "armed";
  return "";
};

/** One pass of the loop: the next one of a set that plays, else the set is played for it. */
Recorder.prototype.beginPass = function (song, now) {
  if (song.playing && !Live.flag(Live.song(), "loop")) {
    return this.refuse("Stop the set or switch its loop on: the loop is not played");
  }
  this.capture.start = song.loopStart;
  this.capture.pass = true;
  this.capture.plays = !song.playing;
  this.capture.back = Live.number(Live.song(), "start_time"); // where play started before
  this.open(now);
  return "";
};

/** The bars up to the last bar line, or up to where playing stopped. */
Recorder.prototype.beginLast = function (beats, song, now) {
  var timeline = this.timeline;
  var since = song.playing ? 0 : (now - timeline.stoppedAt) / 1000;
  var heard = song.playing ? song.beats : timeline.stoppedBeats;
  var end = song.playing ? song.line : heard;
  var start = end - beats;
  var back = Timeline.seconds(heard - start, song.tempo) + since;
  if (!timeline.stoppedAt || start < timeline.playedFrom - 0.25) {
    return this.refuse("So many bars were not played yet");
  }
  if (back > Recorder.LONGEST) {
    return this.refuse("The device keeps the last " + Recorder.LONGEST + " s: choose fewer bars");
  }
  this.capture.start = start;
  this.capture.delay = back * 1000 + Recorder.SETTLE + Recorder.EARLY;
  this.capture.heard = heard;
  this.capture.heardAt = now - since * 1000;
  this.open(now);
  return "";
};

Recorder.prototype.refuse = function (why) {
  this.capture = null;
  return why;
};

Recorder.prototype.open = function (now) {
  this.outlet(2, ["delay", this.capture.delay]);
  this.outlet(2, ["recorder", "samptype", "int24"]);
  this.outlet(2, ["recorder", "open", this.capture.file, "wave"]);
  this.state = "opened";
  this.at = now + Recorder.SETTLE;
};

/** Go on; returns a finished capture {file, start, end, beats, length, note} or {error}, once, else null. */
Recorder.prototype.tick = function (now) {
  if (this.state === "recording") {
    this.follow(Timeline.read(), now);
  }
  if (this.state === "idle" || (this.state !== "armed" && now < this.at)) {
    return null;
  }
  return this[this.state](now);
};

/** Waits until the set plays. */
Recorder.prototype.armed = function (now) {
  if (this.timeline.playing) {
    this.open(now);
  }
  return null;
};

Recorder.prototype.opened = function (now) {
  var song = Timeline.read();
  var capture = this.capture;
  this.outlet(2, ["recorder", 1]);
  capture.begun = now;
  if (capture.pass) {
    capture.tempo = song.tempo;
    capture.seen = song.beats;
    this.state = "passing";
    this.at = now + Recorder.SETTLE;
    return null;
  }
  if (isNaN(capture.start)) {
    // the next bar line; one that is too close to be caught whole is left out
    capture.start = song.line + song.bar;
    capture.first = song.beats;
  } else {
    capture.first = capture.heard + ((now - capture.heardAt - capture.delay) / 1000) * song.tempo / 60;
  }
  this.until(song);
  return null;
};

/** Wait for the pass to begin: play the set where it stands, else until the loop goes back to its start. */
Recorder.prototype.passing = function (now) {
  var song = Timeline.read();
  var capture = this.capture;
  var round = Timeline.seconds(capture.beats, capture.tempo) * 1000;
  if (capture.plays && !capture.played) {
    capture.played = true;
    capture.seen = Infinity;
    Live.song().set("start_time", capture.start);
    Live.song().call("start_playing");
  } else if (song.playing && song.beats < capture.seen && song.beats >= capture.start - Recorder.PASSED) {
    capture.first = song.beats - ((now - capture.begun) / 1000) * song.tempo / 60;
    this.until(song);
  } else if (now - capture.begun > round + Recorder.PATIENCE) {
    this.cancel();
    return { error: "The loop was not played" };
  } else {
    capture.seen = song.beats;
  }
  return null;
};

/** Record until the bars are over. */
Recorder.prototype.until = function (song) {
  var capture = this.capture;
  capture.tempo = song.tempo;
  capture.to = Timeline.seconds(capture.start - capture.first + capture.beats, song.tempo);
  this.state = "recording";
  this.at = capture.begun + capture.to * 1000 + Recorder.SPARE;
};

/** At which beat the file begins, as far as the main thread knows: it hears of the time late and never early, so the latest counts. */
Recorder.prototype.follow = function (song, now) {
  var capture = this.capture;
  if (song.playing && song.tempo === capture.tempo) {
    capture.first = Math.max(capture.first, song.beats - ((now - capture.begun + capture.delay) / 1000) * song.tempo / 60);
  }
};

Recorder.prototype.recording = function (now) {
  this.outlet(2, ["recorder", 0]);
  this.stop();
  this.state = "closing";
  this.closed = now;
  this.at = now + Recorder.CLOSE;
  return null;
};

/** A set that was played for the capture stands again, and plays from where it did. */
Recorder.prototype.stop = function () {
  if (this.capture.played) {
    Live.song().call("stop_playing");
    Live.song().set("start_time", this.capture.back);
    this.capture.played = false;
  }
};

Recorder.prototype.closing = function (now) {
  var capture = this.capture;
  var wave = new Wave(capture.file, this.home.devicePath);
  if (!(wave.frames / wave.rate >= capture.to)) {
    if (now - this.closed < Recorder.PATIENCE) {
      return null;
    }
    this.capture = null;
    this.state = "idle";
    return { error: "Nothing was recorded: is Live's audio on?" };
  }
  this.state = "idle";
  this.capture = null;
  return this.finished(capture, wave);
};

/** The region of the bars, to the sample where the beat in the file tells it. */
Recorder.prototype.finished = function (capture, wave) {
  var each = wave.rate * 60 / capture.tempo;
  var guess = (capture.start - capture.first) * each;
  var length = capture.beats * each;
  var first = wave.frameOf(capture.start, guess, each);
  var exact = !isNaN(first);
  first = Math.round(exact ? first : guess);
  // in the middle of the last beat: where playing stopped at the end there is no beat beyond
  var last = exact ? wave.frameOf(capture.start + capture.beats - 0.5, first + length - each / 2, each) + each / 2 : NaN;
  var steady = Math.abs(last - first - length) <= length * Recorder.STEADY;
  if (!wave.stamp(Math.round(Timeline.seconds(capture.start, capture.tempo) * wave.rate) - first, new Date())) {
    return { error: "The capture could not be finished: its file cannot be written to" };
  }
  return {
    file: capture.file, start: first / wave.rate, end: (steady ? Math.round(last) : first + length) / wave.rate,
    beats: capture.start, tempo: capture.tempo, length: Timeline.seconds(capture.beats, capture.tempo), salt: capture.salt,
    note: exact ? "" : "The capture may begin some milliseconds off: Live's beat was not in it"
  };
};

/** Give a capture up; true where there was one. */
Recorder.prototype.cancel = function () {
  if (this.state === "idle") {
    return false;
  }
  if (this.state === "recording" || this.state === "opened" || this.state === "passing") {
    this.outlet(2, ["recorder", 0]);
    this.stop();
  }
  this.state = "idle";
  this.capture = null;
  return true;
};

Recorder.prototype.says = function () {
  if (this.state === "idle") {
    return "";
  }
  return this.state === "armed" ? "Press play: recording starts at the next bar" : "Recording ...";
};
