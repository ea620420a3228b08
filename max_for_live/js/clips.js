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

  /** The clip of a file that begins at a beat, among the children of a track or take lane. */
  function find(parent, beats, file) {
    return Live.first(near(parent, beats, beats), function (clip) {
      return Math.abs(Live.number(clip, "start_time") - beats) < NEAR && isOf(clip, file);
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

  /** Pin the start and the end of what plays to beats, and nothing between; false where Live did not take it. */
  function pin(clip, beats, seconds) {
    clip.set("warping", 1);
    clip.set("warp_mode", COMPLEX);
    [[0, 0], [beats, seconds]].forEach(function (pair) {
      if (!hasMarker(clip, pair[0], pair[1])) {
        clip.call("add_warp_marker", { beat_time: pair[0], sample_time: pair[1] });
      }
    });
    if (!hasMarker(clip, 0, 0) || !hasMarker(clip, beats, seconds)) {
      return false;
    }
    markers(clip).forEach(function (marker) {
      var beat = Number(marker.beat_time);
      if (beat > NEAR && beat < beats - NEAR) {
        clip.call("remove_warp_marker", beat);
      }
    });
    return Live.flag(clip, "warping") && hasMarker(clip, beats, seconds);
  }

  function edges(clip, looping, end) {
    clip.set("looping", looping ? 1 : 0);
    clip.set("loop_end", end);
    clip.set("loop_start", 0);
    clip.set("start_marker", 0);
    clip.set("end_marker", end);
    return Math.abs(Live.number(clip, "loop_end") - end) < NEAR_SECONDS;
  }

  /** Set all of a clip that somebody asked for: warping first, since it decides the unit of what follows. */
  function mark(clip, order) {
    var notes = [];
    var warped = order.warp && pin(clip, order.seconds * order.tempo / 60, order.seconds);
    if (order.warp && !warped) {
      notes.push("not warped: Live did not take the markers");
    }
    if (!warped) {
      clip.set("warping", 0);
    }
    var end = warped ? order.seconds * order.tempo / 60 : order.seconds;
    if (!edges(clip, warped && order.session, end)) {
      notes.push("the length could not be set");
    }
    clip.set("name", order.name);
    clip.set("color", COLOUR);
    return notes;
  }

  return {
    same: same, isOf: isOf, near: near, find: find, free: free, inSlot: inSlot, inArrangement: inArrangement, markers: markers,
    mark: mark, NEAR: NEAR
  };
}());
