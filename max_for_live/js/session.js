/** The session: a take goes into the next free slot of its track, and never over a clip. */
var Session = (function () {
  /** The first free slot at or behind a number; a new scene is made where there is none. */
  function slot(track, from) {
    var ids = Live.ids(track, "clip_slots");
    for (var i = Math.max(0, from); i < ids.length; i += 1) {
      var found = Live.byId(ids[i]);
      if (!Live.flag(found, "has_clip")) {
        return found;
      }
    }
    Live.song().call("create_scene", -1);
    var more = Live.ids(track, "clip_slots");
    return more.length > ids.length ? Live.byId(more[more.length - 1]) : null;
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
    return { ok: true, notes: notes };
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

  return { slot: slot, place: place, highlighted: highlighted };
}());
