/** Sources: which seconds of which file a transform starts from, and where it stands in the set. */
var Sources = (function () {
  var MOST = 250; // clips of a loop that are looked at

  /** Beats of a warped clip as seconds of its file, from one marker to the next; the ends go on at their last speed. */
  function secondsAt(markers, beat) {
    var sorted = markers.slice().sort(function (a, b) { return a.beat_time - b.beat_time; });
    var i = 1;
    while (i < sorted.length - 1 && Number(sorted[i].beat_time) < beat) {
      i += 1;
    }
    var from = sorted[i - 1];
    var to = sorted[i];
    var speed = (to.sample_time - from.sample_time) / (to.beat_time - from.beat_time);
    return Number(from.sample_time) + (beat - from.beat_time) * speed;
  }

  /** A part of a clip, in its own unit (beats where it is warped, else seconds), as a region of its file. */
  function region(clip, from, to, tempo) {
    var warped = Live.flag(clip, "warping");
    var start = from;
    var end = to;
    if (warped) {
      var markers = Clips.markers(clip);
      if (markers.length < 2) {
        return { error: "The warp markers of the clip could not be read" };
      }
      start = secondsAt(markers, from);
      end = secondsAt(markers, to);
    }
    var rate = Live.number(clip, "sample_rate");
    var samples = Live.number(clip, "sample_length");
    var whole = rate > 0 && samples > 0 ? samples / rate : Infinity;
    start = Math.max(0, Math.min(start, whole));
    end = Math.max(0, Math.min(end, whole));
    if (!(end - start > 0.01)) {
      return { error: "Nothing of the file plays there" };
    }
    return {
      file: Files.native(Live.text(clip, "file_path")), start: start, end: end,
      length: warped ? Timeline.seconds(to - from, tempo) : end - start
    };
  }

  function trackOf(clip) {
    var found = /^live_set tracks (\d+)/.exec(Live.path(clip));
    return found ? Tracks.at(Number(found[1])) : null;
  }

  /** What plays of the clip in the detail view: its loop, or from its start to its end. */
  function clip(song) {
    var found = Live.child(Live.at("live_set view"), "detail_clip");
    if (!found || !Live.exists(found)) {
      return { error: "No clip is selected: click one, so that it shows in the clip view" };
    }
    if (!Live.flag(found, "is_audio_clip")) {
      return { error: "The selected clip is a MIDI clip. Freeze and flatten it or capture it" };
    }
    var source = region(found, Live.number(found, "loop_start"), Live.number(found, "loop_end"), song.tempo);
    var slot = /clip_slots (\d+)/.exec(Live.path(found));
    source.session = !Live.flag(found, "is_arrangement_clip");
    source.slot = slot ? Number(slot[1]) : 0;
    source.beats = source.session ? NaN : Live.number(found, "start_time");
    source.track = trackOf(found);
    return source;
  }

  /** What lies in the loop of the arrangement on a track: of the clip that fills most of it. */
  function loop(song, track) {
    var from = song.loopStart;
    var to = song.loopStart + song.loopLength;
    var best = null;
    if (!track || !Tracks.able(track)) {
      return { error: "This track has no audio clips: choose Clip instead of Loop" };
    }
    Live.each(Clips.near(track, from, to).slice(0, MOST), function (candidate) {
      var start = Math.max(from, Live.number(candidate, "start_time"));
      var end = Math.min(to, Live.number(candidate, "end_time"));
      if (end - start > (best ? best.end - best.start : Clips.NEAR)) {
        best = { id: Number(candidate.id), start: start, end: end };
      }
    });
    if (!best) {
      return { error: "No clip of this track lies in the loop of the arrangement" };
    }
    best.clip = Live.byId(best.id);
    var source = ofClip(best, song);
    source.session = false;
    source.slot = 0;
    source.beats = best.start;
    source.track = track;
    return source;
  }

  /** From beats of the arrangement to the clip's own unit; a loop inside of the clip is followed once around. */
  function ofClip(part, song) {
    var own = Live.flag(part.clip, "warping") ? 1 : 60 / song.tempo;
    var first = Live.number(part.clip, "loop_start");
    var offset = (part.start - Live.number(part.clip, "start_time")) * own;
    var length = (part.end - part.start) * own;
    if (Live.flag(part.clip, "looping")) {
      var round = Live.number(part.clip, "loop_end") - first;
      offset += Live.number(part.clip, "start_marker") - first;
      offset = ((offset % round) + round) % round;
      length = Math.min(length, round - offset);
    }
    return region(part.clip, first + offset, first + offset + length, song.tempo);
  }

  return { clip: clip, loop: loop, secondsAt: secondsAt };
}());
