/** Text: numbers as exact decimal text, ids, and sentences as the words that Max shows. */
var Text = (function () {
  var serial = 0;

  /** A number as decimal text, without an exponent and rounded to `digits`: OSC floats are not exact. */
  function decimal(value, digits) {
    var text = Number(value).toFixed(digits === undefined ? 6 : digits);
    if (text.indexOf(".") >= 0) {
      text = text.replace(/0+$/, "").replace(/\.$/, "");
    }
    return text === "-0" ? "0" : text;
  }

  function hex(digits) {
    var text = "";
    while (text.length < digits) {
      text += Math.floor(Math.random() * 16).toString(16);
    }
    return text;
  }

  /** A UUID of version 4. The time and a serial number are mixed in: nobody says how Max seeds its generator. */
  function uuid(salt) {
    serial = (serial + 1) % 0x10000;
    var now = new Date().getTime() % 0x100000000;
    var first = ((now ^ Math.floor(Math.random() * 0x100000000)) >>> 0).toString(16);
    var second = ((serial ^ salt ^ Math.floor(Math.random() * 0x10000)) & 0xffff).toString(16);
    var variant = "89ab".charAt(Math.floor(Math.random() * 4));
    return ("0000000" + first).slice(-8) + "-" + ("000" + second).slice(-4) + "-4" + hex(3) + "-" + variant +
      hex(3) + "-" + hex(12);
  }

  /** A sentence as words. A comma or semicolon would be shown with a backslash. */
  function words(sentence) {
    var plain = String(sentence).replace(/[;,]\s/g, " - ").replace(/[;,]/g, " ").replace(/["\\]/g, "'");
    return plain.split(/\s+/).filter(function (word) { return word !== ""; });
  }

  /** The bytes of a text as UTF-8. */
  function bytes(text) {
    try {
      return encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, "x").length;
    } catch (error) {
      return Infinity; // half of a letter
    }
  }

  function dollars(text) {
    var value = Number(text);
    return isNaN(value) ? "$?" : "$" + value.toFixed(2);
  }

  var MONEY = {
    none: "Nothing was spent.",
    possible: "Perhaps spent: it counts against your limits until you say more.",
    confirmed: "It is spent."
  };

  /** What the bridge refused, or what failed: what happened, what is known of the money, what is next, and the code. */
  function problem(told) {
    var text = String(told.message || "It failed.");
    var money = MONEY[told.charge] || ""; // an older bridge does not tell: then nothing is claimed
    if (money === MONEY.none && /nothing was [a-z ]*spent/i.test(text)) {
      money = ""; // it is said already
    }
    return [text, money, told.next ? "Next: " + told.next : "", told.code ? "(" + told.code + ")" : ""].filter(
      function (part) { return part !== ""; }
    ).join(" ");
  }

  return { problem: problem, decimal: decimal, hex: hex, uuid: uuid, words: words, bytes: bytes, dollars: dollars };
}());
