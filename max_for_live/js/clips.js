/** Clips: made of a file, marked, and found again. Nothing is believed that was not read back. */
var Clips = (function () {
  var COLOUR = 0xff9529; // Live takes the nearest of its own
  var COMPLEX = 4; // warp mode
  var NEAR = 1e-4; // beats
  var NEAR_SECONDS = 0.01;

  /** Whether two paths name the same file. The name of a take holds its job, so a name alone is proof enough. */
  function same(one, other) {
    var a = Files.native(one);
    var b = Files.native(other);
    return a !== "" && (a === b || Files.name(a).toLowerCase() === Files.name(b).toLowerCase());
  }

  function isOf(clip, file) {
    return Live.exists(clip) && same(Live.text(clip, "file_path"), file);
  }

  var FEW = 100; // clips that are all looked at; among more it is searched, since Live keeps them in the order of time

  /** The ids of the clips of a track or take lane that may reach into a stretch of time. */
  function near(parent, start, end) {
    var ids = Live.ids(parent, "arrangement_clips");
    if (ids.length <= FEW) {
      return ids;
    }
    var eye = Live.byId(ids[0]);
    // the number of the first clip that does not begin before a beat
    var at = function (beat) {
      var low = 0;
      var high = ids.length;
      while (low < high) {
        var middle = (low + high) >> 1;
        eye.id = ids[middle];
        if (Live.number(eye, "start_time") < beat) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      return low;
    };
    return ids.slice(Math.max(0, at(start - NEAR) - 2), at(end + NEAR) + 1);
  }

  /** The clip of a file that begins at a beat, among the children of a track or take lane; `but` is the id of one that is not meant. */
  function find(parent, beats, file, but) {
    return Live.first(near(parent, beats, beats), function (clip) {
      return Number(clip.id) !== but && Math.abs(Live.number(clip, "start_time") - beats) < NEAR && isOf(clip, file);
    });
  }

  function free(parent, start, end) {
    return !Live.first(near(parent, start, end), function (clip) {
      return !(Live.number(clip, "end_time") <= start + NEAR || Live.number(clip, "start_time") >= end - NEAR);
    });
  }

  /** Call with the path as it is, and where nothing came of it once more with the path in quotes (spaces in it). */
  function make(parent, file, call, found) {
    call(parent, file);
    var clip = found();
    if (!clip && file.indexOf(" ") >= 0) {
      call(parent, '"' + file + '"');
      clip = found();
    }
    return clip;
  }

  function inSlot(slot, file) {
    return make(slot, file, function (parent, path) {
      parent.call("create_audio_clip", path);
    }, function () {
      var clip = Live.flag(slot, "has_clip") ? Live.child(slot, "clip") : null;
      return clip && isOf(clip, file) ? clip : null;
    });
  }

  function inArrangement(parent, file, beats) {
    return make(parent, file, function (target, path) {
      target.call("create_audio_clip", path, beats);
    }, function () {
      return find(parent, beats, file);
    });
  }

  function markers(clip) {
    var found = clip.get("warp_markers");
    var value = found && found.length ? found[0] : null;
    try {
      value = typeof value === "string" ? JSON.parse(value) : value;
    } catch (error) {
      return [];
    }
    return (value && (value.warp_markers || value)) || [];
  }

  function hasMarker(clip, beat, second) {
    return markers(clip).some(function (marker) {
      return Math.abs(Number(marker.beat_time) - beat) < NEAR && Math.abs(Number(marker.sample_time) - second) < 1e-3;
    });
  }

  /** Pin seconds of the file to beats, and nothing else; false where Live did not take it. */
  function pin(clip, pins) {
    clip.set("warping", 1);
    clip.set("warp_mode", COMPLEX);
    pins.forEach(function (pair) {
      if (!hasMarker(clip, pair[0], pair[1])) {
        clip.call("add_warp_marker", { beat_time: pair[0], sample_time: pair[1] });
      }
    });
    var taken = function () { return pins.every(function (pair) { return hasMarker(clip, pair[0], pair[1]); }); };
    if (!taken()) {
      return false;
    }
    var last = pins[pins.length - 1][0];
    markers(clip).forEach(function (marker) {
      var beat = Number(marker.beat_time); // what lies behind the last one tells Live the speed of the rest
      if (beat < last - NEAR && !pins.some(function (pair) { return Math.abs(pair[0] - beat) < NEAR; })) {
        clip.call("remove_warp_marker", beat);
      }
    });
    return Live.flag(clip, "warping") && taken();
  }

  /** Set where a clip begins and ends, the one first that keeps the other behind it. */
  function edges(clip, looping, start, end) {
    if (start !== 0 && !looping && Live.flag(clip, "warping") && Live.flag(clip, "is_arrangement_clip")) {
      // there Live takes a start marker of a clip that loops only
      clip.set("looping", 1);
      clip.set("loop_end", Math.max(end, Live.number(clip, "loop_end")));
      clip.set("loop_start", start);
      clip.set("start_marker", start);
    }
    clip.set("looping", looping ? 1 : 0);
    if (Live.number(clip, "loop_start") < end) {
      clip.set("loop_end", end);
      clip.set("loop_start", start);
    } else {
      clip.set("loop_start", start);
      clip.set("loop_end", end);
    }
    clip.set("start_marker", start);
    clip.set("end_marker", end);
    return Math.abs(Live.number(clip, "loop_end") - end) < NEAR_SECONDS && Math.abs(Live.number(clip, "loop_start") - start) < NEAR_SECONDS;
  }

  /** Set all of a clip that somebody asked for: warping first, since it decides the unit of what follows. */
  function mark(clip, order) {
    var plan = order.plan;
    var notes = plan.notes.slice();
    if (plan.pins && !pin(clip, plan.pins)) {
      notes.push("not warped: Live did not take the markers");
      plan = order.unwarped;
      order.length = plan.length;
    }
    if (!plan.pins) {
      clip.set("warping", 0);
    }
    if (!edges(clip, plan.looping, plan.start, plan.end)) {
      notes.push("the length could not be set");
    }
    if (order.gain && !Fit.turn(clip, order.gain)) {
      notes.push("not made louder or quieter: Live did not take the gain");
    }
    clip.set("name", order.name);
    clip.set("color", COLOUR);
    return notes;
  }

  /** What a person may have changed of a clip since it was placed. */
  function state(clip) {
    return ["warping", "looping", "loop_start", "loop_end", "start_marker", "start_time", "name"].map(function (property) {
      return Live.text(clip, property);
    }).join(" ");
  }

  return {
    same: same, isOf: isOf, near: near, find: find, free: free, inSlot: inSlot, inArrangement: inArrangement, markers: markers,
    mark: mark, state: state, NEAR: NEAR
  };
}());
