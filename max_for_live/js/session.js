/** The session: a take goes into the next free slot of its track, and never over a clip. */
var Session = (function () {
  var MOST = 250; // slots that are looked at: Live stands still meanwhile

  function empty(slot) {
    return !Live.flag(slot, "has_clip");
  }

  /** The first free slot at or behind a number; a new scene is made where there is none near. */
  function slot(track, from) {
    var ids = Live.ids(track, "clip_slots");
    return Live.first(ids.slice(Math.max(0, from)).slice(0, MOST), empty) || fresh(track, ids.length);
  }

  /** Any free slot, for a moment: the last ones are free most often. */
  function anySlot(track) {
    var ids = Live.ids(track, "clip_slots");
    return Live.first(ids.slice(-MOST).reverse(), empty) || fresh(track, ids.length);
  }

  function fresh(track, before) {
    Live.song().call("create_scene", -1);
    var more = Live.ids(track, "clip_slots");
    return more.length > before ? Live.byId(more[more.length - 1]) : null;
  }

  function place(order, track) {
    var free = slot(track, order.slot);
    if (!free) {
      return { ok: false, why: "no free slot, and Live made no new scene" };
    }
    var clip = Clips.inSlot(free, order.file);
    if (!clip) {
      return { ok: false, why: "Live made no clip of the file in the slot" };
    }
    var notes = Clips.mark(clip, order);
    if (!Clips.isOf(clip, order.file)) {
      return { ok: false, why: "the clip was gone when it was read back" };
    }
    if (order.launch) {
      free.call("fire");
    }
    return { ok: true, clip: clip, notes: notes };
  }

  /** The number of the highlighted slot, else of the selected scene. */
  function highlighted() {
    var view = Live.at("live_set view");
    var found = Live.child(view, "highlighted_clip_slot");
    var number = found ? /clip_slots (\d+)$/.exec(Live.path(found)) : null;
    if (!number) {
      found = Live.child(view, "selected_scene");
      number = found ? /scenes (\d+)$/.exec(Live.path(found)) : null;
    }
    return number ? Number(number[1]) : 0;
  }

  return { slot: slot, anySlot: anySlot, place: place, highlighted: highlighted };
}());
