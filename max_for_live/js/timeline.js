/** The time line of the set: where it stands, its tempo and bars, told to the bridge while somebody listens. Live tells what changes. */
function Timeline(wire, identity) {
  this.wire = wire;
  this.identity = identity;
  this.sent = 0; // ms
  this.last = "";
  this.song = null; // as it was read last
  this.stale = true; // something has changed since
  this.playing = false;
  this.playedFrom = 0; // beats
  this.stoppedAt = 0; // ms, when it played last; 0 where it never did
  this.stoppedBeats = 0;
  this.observers = [];
}

Timeline.OBSERVED = ["is_playing", "tempo", "signature_numerator", "signature_denominator", "start_time"];
Timeline.PLAYING = 200; // ms between two messages
Timeline.STANDING = 1000;

/** Where the set stands now. `told`: in the answer to a change, in which Live lets nothing be called. */
Timeline.read = function (told) {
  var song = Live.song();
  var numerator = Live.number(song, "signature_numerator") || 4;
  var denominator = Live.number(song, "signature_denominator") || 4;
  var playing = Live.flag(song, "is_playing");
  var beats = Live.number(song, "current_song_time") || 0;
  var bar = numerator * 4 / denominator; // quarter notes
  var line = playing && !told ? Timeline.lineAt(song, beats, bar, 4 / denominator) : Timeline.barAt(beats, bar);
  return {
    playing: playing,
    beats: beats,
    line: line, // the start of the bar
    // where a press means: the bar that plays, or the insert marker, where play would start
    here: playing ? line : Live.number(song, "start_time") || 0,
    tempo: Live.number(song, "tempo") || 120,
    numerator: numerator,
    denominator: denominator,
    bar: bar,
    scale: Timeline.scale(song),
    loopStart: Live.number(song, "loop_start") || 0,
    loopLength: Live.number(song, "loop_length") || 0
  };
};

/** The scale of the set where one is switched on: {root, name}. Live 12.0.5 and newer tell it. */
Timeline.scale = function (song) {
  if (!Timeline.scales || !Live.flag(song, "scale_mode")) {
    return null;
  }
  return { root: Live.number(song, "root_note"), name: Live.text(song, "scale_name") };
};
Timeline.scales = false; // whether this Live tells it

Timeline.seconds = function (beats, tempo) {
  return beats * 60 / tempo;
};

/** The bar line at or before a beat. A hair before a line counts as on it. */
Timeline.barAt = function (beats, bar) {
  return Math.floor(beats / bar + 1e-6) * bar;
};

/**
 * The start of the bar that plays. Behind a change of the time signature it is no multiple of a bar: Live tells how many beats and
 * sixteenths of the bar are over, and a bar begins on a sixteenth.
 */
Timeline.lineAt = function (song, beats, bar, beat) {
  var told = /^(\d+)\.(\d+)\.(\d+)/.exec(String(song.call("get_current_beats_song_time")));
  if (!told) {
    return Timeline.barAt(beats, bar);
  }
  var inside = (Number(told[2]) - 1) * beat + (Number(told[3]) - 1) * Timeline.SIXTEENTH;
  var line = Timeline.barAt(beats - inside, Timeline.SIXTEENTH);
  return beats - line > bar * (1 - 1e-6) ? line + bar : line; // a hair before a line counts as on it
};
Timeline.SIXTEENTH = 0.25; // quarter notes

/** Ask Live to tell of changes. */
Timeline.prototype.observe = function () {
  var self = this;
  this.observers = Timeline.OBSERVED.map(function (property) {
    return Live.observe(property, function () { self.changed(property); });
  });
};

Timeline.prototype.forget = function () {
  this.observers.forEach(function (api) { api.property = ""; });
  this.observers = [];
};

Timeline.prototype.changed = function (property) {
  this.stale = true;
  if (property === "is_playing") {
    this.turned(Timeline.read(true), new Date().getTime());
  }
};

/** It began to play, or was stopped. */
Timeline.prototype.turned = function (song, now) {
  if (song.playing && !this.playing) {
    // Live tells a little later: it began at the insert marker, if it can have come from there
    var stood = Live.number(Live.song(), "start_time") || 0;
    var gone = song.beats - stood;
    this.playedFrom = gone >= 0 && gone <= song.tempo / 60 ? stood : song.beats;
    this.stoppedAt = now;
  } else if (!song.playing && this.playing) {
    this.stoppedAt = now;
    this.stoppedBeats = song.beats;
  }
  this.playing = song.playing;
};

/** Tell the bridge while it is connected. Numbers only: each new word would stay in Max for ever. Where it stands still nothing is asked. */
Timeline.prototype.tick = function (now, connected) {
  if (!connected || now - this.sent < Timeline.PLAYING) {
    return;
  }
  if (this.stale) {
    this.song = Timeline.read();
    this.stale = false;
  } else if (this.song.playing) {
    this.song.beats = Live.number(Live.song(), "current_song_time") || 0;
  }
  var song = this.song;
  var beats = song.playing ? song.beats : song.here; // stopped: where play would start
  var key = [song.playing, beats, song.tempo, song.numerator, song.denominator].join(" ");
  if (key === this.last && now - this.sent < Timeline.STANDING) {
    return;
  }
  this.sent = now;
  this.last = key;
  this.wire.send("/bridge/transport", [
    ["client", this.identity.client], ["playing", song.playing ? 1 : 0],
    ["position", Timeline.seconds(beats, song.tempo)], ["beats", beats], ["tempo", song.tempo],
    ["numerator", song.numerator], ["denominator", song.denominator]
  ]);
};
