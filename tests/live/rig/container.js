"use strict";
// Reads a frozen device, independently of the code that wrote it.
const fs = require("fs");

function read(file) {
  const data = fs.readFileSync(file);
  const chunks = {};
  for (let at = 0; at < data.length; ) {
    const tag = data.toString("latin1", at, at + 4);
    const size = data.readUInt32LE(at + 4);
    chunks[tag] = data.subarray(at + 8, at + 8 + size);
    at += 8 + size;
  }
  const body = chunks.ptch;
  const footer = Number(body.readBigUInt64BE(8));
  const files = {};
  let first = null;
  for (let at = footer + 8; at < body.length; ) {
    const end = at + body.readUInt32BE(at + 4);
    const fields = {};
    for (let i = at + 8; i < end; ) {
      const size = body.readUInt32BE(i + 4);
      fields[body.toString("latin1", i, i + 4)] = body.subarray(i + 8, i + size);
      i += size;
    }
    const name = fields.fnam.toString("utf8").replace(/\0+$/, "");
    const offset = fields.of32.readUInt32BE(0);
    const text = body.toString("utf8", offset, offset + fields.sz32.readUInt32BE(0));
    first = first || text;
    files[name] = text;
    at = end;
  }
  return { kind: chunks.ampf.toString("latin1"), patcher: JSON.parse(first.replace(/\n\0$/, "")).patcher, files };
}

module.exports = { read };
