/** The time line of the set: where it stands, its tempo and bars, told to the bridge while somebody listens. */
function Timeline(wire, identity) {
  this.wire = wire;
  this.identity = identity;
  this.sent = 0;
  this.last = "";
  this.wasPlaying = false;
  this.looked = 0; // ms
  this.stoodAt = NaN; // beats, when it was looked at last
  this.playedFrom = 0; // beats
  this.stoppedAt = 0; // ms, when it was last seen playing; 0 where it never was
  this.stoppedBeats = 0;
}

Timeline.PLAYING = 200; // ms between two messages
Timeline.STANDING = 1000;

/** Where the set stands now. */
Timeline.read = function () {
  var song = Live.song();
  var numerator = Live.number(song, "signature_numerator") || 4;
  var denominator = Live.number(song, "signature_denominator") || 4;
  var playing = Live.flag(song, "is_playing");
  var beats = Live.number(song, "current_song_time") || 0;
  var bar = numerator * 4 / denominator; // quarter notes
  return {
    playing: playing,
    beats: beats,
    // where a press means: the bar that plays, or the insert marker, where play would start
    here: playing ? Timeline.barAt(beats, bar) : Live.number(song, "start_time") || 0,
    tempo: Live.number(song, "tempo") || 120,
    numerator: numerator,
    denominator: denominator,
    bar: bar,
    loopStart: Live.number(song, "loop_start") || 0,
    loopLength: Live.number(song, "loop_length") || 0
  };
};

Timeline.seconds = function (beats, tempo) {
  return beats * 60 / tempo;
};

/** The bar line at or before a beat. A hair before a line counts as on it. */
Timeline.barAt = function (beats, bar) {
  return Math.floor(beats / bar + 1e-6) * bar;
};

/** Watch where it plays, and tell the bridge while it is connected. Numbers only: each new word would stay in Max for ever. */
Timeline.prototype.tick = function (now, connected) {
  if (now - this.looked < Timeline.PLAYING) {
    return;
  }
  var song = Timeline.read();
  this.watch(song, now);
  var key = [song.playing, song.playing ? 0 : song.beats, song.tempo, song.numerator, song.denominator].join(" ");
  var due = song.playing || key !== this.last || now - this.sent >= Timeline.STANDING;
  if (!connected || !due) {
    return;
  }
  this.sent = now;
  this.last = key;
  this.wire.send("/bridge/transport", [
    ["client", this.identity.client], ["playing", song.playing ? 1 : 0],
    ["position", Timeline.seconds(song.beats, song.tempo)], ["beats", song.beats], ["tempo", song.tempo],
    ["numerator", song.numerator], ["denominator", song.denominator]
  ]);
};

Timeline.prototype.watch = function (song, now) {
  if (song.playing && !this.wasPlaying) {
    // it began between two looks: where it stood, if it can have come from there
    var most = (now - this.looked) / 1000 * song.tempo / 60 + 0.1;
    var gone = song.beats - this.stoodAt;
    this.playedFrom = gone >= 0 && gone <= most ? this.stoodAt : song.beats;
  }
  if (song.playing) {
    this.stoppedBeats = song.beats;
    this.stoppedAt = now;
  }
  this.stoodAt = song.playing ? NaN : song.here;
  this.looked = now;
  this.wasPlaying = song.playing;
};
