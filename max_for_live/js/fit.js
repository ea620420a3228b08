/**
 * Fit: how a take is made to stand on the set's beats, from what the bridge has measured of it. By start and warp markers and by the
 * clip's gain alone, so that the file stays as it is and one step of undo takes it back.
 */
var Fit = (function () {
  var SURE = 1; // confidence from which a grid may be trusted
  var HEARD = 0.01; // s that the last beat has to be off before anything is stretched
  var ERRORS = 3; // standard errors of the tempo
  var FARTHEST = 1.5; // s by which a beginning is moved at most
  var NEAR = 0.001; // s
  var BARS = [16, 8, 4, 2, 1];
  var CEILING = -1; // dBTP
  var QUIETER = -24; // dB
  var LOUDER = 12;
  var CLOSE = 0.06; // dB: the panel of Live shows tenths

  function number(told, key) {
    return told[key] === undefined || told[key] === "" ? NaN : Number(told[key]);
  }

  /** What is wanted by a press, where nobody has said: by how its length is chosen and where it goes. */
  function usual(span, session) {
    if (span === Panel.SECONDS) {
      return "off";
    }
    return span === Panel.SHOT ? "start" : session ? "loop" : "grid";
  }

  /** What the bridge says where nobody has named a fit: whole bars loop in a slot and go on the grid elsewhere. */
  function unnamed(told) {
    var meter = /^(\d+)\/(\d+)$/.exec(String(told.time_signature || "4/4"));
    var bar = Number(meter[1]) * 4 / Number(meter[2]);
    bar = bar === Math.round(bar) ? bar : bar * 2; // of 7/8 two bars have whole beats
    var bars = number(told, "length") * number(told, "tempo") / 60 / bar;
    var whole = Math.round(bars) >= 1 && Math.abs(bars - Math.round(bars)) < 0.01;
    var slot = told.target ? told.target === "session" : !isNaN(number(told, "slot"));
    return !whole ? "off" : slot ? "loop" : "grid";
  }

  /** How a take is to fit: as a preset or a pad has named it, else as the press said. */
  function wanted(told, token) {
    var said = String(told.fit || "");
    return said !== "" && said !== unnamed(told) ? said : String(token.f || said || "off");
  }

  /** The second of the file that stands on the place: its first beat, or where it goes on if it continues its source. */
  function firstOf(told) {
    var enter = number(told, "grid.enter");
    return Math.max(0, isNaN(enter) ? number(told, "grid.first_beat") || 0 : enter);
  }

  /** Whether something was measured. */
  function known(told) {
    return !isNaN(number(told, "grid.confidence"));
  }

  /** Seconds of a beat of the take: as measured, or as asked for where the difference cannot be heard. */
  function beatOf(told, length) {
    var own = number(told, "grid.tempo");
    var asked = number(told, "tempo");
    var off = Math.abs(asked / own - 1) * length;
    var sure = ERRORS * (number(told, "grid.tempo_error") || 0) / own * length;
    return 60 / (off > Math.max(HEARD, sure) ? own : asked || own);
  }

  /**
   * How a clip is to lie: {pins, first, length, start, end, looping, notes}. `pins` are warp markers, or null for an unwarped clip; `start` and
   * `end` are in the clip's unit, beats where it is warped, else seconds.
   */
  function plan(told, order) {
    var way = known(told) ? order.way : "off";
    var sure = number(told, "grid.confidence") >= SURE;
    if (way === "grid" || way === "loop") {
      return sure ? onBeats(told, order, way === "loop") : asItIs(order, ["not fitted to the beat: " + String(told["grid.why_not"] || "no clear pulse")]);
    }
    var first = way === "start" ? number(told, sure ? "grid.first_beat" : "grid.first_sound") || 0 : 0;
    if (first > FARTHEST) {
      return asItIs(order, ["it begins after " + Text.decimal(first, 1) + " s"]);
    }
    return from(order, Math.max(0, first), []);
  }

  function asItIs(order, notes) {
    return from(order, 0, notes);
  }

  /** From a second of the file on, at the speed that it has. */
  function from(order, first, notes) {
    var seconds = Math.min(order.wanted, order.file_seconds - first);
    var beats = seconds * order.tempo / 60;
    if (order.warp) {
      return warped(order, first, 60 / order.tempo, beats, order.session, notes);
    }
    return { pins: null, length: beats, start: first, end: first + seconds, looping: false, notes: notes };
  }

  /** From the first beat on, at the set's tempo; a loop has whole bars. */
  function onBeats(told, order, loop) {
    var each = beatOf(told, order.file_seconds);
    var first = firstOf(told);
    var there = (order.file_seconds - first) / each;
    var asked = order.wanted * order.tempo / 60;
    var beats = Math.min(asked, there);
    var notes = [];
    if (loop) {
      var bars = Math.round(asked / order.bar);
      if (Math.abs(asked / order.bar - bars) > 0.01 || bars < 1 || bars * order.bar > there + HEARD / each) {
        bars = BARS.filter(function (count) { return count * order.bar <= Math.min(asked, there) + 0.01; })[0];
        if (!bars) {
          return asItIs(order, ["no whole bar of it is there to loop"]);
        }
        notes.push("a loop of " + bars + (bars === 1 ? " bar" : " bars"));
      }
      beats = bars * order.bar;
    }
    return warped(order, first, each, beats, loop && order.session, notes);
  }

  /** Its first beat on a bar line of the clip, which begins there: what lies before is kept and not heard. */
  function warped(order, first, each, beats, looping, notes) {
    var start = first < NEAR ? 0 : Math.ceil(first / each / order.bar - 1e-6) * order.bar;
    var last = Math.min(first + beats * each, order.file_seconds);
    return {
      pins: [[start, start === 0 ? 0 : first], [start + (last - first) / each, last]], length: beats, start: start, end: start + beats,
      looping: looping, notes: notes
    };
  }

  /** By how many dB the clip is to be turned, and what is to be said of it: {gain, notes}. */
  function loudness(told) {
    var now = number(told, "grid.loudness");
    var asked = String(told.loudness === undefined ? "off" : told.loudness);
    var aim = asked === "source" ? number(told, "grid.source_loudness") : Number(asked);
    if (asked === "off" || isNaN(aim) || isNaN(now)) {
      return { gain: 0, notes: [] };
    }
    var room = CEILING - (number(told, "grid.true_peak") || 0);
    var gain = Math.max(QUIETER, Math.min(aim - now, LOUDER, room));
    var short = aim - now - gain;
    return { gain: gain, notes: Math.abs(short) > 0.1 ? [Text.decimal(Math.abs(short), 1) + " dB " + (short > 0 ? "quieter" : "louder") + " than asked"] : [] };
  }

  function decibels(clip) {
    var shown = Live.text(clip, "gain_display_string").replace(",", ".").replace(/[^0-9.\-]/g, "");
    return shown === "" || shown === "-" ? -Infinity : parseFloat(shown);
  }

  /** Turn a clip by so many dB. Its gain is a number from 0 to 1 of which only what it shows is known: so it is looked for. */
  function turn(clip, gain) {
    var low = 0;
    var high = 1;
    for (var i = 0; i < 16; i += 1) {
      var middle = (low + high) / 2;
      clip.set("gain", middle);
      var off = decibels(clip) - gain;
      if (isNaN(off)) {
        return false;
      }
      if (Math.abs(off) < CLOSE) {
        return true;
      }
      low = off < 0 ? middle : low;
      high = off < 0 ? high : middle;
    }
    return false;
  }

  return { usual: usual, wanted: wanted, known: known, plan: plan, loudness: loudness, turn: turn };
}());
