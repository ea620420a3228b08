/** The wire: messages of key, value pairs, out to the bridge and in from it. */
function Wire(outlet) {
  this.outlet = outlet;
  this.secret = "";
  this.port = 0;
}

Wire.MOST = 8192; // bytes of a message: what the bridge takes. udpsend by itself sends less, and drops the rest unsaid

/** Point the sender at a port of this machine. */
Wire.prototype.target = function (port) {
  if (port !== this.port) {
    this.port = port;
    this.outlet(0, ["port", port]);
  }
};

/** Send pairs [[key, value], ...]. What is undefined or empty is left out: Max has no empty words. */
Wire.prototype.send = function (address, pairs) {
  var message = [address, "secret", this.secret];
  pairs.forEach(function (pair) {
    if (pair[1] !== undefined && pair[1] !== null && pair[1] !== "") {
      message.push(pair[0], pair[1]);
    }
  });
  this.outlet(0, message);
};

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
