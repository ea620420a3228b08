/** Scratch: the sound that the check makes clips of, and files that it writes. Max writes some thousand bytes at a time at most. */
var Scratch = (function () {
  var SLICE = 4096;
  var RATE = 8000;

  function text(words) {
    return Wave.text(words, words.length);
  }

  /** Write bytes to a new file; false where it could not be read back. */
  function write(path, like, bytes) {
    var file = Files.opened(path, like, "write");
    if (!file) {
      return false;
    }
    for (var at = 0; at < bytes.length; at += SLICE) {
      file.writebytes(bytes.slice(at, at + SLICE));
    }
    file.eof = bytes.length; // of an older, longer one nothing is left
    file.close();
    var again = Files.opened(path, like, "read");
    var whole = again !== null && again.eof === bytes.length;
    if (again) {
      again.close();
    }
    return whole;
  }

  /** A tone of so many seconds, 16 bit, mono. */
  function tone(seconds) {
    var sound = [];
    for (var i = 0; i < seconds * RATE; i += 1) {
      var value = Math.round(8000 * Math.sin(i / 4)) & 0xffff;
      sound.push(value & 255, value >> 8);
    }
    return text("RIFF").concat(
      Wave.bytes(36 + sound.length, 4), text("WAVEfmt "), Wave.bytes(16, 4), Wave.bytes(1, 2), Wave.bytes(1, 2), Wave.bytes(RATE, 4),
      Wave.bytes(RATE * 2, 4), Wave.bytes(2, 2), Wave.bytes(16, 2), text("data"), Wave.bytes(sound.length, 4), sound
    );
  }

  return { write: write, text: text, tone: tone };
}());
