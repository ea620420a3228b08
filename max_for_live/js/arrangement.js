/**
 * The arrangement: a take stands at its beat, as long as was asked. A clip made there directly is as long as its file and
 * takes the place of what lies under it; so it is made in a free slot, cut to length, and copied from there.
 */
var Arrangement = (function () {
  /** Copy from a slot; the slot is left as it was. `old` is a clip in whose place it comes, once the new one is made. */
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
      if (old) {
        track.call("delete_clip", "id " + old.id);
      }
      track.call("duplicate_clip_to_arrangement", "id " + clip.id, order.beats);
      var copy = Clips.find(track, order.beats, order.file);
      result = copy ? { ok: true, clip: copy, notes: notes } : { ok: false, why: "Live put no clip at the beat" };
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
    return checked(order, bySlot(order, Tracks.at(Number(found[1])), clip));
  }

  return { place: place, again: again };
}());
