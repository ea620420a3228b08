/**
 * The arrangement: a take stands at its beat, as long as was asked. A clip made there directly is as long as its file and
 * takes the place of what lies under it; so it is made in a free slot, cut to length, and copied from there.
 */
var Arrangement = (function () {
  /** Copy a clip of a slot to a beat; null where no new one is found there. */
  function copy(order, track, clip, beats, old) {
    track.call("duplicate_clip_to_arrangement", "id " + clip.id, beats);
    return Clips.find(track, beats, order.file, old);
  }

  /**
   * Copy a clip into the place of an old one, which goes only when the new one was read back. Where Live keeps a clip that begins
   * at the same beat, the new one is first made behind everything, as a proof that Live copies it.
   */
  function instead(order, track, clip, old) {
    var number = Number(old.id);
    var end = Live.number(old, "end_time");
    var made = copy(order, track, clip, order.beats, number);
    if (!made) {
      var far = Math.ceil(Live.number(Live.song(), "last_event_time") / order.bar + 1) * order.bar;
      var proof = copy(order, track, clip, far, number);
      if (!proof) {
        return { ok: false, why: "Live put no clip at the beat" };
      }
      track.call("delete_clip", "id " + number);
      made = copy(order, track, clip, order.beats, number);
      if (!made) {
        return { ok: false, why: "Live put no clip at the beat: it stands at beat " + Text.decimal(far, 2) + " now" };
      }
      track.call("delete_clip", "id " + proof.id);
    }
    Live.each(Clips.near(track, order.beats, end), function (eye) { // what is left of an old one that was longer
      var start = Live.number(eye, "start_time");
      var inside = start >= order.beats - Clips.NEAR && start < end - Clips.NEAR;
      if (inside && Number(eye.id) !== Number(made.id) && Clips.isOf(eye, order.file)) {
        track.call("delete_clip", "id " + eye.id);
      }
    });
    return { ok: true, clip: made };
  }

  /** Copy from a slot; the slot is left as it was. `old` is a clip in whose place it comes. */
  function bySlot(order, track, old) {
    var song = Live.song();
    var scenes = Live.ids(song, "scenes").length;
    var slot = Session.anySlot(track);
    if (!slot && old) {
      return { ok: false, why: "no free slot to make the clip in" };
    }
    if (!slot) { // all are filled, and Live Lite takes no more scenes
      var room = Clips.free(track, order.beats, order.beats + Math.max(order.length, order.fileLength));
      return room ? direct(order, track) : { ok: false, why: "no free slot to make the clip in" };
    }
    var clip = Clips.inSlot(slot, order.file);
    var result = { ok: false, why: "Live made no clip of the file" };
    if (clip) {
      var notes = Clips.mark(clip, order);
      var made = old ? null : copy(order, track, clip, order.beats);
      result = old ? instead(order, track, clip, old) : { ok: made !== null, clip: made, why: "Live put no clip at the beat" };
      result.notes = notes;
    }
    if (Live.flag(slot, "has_clip")) {
      slot.call("delete_clip");
    }
    if (Live.ids(song, "scenes").length > scenes) {
      song.call("delete_scene", scenes);
    }
    return result;
  }

  /** Make the clip where it belongs: on a take lane, or where the whole file has room. */
  function direct(order, parent) {
    var clip = Clips.inArrangement(parent, order.file, order.beats);
    if (!clip) {
      return { ok: false, why: "Live put no clip at the beat" };
    }
    return { ok: true, clip: clip, notes: Clips.mark(clip, order) };
  }

  function lane(order, track) {
    var end = order.beats + Math.max(order.length, order.fileLength);
    var lanes = Live.ids(track, "take_lanes");
    var there = Live.first(lanes, function (each) { return Clips.free(each, order.beats, end); });
    if (there) {
      return there;
    }
    track.call("create_take_lane");
    var more = Live.ids(track, "take_lanes");
    return more.length > lanes.length ? Live.byId(more[more.length - 1]) : null;
  }

  /** Another track of the same name with " takes" behind it, which has room; it is made where there is none. */
  function beside(order, track) {
    var name = Live.text(track, "name");
    var base = name.slice(-Tracks.TAKES.length) === Tracks.TAKES ? name.slice(0, -Tracks.TAKES.length) : name;
    var others = Tracks.madeFor(base).filter(function (other) {
      return String(other.id) !== String(track.id) && Clips.free(other, order.beats, order.beats + order.length);
    });
    if (others.length) {
      return bySlot(order, others[0]);
    }
    var fresh = Tracks.make(track);
    if (!fresh) {
      return { ok: false, why: "Live made no audio track" };
    }
    var result = bySlot(order, fresh);
    if (result.ok) {
      fresh.set("name", base + Tracks.TAKES);
    } else {
      Tracks.remove(fresh);
    }
    return result;
  }

  function checked(order, result) {
    if (result.ok) {
      var length = Live.number(result.clip, "end_time") - Live.number(result.clip, "start_time");
      if (Math.abs(length - order.length) > 0.01) {
        result.notes.push("the clip is " + Text.decimal(length, 2) + " beats long and not " + Text.decimal(order.length, 2));
      }
    }
    return result;
  }

  function place(order, track) {
    if (Clips.free(track, order.beats, order.beats + order.length)) {
      return checked(order, bySlot(order, track));
    }
    if (order.lanes) {
      var found = lane(order, track);
      var result = found ? direct(order, found) : { ok: false };
      if (result.ok) {
        return checked(order, result);
      }
    }
    return checked(order, beside(order, track));
  }

  /** Lay a clip anew, where it stands. */
  function again(order, clip) {
    var found = /^live_set tracks (\d+) arrangement_clips/.exec(Live.path(clip));
    if (!found) { // on a take lane nothing can be copied
      return { ok: true, clip: clip, notes: Clips.mark(clip, order) };
    }
    var track = Tracks.at(Number(found[1]));
    var end = Live.number(clip, "end_time");
    if (order.beats + order.length > end + Clips.NEAR && !Clips.free(track, end, order.beats + order.length)) {
      return { ok: false, why: "a clip stands behind it" };
    }
    return checked(order, bySlot(order, track, clip));
  }

  return { place: place, again: again };
}());
