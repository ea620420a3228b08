/**
 * Fitting: how wide words are on the panel, and a short form of a sentence that does not fit. Reckoned in Arial Bold, which
 * Max takes where Live's own font is missing, and which is wider than that.
 */
var Fitting = (function () {
  // thousandths of the size of the font, from the space to the tilde: the metrics of Helvetica Bold, which Arial Bold shares
  var WIDTHS = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667,
    611, 778, 722, 278, 556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556,
    278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584
  ];
  var OTHER = { "·": 278, "…": 1000, "‹": 333, "›": 333, "–": 556, "’": 278 };
  var ACCENTED = 778; // the widest of the small ones is narrower, most capitals are as wide
  var WIDEST = 1000;
  var SIZE = 10; // px

  function letter(text, index) {
    var code = text.charCodeAt(index);
    if (code >= 32 && code < 127) {
      return WIDTHS[code - 32];
    }
    return OTHER[text.charAt(index)] || (code < 0x250 ? ACCENTED : WIDEST);
  }

  /** Pixels. */
  function width(text) {
    var sum = 0;
    for (var i = 0; i < text.length; i += 1) {
      sum += letter(text, i);
    }
    return sum * SIZE / 1000;
  }

  /** How many rows words take, as they are broken at spaces; Infinity where one is wider than a row. */
  function rows(words, room) {
    var count = 1;
    var line = "";
    for (var i = 0; i < words.length; i += 1) {
      if (width(words[i]) > room) {
        return Infinity;
      }
      var longer = line === "" ? words[i] : line + " " + words[i];
      if (width(longer) > room) {
        count += 1;
        longer = words[i];
      }
      line = longer;
    }
    return count;
  }

  /** A word that fits into a row: of a path its end. */
  function word(text, room) {
    if (width(text) <= room) {
      return text;
    }
    var kept = text;
    while (kept.length > 1 && width("…" + kept) > room) {
      kept = kept.slice(1);
    }
    return "…" + kept;
  }

  /** Where the last sentence begins: it says what to do, or what became of the money. */
  function last(words) {
    for (var i = words.length - 2; i >= 0; i -= 1) {
      if (/[.!?]$/.test(words[i])) {
        return i + 1;
      }
    }
    return words.length;
  }

  /** The words that are shown of a sentence: all where they fit, else its beginning and its last sentence whole. */
  function words(sentence, room, most) {
    var all = Text.words(sentence);
    if (rows(all, room) <= most) {
      return all;
    }
    all = all.map(function (text) { return word(text, room * 0.6); });
    if (rows(all, room) <= most) {
      return all;
    }
    var from = last(all);
    var end = all.slice(from);
    if (rows(["…"].concat(end), room) > most) {
      from = all.length;
      end = [];
    }
    for (var kept = from - 1; kept > 0; kept -= 1) {
      var short = all.slice(0, kept).concat(["…"], end);
      if (rows(short, room) <= most) {
        return short;
      }
    }
    return ["…"].concat(end);
  }

  return { width: width, rows: rows, words: words };
}());
