/**
 * A WAV that the recorder has written. Its first two channels are the sound; the third is Live's beat, recorded through the same
 * delay as the sound: it runs from 0 to 1 in each quarter note. So the file itself tells which beat was heard in which sample,
 * however late the recorder was started.
 */
function Wave(path, like) {
  this.path = path;
  this.like = like;
  this.rate = 0;
  this.frames = 0;
  this.read();
}

Wave.CHANNELS = 3;
Wave.WIDTH = 3; // bytes of a sample
Wave.SURE = 0.4; // beats: a guess that is further off may mean the beat beside
Wave.STEADY = 0.02; // of a quarter note: how exactly the beat has to run

/** Read where the sound lies. No frames: it is not written yet, or is no such file. */
Wave.prototype.read = function () {
  var file = Files.opened(this.path, this.like, "read");
  if (!file) {
    return;
  }
  var head = file.readbytes(12) || [];
  for (var at = 12; head.length === 12 && at + 8 <= file.eof; at += 8 + size + (size % 2)) {
    file.position = at;
    var chunk = file.readbytes(24) || [];
    var size = Wave.number(chunk, 4, 4);
    var name = Wave.letters(chunk);
    if (name === "fmt ") {
      this.rate = Wave.number(chunk, 12, 4);
      this.right = Wave.number(chunk, 10, 2) === Wave.CHANNELS && Wave.number(chunk, 22, 2) === Wave.WIDTH * 8;
    } else if (name === "data") {
      this.start = at + 8;
      this.frames = this.right ? Math.floor(Math.min(size, file.eof - this.start) / Wave.CHANNELS / Wave.WIDTH) : 0;
      break;
    }
  }
  file.close();
};

Wave.letters = function (bytes) {
  return bytes.slice(0, 4).map(function (byte) { return String.fromCharCode(byte); }).join("");
};

Wave.number = function (bytes, at, count) {
  var value = 0;
  for (var i = count - 1; i >= 0; i -= 1) {
    value = value * 256 + bytes[at + i];
  }
  return value;
};

/** Where in its beat a frame was heard, 0 to 1; NaN outside of the file. */
Wave.prototype.phase = function (frame) {
  if (!(frame >= 0 && frame < this.frames)) {
    return NaN;
  }
  var file = Files.opened(this.path, this.like, "read");
  file.position = this.start + frame * Wave.CHANNELS * Wave.WIDTH + (Wave.CHANNELS - 1) * Wave.WIDTH;
  var value = Wave.number(file.readbytes(Wave.WIDTH), 0, Wave.WIDTH);
  file.close();
  return (value < 0x800000 ? value : value - 0x1000000) / 0x800000;
};

/** By how many beats a phase has to go on to be another, the shorter way around. */
Wave.gap = function (from, to) {
  var gap = to - from;
  return gap - Math.round(gap);
};

/** The frame in which a beat was heard, with its fraction; NaN where the file does not tell. `guess`: about where, `each`: frames of a beat. */
Wave.prototype.frameOf = function (beat, guess, each) {
  var at = guess;
  for (var i = 0; i < 6; i += 1) {
    var gap = Wave.gap(this.phase(Math.round(at)), beat - Math.floor(beat));
    if (isNaN(gap) || (i === 0 && Math.abs(gap) > Wave.SURE)) {
      return NaN;
    }
    at = Math.round(at) + gap * each;
    if (Math.abs(gap * each) < 1) {
      break;
    }
  }
  // it has to run there as quarter notes run at this tempo
  var further = this.phase(Math.round(at + each / 4));
  return Math.abs(Wave.gap(this.phase(Math.round(at)), further) - 0.25) < Wave.STEADY ? at : NaN;
};

/** Write a broadcast extension behind the sound: the frame of the time line in which it begins, and which channels are sound. */
Wave.prototype.stamp = function (reference, when) {
  var file = Files.opened(this.path, this.like, "readwrite");
  if (!file) {
    return false;
  }
  var two = function (number) { return ("0" + number).slice(-2); };
  var about = reference < 0 ? "It begins " + -reference + " samples before the set" : "";
  var history = "A=PCM,F=" + this.rate + ",W=24,M=stereo,T=" + Wave.CLOCK + "\r\n";
  history += history.length % 2 ? "\0" : "";
  var body = [].concat(
    Wave.text(about, 256), Wave.text("daw-bridge", 32), Wave.text("", 32),
    Wave.text([when.getFullYear(), two(when.getMonth() + 1), two(when.getDate())].join("-"), 10),
    Wave.text([two(when.getHours()), two(when.getMinutes()), two(when.getSeconds())].join(":"), 8),
    Wave.bytes(Math.max(0, reference), 8), Wave.bytes(1, 2), Wave.text("", 64 + 190), Wave.text(history, history.length)
  );
  var end = file.eof;
  file.position = end;
  file.writebytes(Wave.text("", end % 2).concat(Wave.text("bext", 4), Wave.bytes(body.length, 4), body));
  file.position = 4;
  file.writebytes(Wave.bytes(end + end % 2 + body.length, 4));
  file.close();
  var again = Files.opened(this.path, this.like, "read"); // believed when it was read back
  again.position = end + end % 2;
  var written = Wave.letters(again.readbytes(4) || []) === "bext";
  again.close();
  return written;
};

Wave.CLOCK = "channel 3 is the beat of Live"; // the bridge knows these words, and leaves that channel out

Wave.text = function (text, length) {
  var bytes = [];
  for (var i = 0; i < length; i += 1) {
    bytes.push(i < text.length ? text.charCodeAt(i) & 127 : 0);
  }
  return bytes;
};

Wave.bytes = function (number, count) {
  var bytes = [];
  for (var i = 0; i < count; i += 1) {
    bytes.push(number % 256);
    number = Math.floor(number / 256);
  }
  return bytes;
};
