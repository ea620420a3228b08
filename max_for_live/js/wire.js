/**
 * The wire: messages of key, value pairs, out to the bridge and in from it. Each carries the secret, and any program may
 * hold the port of a bridge that has ended. So whoever listens there must prove first that it knows the secret; until it
 * has, messages wait here.
 */
function Wire(outlet) {
  this.outlet = outlet;
  this.secret = "";
  this.port = 0;
  this.own = 0; // the port at which answers come
  this.waiting = [];
  this.nonce = "";
  this.asked = 0; // ms, when the proof was asked for
  this.repeated = 0;
  this.proved = 0; // ms, when the question was put that was answered last; 0: nothing is proved
}

Wire.MOST = 8192; // bytes of a message: what the bridge takes. udpsend by itself sends less, and drops the rest unsaid
Wire.FRESH = 2000; // ms for which a proof counts
Wire.AGAIN = 300; // ms until an unanswered question is repeated
Wire.WAITING = 32; // messages that wait

Wire.now = function () {
  return new Date().getTime();
};

/** Point the sender at a port of this machine. */
Wire.prototype.target = function (port) {
  if (port !== this.port) {
    this.port = port;
    this.forget();
    this.outlet(0, ["port", port]);
  }
};

/** The secret of the home, as it is now. */
Wire.prototype.trust = function (secret) {
  if (secret !== this.secret) {
    this.secret = secret;
    this.forget();
  }
};

/** Nothing is proved any more, and nothing waits. */
Wire.prototype.forget = function () {
  this.waiting = [];
  this.nonce = "";
  this.proved = 0;
};

/** Ask whoever listens for a proof. It begins with a letter: Max would take digits for a number. */
Wire.prototype.ask = function () {
  var now = Wire.now();
  if (this.nonce === "" || now - this.asked > Wire.FRESH) {
    this.nonce = "a" + Text.hex(31);
    this.asked = now;
  } else if (now - this.repeated < Wire.AGAIN) {
    return;
  }
  this.repeated = now;
  this.outlet(0, ["/bridge/ping", "nonce", this.nonce, "port", this.own]);
};

/** An answer to a ping; false where it proves nothing. */
Wire.prototype.ponged = function (told) {
  if (this.nonce === "" || this.secret === "" || told.proof !== Proof.of(this.secret, this.port, this.nonce)) {
    return false;
  }
  this.proved = this.asked;
  this.nonce = "";
  if (this.fresh()) {
    this.waiting.splice(0).forEach(this.out, this);
  }
  return true;
};

Wire.prototype.fresh = function () {
  return this.proved !== 0 && Math.abs(Wire.now() - this.proved) < Wire.FRESH;
};

Wire.prototype.out = function (message) {
  this.outlet(0, [message[0], "secret", this.secret].concat(message.slice(1)));
};

/** Send pairs [[key, value], ...], at once or when it is proved who listens. What is undefined or empty is left out: Max has no empty words. */
Wire.prototype.send = function (address, pairs) {
  var message = [address];
  pairs.forEach(function (pair) {
    if (pair[1] !== undefined && pair[1] !== null && pair[1] !== "") {
      message.push(pair[0], pair[1]);
    }
  });
  if (this.fresh()) {
    this.out(message);
    return;
  }
  // of what is told again and again the last counts
  var text = message.join(" ");
  var latest = address === "/bridge/transport" || address === "/bridge/hello";
  this.waiting = this.waiting.filter(function (other) {
    return latest ? other[0] !== address : other.join(" ") !== text;
  }).slice(1 - Wire.WAITING);
  this.waiting.push(message);
  this.ask();
};

/** How many bytes a message of such pairs has at most: each text ends at a multiple of four bytes and has a letter for its type. */
Wire.size = function (pairs) {
  return pairs.reduce(function (sum, pair) {
    return sum + Text.bytes(String(pair[0])) + Text.bytes(String(pair[1])) + 10;
  }, Wire.ENVELOPE);
};
Wire.ENVELOPE = 256; // bytes of the address, the secret, the id, the seed, and of what is agreed to

/** Read pairs as an object. Where an empty text was lost on the way, the keys that are known put it back. */
Wire.pairs = function (values) {
  var told = {};
  var index = 0;
  var odd = values.length % 2 === 1;
  while (index < values.length) {
    var key = String(values[index]);
    if (odd && Wire.MAY_BE_EMPTY[key] && Wire.FOLLOWS[String(values[index + 1])]) {
      told[key] = "";
      index += 1;
      odd = false;
    } else {
      told[key] = values[index + 1];
      index += 2;
    }
  }
  return told;
};

Wire.MAY_BE_EMPTY = { paused: true, prompt: true, text: true };
Wire.FOLLOWS = { price_usd: true, seed: true, charge: true, fraction: true };
