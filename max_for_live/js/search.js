/**
 * A search for the clips of a file in the whole set, a bounded part in each turn: a hundred tracks of two hundred slots would
 * hold Live up for seconds.
 */
function Search(file, wanted, lanes) {
  this.file = file;
  this.wanted = wanted; // it ends when so many are found
  this.lanes = lanes;
  this.found = 0;
  this.spent = 0; // gets in this turn
  this.tracks = Tracks.ids().reverse();
  this.slots = [];
  this.parents = [];
  this.clips = [];
  this.eye = Live.byId(0);
  this.clip = Live.byId(0);
}

Search.MOST = 150; // gets a turn

/** Go on; true at its end. */
Search.prototype.step = function () {
  this.spent = 0;
  while (this.spent < Search.MOST && this.found < this.wanted) {
    if (this.clips.length) {
      this.look(this.clips.pop());
    } else if (this.slots.length) {
      this.slot(this.slots.pop());
    } else if (this.parents.length) {
      this.eye.id = this.parents.pop();
      this.clips = this.ids("arrangement_clips");
    } else if (this.tracks.length) {
      this.track(this.tracks.pop());
    } else {
      return true;
    }
  }
  return this.found >= this.wanted;
};

Search.prototype.ids = function (property) {
  this.spent += 1;
  return Live.exists(this.eye) ? Live.ids(this.eye, property) : [];
};

Search.prototype.track = function (id) {
  this.eye.id = id;
  this.spent += 1;
  if (Live.exists(this.eye) && Live.flag(this.eye, "has_audio_input")) {
    this.slots = this.ids("clip_slots");
    this.parents = (this.lanes ? this.ids("take_lanes") : []).concat([id]);
  }
};

Search.prototype.slot = function (id) {
  this.eye.id = id;
  this.spent += 1;
  if (Live.exists(this.eye) && Live.flag(this.eye, "has_clip")) {
    this.clips = this.ids("clip");
  }
};

Search.prototype.look = function (id) {
  this.clip.id = id;
  this.spent += 1;
  this.found += Clips.isOf(this.clip, this.file) ? 1 : 0;
};
