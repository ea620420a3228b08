"use strict";
// OSC as Max's udpsend and udpreceive speak it: i, f and s, and nothing else (facts: 2.3).

function padded(text) {
  const data = Buffer.from(text, "utf8");
  return Buffer.concat([data, Buffer.alloc(4 - (data.length % 4))]);
}

function encode(message) {
  let types = ",";
  const parts = [];
  for (const atom of message.slice(1)) {
    const four = Buffer.alloc(4);
    if (typeof atom === "number" && Number.isInteger(atom) && Math.abs(atom) < 2 ** 31) {
      types += "i";
      four.writeInt32BE(atom);
      parts.push(four);
    } else if (typeof atom === "number") {
      types += "f";
      four.writeFloatBE(atom);
      parts.push(four);
    } else {
      types += "s";
      parts.push(padded(atom));
    }
  }
  return Buffer.concat([padded(message[0]), padded(types), ...parts]);
}

function decode(data) {
  let at = 0;
  const text = () => {
    const end = data.indexOf(0, at);
    const found = data.toString("utf8", at, end);
    at = end + 4 - (end % 4);
    return found;
  };
  const message = [text()];
  for (const type of text().slice(1)) {
    if (type === "i") {
      message.push(data.readInt32BE(at));
      at += 4;
    } else if (type === "f") {
      message.push(data.readFloatBE(at));
      at += 4;
    } else if (type === "s") {
      message.push(text());
    } else {
      throw new Error(`Max knows no OSC type ${type}`);
    }
  }
  return message;
}

module.exports = { encode, decode };
