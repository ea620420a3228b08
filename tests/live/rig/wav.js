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

// `at(channel, frame)` is the sound, -1 to 1.
function write(file, { frames, rate, channels, bits, at }) {
  const width = bits / 8;
  const block = channels * width;
  const pad = (frames * block) % 2;
  const data = Buffer.alloc(44 + frames * block + pad);
  data.write("RIFF", 0, "latin1");
  data.writeUInt32LE(36 + frames * block + pad, 4);
  data.write("WAVEfmt ", 8, "latin1");
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(channels, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(rate * block, 28);
  data.writeUInt16LE(block, 32);
  data.writeUInt16LE(bits, 34);
  data.write("data", 36, "latin1");
  data.writeUInt32LE(frames * block, 40);
  const most = 2 ** (bits - 1);
  for (let frame = 0, to = 44; frame < frames; frame += 1) {
    for (let channel = 0; channel < channels; channel += 1, to += width) {
      data.writeIntLE(Math.max(-most, Math.min(most - 1, Math.round(at(channel, frame) * most))), to, width);
    }
  }
  fs.writeFileSync(file, data);
}

module.exports = { about, write };
