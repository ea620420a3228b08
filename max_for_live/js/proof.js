/**
 * The proof that a program knows the secret of the home: HMAC-SHA256 (RFC 2104, FIPS 180-4), as bridge_daemon/home/proof.py
 * makes it. Max offers no cryptography. Texts here are ASCII.
 */
var Proof = (function () {
  var BLOCK = 64; // bytes
  var START = [];
  var ROUNDS = [];

  function fraction(root) {
    return Math.floor((root - Math.floor(root)) * 0x100000000);
  }

  // of the roots of the first primes, as the standard says
  (function () {
    for (var n = 2; ROUNDS.length < 64; n += 1) {
      var prime = true;
      for (var d = 2; d * d <= n && prime; d += 1) {
        prime = n % d !== 0;
      }
      if (prime) {
        if (START.length < 8) {
          START.push(fraction(Math.pow(n, 1 / 2)) | 0);
        }
        ROUNDS.push(fraction(Math.pow(n, 1 / 3)) | 0);
      }
    }
  }());

  function turned(word, bits) {
    return (word >>> bits) | (word << (32 - bits));
  }

  /** Whole blocks of bytes as words, with the padding at the end. */
  function padded(bytes) {
    var all = bytes.concat([0x80]);
    while (all.length % BLOCK !== BLOCK - 8) {
      all.push(0);
    }
    all.push(0, 0, 0, 0, (bytes.length >>> 21) & 255, (bytes.length >>> 13) & 255, (bytes.length >>> 5) & 255,
      (bytes.length << 3) & 255);
    var words = [];
    for (var at = 0; at < all.length; at += 4) {
      words.push((all[at] << 24) | (all[at + 1] << 16) | (all[at + 2] << 8) | all[at + 3]);
    }
    return words;
  }

  function spread(block) {
    var words = block.slice();
    for (var i = 16; i < 64; i += 1) {
      var low = words[i - 15];
      var high = words[i - 2];
      words[i] = (words[i - 16] + words[i - 7] + (turned(low, 7) ^ turned(low, 18) ^ (low >>> 3)) +
        (turned(high, 17) ^ turned(high, 19) ^ (high >>> 10))) | 0;
    }
    return words;
  }

  function mixed(state, block) {
    var words = spread(block);
    var s = state.slice();
    for (var i = 0; i < 64; i += 1) {
      var a = s[0];
      var e = s[4];
      var first = (s[7] + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + ROUNDS[i] +
        words[i]) | 0;
      var second = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]))) | 0;
      s = [(first + second) | 0, a, s[1], s[2], (s[3] + first) | 0, e, s[5], s[6]];
    }
    return s.map(function (word, i) { return (word + state[i]) | 0; });
  }

  /** The SHA-256 of bytes, as bytes. */
  function sha256(bytes) {
    var words = padded(bytes);
    var state = START;
    for (var at = 0; at < words.length; at += 16) {
      state = mixed(state, words.slice(at, at + 16));
    }
    var found = [];
    state.forEach(function (word) {
      found.push((word >>> 24) & 255, (word >>> 16) & 255, (word >>> 8) & 255, word & 255);
    });
    return found;
  }

  function bytesOf(text) {
    return text.split("").map(function (letter) { return letter.charCodeAt(0) & 255; });
  }

  function hex(bytes) {
    return bytes.map(function (byte) { return ("0" + byte.toString(16)).slice(-2); }).join("");
  }

  function hmac(key, text) {
    var start = bytesOf(key);
    start = start.length > BLOCK ? sha256(start) : start;
    while (start.length < BLOCK) {
      start.push(0);
    }
    var inner = start.map(function (byte) { return byte ^ 0x36; });
    var outer = start.map(function (byte) { return byte ^ 0x5c; });
    return hex(sha256(outer.concat(sha256(inner.concat(bytesOf(text))))));
  }

  return {
    hmac: hmac,
    /** What the bridge at a port answers to a nonce. */
    of: function (secret, port, nonce) { return hmac(secret, "daw-bridge/" + port + "/" + nonce); }
  };
}());
