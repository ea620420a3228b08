"use strict";
// What Live needs to know of a WAV, and a WAV as sfrecord~ writes one.
const fs = require("fs");

// Returns {rate, frames}, or null where Live would refuse the file. 32-bit integers are refused (facts: 1.1).
function about(file) {
  let data;
  try {
    data = fs.readFileSync(file);
  } catch (error) {
    return null;
  }
  if (data.toString("latin1", 0, 4) !== "RIFF" || data.toString("latin1", 8, 12) !== "WAVE") {
    return null;
  }
  let format = null;
  for (let at = 12; at + 8 <= data.length; ) {
    const tag = data.toString("latin1", at, at + 4);
    const size = data.readUInt32LE(at + 4);
    if (tag === "fmt ") {
      const code = data.readUInt16LE(at + 8);
      format = {
        code: code === 0xfffe ? data.readUInt16LE(at + 32) : code, rate: data.readUInt32LE(at + 12),
        block: data.readUInt16LE(at + 20), bits: data.readUInt16LE(at + 22)
      };
    } else if (tag === "data" && format) {
      return format.code === 1 && format.bits === 32 ? null : { rate: format.rate, frames: Math.floor(size / format.block) };
    }
    at += 8 + size + (size % 2);
  }
  return null;
}

function write(file, seconds, rate) {
  const frames = Math.round(seconds * rate);
  const data = Buffer.alloc(44 + frames * 4);
  data.write("RIFF", 0, "latin1");
  data.writeUInt32LE(36 + frames * 4, 4);
  data.write("WAVEfmt ", 8, "latin1");
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(2, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(rate * 4, 28);
  data.writeUInt16LE(4, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36, "latin1");
  data.writeUInt32LE(frames * 4, 40);
  for (let i = 0; i < frames; i += 1) {
    const value = Math.round(8000 * Math.sin((2 * Math.PI * 220 * i) / rate));
    data.writeInt16LE(value, 44 + i * 4);
    data.writeInt16LE(value, 46 + i * 4);
  }
  fs.writeFileSync(file, data);
}

module.exports = { about, write };
