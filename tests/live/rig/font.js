"use strict";
// How wide text is on the panel: Arial Bold (data/arial_bold.json), which Max takes where Live's font is missing.
const WIDTHS = require("../data/arial_bold.json");

const width = (text, size = 10) => [...text].reduce((sum, letter) => sum + (WIDTHS[letter] || 1000), 0) * size / 1000;

// Rows of a comment of so many pixels; it breaks at spaces. A word that is wider than a row is cut.
function rows(text, room) {
  let count = 1;
  let line = "";
  for (const word of text.split(" ")) {
    if (width(word) > room) { return Infinity; }
    const longer = line === "" ? word : `${line} ${word}`;
    if (width(longer) > room) {
      count += 1;
      line = word;
    } else {
      line = longer;
    }
  }
  return count;
}

// Comments in saved patchers with a font of 10: one row is 18 px high, two 29, three 40; some 3 px are free at either side.
const cut = (text, [, , w, h]) => rows(text, w - 6) > 1 + Math.floor((h - 18) / 11);

module.exports = { width, cut };
