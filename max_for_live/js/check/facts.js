/** What is counted on of Live and Max, each as a test that runs in them. tests/live/README.md says where each was read. */
var Facts = (function () {
  var all = [];
  var SECONDS = 2; // of the sound

  function fact(text, steps, more) {
    var one = { number: all.length + 1, text: text, steps: steps };
    for (var key in more || {}) {
      one[key] = more[key];
    }
    all.push(one);
  }

  function clear(c) {
    c.clear();
  }

  // Files

  fact("a new file is written into the home in pieces, and read back", [function (c) {
    c.expect(Scratch.write(c.files[0], c.devicePath, Scratch.tone(SECONDS)), "it was not written whole");
    c.expect(Scratch.write(c.files[1], c.devicePath, Scratch.tone(SECONDS)), "with spaces in its name it was not written whole");
  }]);

  fact("bytes are written behind the end of a file that is there", [function (c) {
    var file = Files.opened(c.files[1], c.devicePath, "readwrite");
    c.expect(file, "it does not open for reading and writing");
    var end = file.eof;
    file.position = end;
    file.writebytes([1, 2, 3, 4]);
    file.close();
    var again = Files.opened(c.files[1], c.devicePath, "read");
    c.near(again.eof, end + 4, 0, "its length");
    again.close();
    Scratch.write(c.files[1], c.devicePath, Scratch.tone(SECONDS));
  }]);

  // Clips

  fact("a path without spaces makes a clip in a slot, which tells that path", [function (c) {
    var slot = c.slot();
    var answer = slot.call("create_audio_clip", c.files[0]);
    c.expect(Live.flag(slot, "has_clip"), "the slot is empty");
    var path = Live.text(Live.child(slot, "clip"), "file_path");
    c.expect(Clips.same(path, c.files[0]), "the clip tells " + path);
    c.note("it answered " + JSON.stringify(answer) + ", the clip tells " + path);
  }], { after: clear });

  fact("a path with spaces makes a clip, as it is or in quotes", [function (c) {
    var slot = c.slot();
    slot.call("create_audio_clip", c.files[1]);
    var plain = Live.flag(slot, "has_clip");
    if (!plain) {
      slot.call("create_audio_clip", '"' + c.files[1] + '"');
    }
    c.note(plain ? "as it is" : "in quotes");
    c.expect(Live.flag(slot, "has_clip"), "in neither way");
  }], { after: clear });

  fact("a filled slot keeps its clip", [function (c) {
    var clip = c.clip();
    var id = String(clip.id);
    c.made.call("create_audio_clip", c.files[1]);
    c.expect(String(Live.child(c.made, "clip").id) === id, "another clip is in it");
  }], { after: clear, silent: false });

  fact("warp markers are added as dictionaries, read back and removed, the first one too", [function (c) {
    var clip = c.clip();
    clip.set("warping", 1);
    [[4, 0.5], [6, 1.5]].forEach(function (pair) { clip.call("add_warp_marker", { beat_time: pair[0], sample_time: pair[1] }); });
    var beats = function () { return Clips.markers(clip).map(function (marker) { return Number(marker.beat_time); }); };
    c.note("markers at " + beats().join(" "));
    c.expect(beats().indexOf(4) >= 0 && beats().indexOf(6) >= 0, "they are not there");
    clip.call("remove_warp_marker", 0);
    c.expect(beats().indexOf(0) < 0, "the one at 0 stays");
  }], { after: clear });

  fact("a clip that is warped begins, ends and loops at beats", [function (c) {
    var clip = c.clip();
    var plan = { pins: [[4, 0.5], [6, 1.5]], start: 4, end: 6, looping: true, length: 2, notes: [] };
    var notes = Clips.mark(clip, { plan: plan, name: "check", gain: 0 });
    c.expect(notes.length === 0, notes.join(", "));
    c.near(Live.number(clip, "loop_start"), 4, 1e-3, "loop_start");
    c.near(Live.number(clip, "loop_end"), 6, 1e-3, "loop_end");
    c.expect(Live.flag(clip, "looping"), "it does not loop");
  }], { after: clear });

  fact("a clip that is not warped begins and ends at seconds", [function (c) {
    var clip = c.clip();
    clip.set("warping", 0);
    clip.set("loop_end", 1.25);
    clip.set("loop_start", 0.25);
    c.near(Live.number(clip, "loop_start"), 0.25, 0.01, "loop_start");
    c.near(Live.number(clip, "loop_end"), 1.25, 0.01, "loop_end");
  }], { after: clear });

  fact("the gain of a clip is set by what it shows, to a tenth of a dB", [function (c) {
    var clip = c.clip();
    c.note("a new clip shows " + Live.text(clip, "gain_display_string"));
    c.expect(Fit.turn(clip, -6), "-6 dB was not found: it shows " + Live.text(clip, "gain_display_string"));
    c.expect(Fit.turn(clip, 3.5), "3.5 dB was not found: it shows " + Live.text(clip, "gain_display_string"));
  }], { after: clear });

  // The arrangement

  fact("a clip is copied from its slot to a beat of the arrangement, as long as it was marked", [function (c) {
    var clip = c.clip();
    clip.set("warping", 0);
    clip.set("loop_end", 1);
    c.track.call("duplicate_clip_to_arrangement", "id " + clip.id, 8);
    var copy = Clips.find(c.track, 8, c.files[0]);
    c.expect(copy, "it is not there");
    c.near(Live.number(copy, "end_time") - 8, Live.number(Live.song(), "tempo") / 60, 0.01, "its length");
  }], { after: clear });

  fact("in the arrangement a start marker sticks", [function (c) {
    c.track.call("create_audio_clip", c.files[0], 8);
    var clip = Clips.find(c.track, 8, c.files[0]);
    c.expect(clip, "no clip was made");
    var plan = { pins: [[4, 0.5], [6, 1.5]], start: 4, end: 6, looping: false, length: 2, notes: [] };
    var notes = Clips.mark(clip, { plan: plan, name: "check", gain: 0 });
    c.expect(notes.length === 0, notes.join(", "));
    c.near(Live.number(clip, "start_marker"), 4, 1e-3, "start_marker");
    c.near(Live.number(clip, "start_time"), 8, 1e-3, "start_time");
    c.near(Live.number(clip, "end_time"), 10, 0.01, "end_time");
  }], { after: clear });

  fact("a clip of the arrangement is deleted by its track", [function (c) {
    c.track.call("create_audio_clip", c.files[0], 8);
    var clip = Clips.find(c.track, 8, c.files[0]);
    c.track.call("delete_clip", "id " + clip.id);
    c.expect(Live.ids(c.track, "arrangement_clips").length === 0, "it is still there");
  }], { after: clear });

  fact("clips of the arrangement come in the order of time", [function (c) {
    [300, 100, 200].forEach(function (beat) { c.track.call("create_audio_clip", c.files[0], beat); });
    var starts = Live.ids(c.track, "arrangement_clips").map(function (id) { return Live.number(Live.byId(id), "start_time"); });
    c.note("at " + starts.join(" "));
    c.expect(starts.join(" ") === "100 200 300", "they come otherwise");
  }], { after: clear });

  fact("a take lane is made, and takes a clip", [function (c) {
    c.track.call("create_take_lane");
    var lanes = Live.ids(c.track, "take_lanes");
    c.expect(lanes.length > 0, "there is none");
    var lane = Live.byId(lanes[lanes.length - 1]);
    lane.call("create_audio_clip", c.files[0], 8);
    c.expect(Clips.find(lane, 8, c.files[0]), "no clip is on it");
  }], { from: [12, 2, 0] });

  fact("what one message changes is one step of undo, and a redo brings it back", [function (c) {
    Clips.mark(c.clip(), { plan: { pins: null, start: 0, end: 1, looping: false, length: 2, notes: [] }, name: "one step", gain: 0 });
  }, function (c) {
    Live.song().call("undo");
  }, function (c) {
    var left = Live.flag(c.made, "has_clip");
    c.note(left ? "the clip is left, named " + Live.text(Live.child(c.made, "clip"), "name") : "");
    c.expect(!left, "undo took back less than the whole");
    Live.song().call("redo");
  }, function (c) {
    c.expect(Live.flag(c.made, "has_clip") && Live.text(Live.child(c.made, "clip"), "name") === "one step", "redo did not bring it back");
  }], { after: clear });

  // Telling

  fact("an observer answers at once and when the set is changed", [function (c) {
    c.seen = 0;
    c.before = Live.number(Live.song(), "start_time");
    c.eye = Live.observe("start_time", function () { c.seen += 1; });
    c.expect(c.seen === 1, "it did not answer at once");
    Live.song().set("start_time", c.before + 4);
  }, function (c) {
    return c.seen > 1;
  }], { after: function (c) {
    c.eye.property = "";
    Live.song().set("start_time", c.before);
  } });

  fact("a port of this machine is taken, and a message to it comes back", [function (c) {
    c.port = 9240 + Math.floor(Math.random() * 50);
    c.outlet(1, ["port", c.port]);
    c.outlet(0, ["port", c.port]);
    c.outlet(0, ["maxpacketsize", 8192]);
  }, function (c) {
    c.outlet(0, ["/check/short", "word", 1, 0.5]);
    return c.heard["/check/short"] !== undefined;
  }, function (c) {
    c.expect(c.heard["/check/short"].join(" ") === "word 1 0.5", "it came as " + c.heard["/check/short"].join(" "));
  }]);

  fact("a message of seven thousand letters comes back whole", [function (c) {
    c.outlet(0, ["/check/long", new Array(7001).join("x")]);
    return c.heard["/check/long"] !== undefined;
  }, function (c) {
    c.near(String(c.heard["/check/long"][0]).length, 7000, 0, "its length");
  }]);

  fact("a box of the panel is hidden and shown by its scripting name", [function (c) {
    var box = c.named("Fold");
    c.expect(box, "it was not found by its name");
    box.hidden = 1;
    c.expect(Number(box.hidden) === 1, "it says that it is not hidden");
    box.hidden = 0;
  }]);

  // Sound

  fact("Live's beat is recorded beside the sound, and runs in quarter notes", [function (c) {
    c.capture = c.home.path + "/sources/check capture.wav";
    c.back = Live.number(Live.song(), "start_time");
    Live.song().set("start_time", 0);
    c.outlet(2, ["delay", 0]);
    c.outlet(2, ["recorder", "samptype", "int24"]);
    c.outlet(2, ["recorder", "open", c.capture, "wave"]);
  }, function (c) {
    c.outlet(2, ["recorder", 1]);
    c.begun = c.now();
  }, function (c) {
    Live.song().call("start_playing");
  }, function (c) {
    var song = Timeline.read();
    c.first = Math.max(c.first || -Infinity, song.playing ? song.beats - (c.now() - c.begun) / 1000 * song.tempo / 60 : -Infinity);
    return song.playing && song.beats > 4;
  }, function (c) {
    c.outlet(2, ["recorder", 0]);
    Live.song().call("stop_playing");
  }, function (c) {
    c.wave = new Wave(c.capture, c.devicePath);
    return c.wave.frames > 0;
  }, function (c) {
    var each = c.wave.rate * 60 / Live.number(Live.song(), "tempo");
    var guess = (2 - c.first) * each;
    var found = c.wave.frameOf(2, guess, each);
    c.expect(!isNaN(found), "the beat does not run in the file");
    var next = c.wave.frameOf(3, found + each, each);
    c.near(next - found, each, 1, "a beat in samples");
    c.note("at " + c.wave.rate + " Hz; by the clock of the main thread it would have begun " + Math.round(guess - found) + " samples off");
  }], { after: function (c) {
    Live.song().call("stop_playing");
    Live.song().set("start_time", c.back);
  } });

  fact("a time stamp is written behind a recording", [function (c) {
    c.expect(c.wave && c.wave.frames > 0, "there is no recording");
    c.expect(c.wave.stamp(0, new Date()), "it was not read back");
  }]);

  /** Why a fact is not tried in a version of Live, or "". */
  all.skips = function (one, version) {
    return one.from && !Live.atLeast(version, one.from) ? "Live " + one.from.join(".") + " and newer have it" : "";
  };
  return all;
}());
