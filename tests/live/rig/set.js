"use strict";
// A Live Set: tracks, slots, scenes, take lanes, and a time line that runs with the rig's clock.
const { Clip, wav } = require("./clip");

const FARTHEST = 1576800; // beats (facts: 1.1)

class Slot {
  constructor(track) {
    this.track = track;
    this.clip = null;
    this.fired = 0;
  }
}

class Lane {
  constructor(track) {
    this.track = track;
    this.clips = [];
  }
}

class Track {
  constructor(set, { name, audio = true, frozen = false, group = false, recording = false }) {
    Object.assign(this, { set, name, audio, frozen, group, recording });
    this.slots = set.scenes.map(() => new Slot(this));
    this.clips = [];
    this.lanes = [];
    this.devices = [];
  }
}

class Scene {}

class LiveSet {
  constructor(given, clock) {
    this.clock = clock;
    this.version = given.version || [12, 2, 0];
    this.tempo = given.tempo || 120;
    this.signature = given.signature || [4, 4];
    this.laterSignatures = given.later_signatures || []; // [beat, numerator, denominator]: time signatures further on in the arrangement
    this.filePath = given.file || "";
    this.warpsNew = given.warps_new === undefined ? Math.random() < 0.5 : given.warps_new;
    this.loopsNew = given.loops_new || false;
    this.guessedTempo = given.guessed_tempo || 97.3;
    this.mostScenes = given.most_scenes || Infinity;
    this.refusesGain = given.refuses_gain || false;
    this.refusesMarkers = given.refuses_markers || false;
    this.refusesCopies = given.refuses_copies || 0; // from this copy into the arrangement on; 0: none
    this.copies = 0;
    this.keepsSameStart = given.keeps_same_start || false; // facts 1.1: at the beat of a clip some have seen nothing happen
    this.refusesSpaces = given.refuses_spaces || false; // neither as it is nor in quotes
    this.splitsSpaces = given.splits_spaces || false; // facts 1.1: whether a path with spaces survives is open
    this.loop = given.loop || [0, 16];
    this.loops = given.loops || false; // whether the loop is switched on
    this.scale = given.scale || [0, "Major", false]; // root, name, whether it is switched on
    this.position = given.position || 0;
    this.startTime = given.start_time === undefined ? this.position : given.start_time; // the insert marker
    this.playingSince = null;
    this.past = []; // [ms, beats, beats a ms]: what the time line did from then on
    this.scenes = Array.from({ length: given.scenes || 4 }, () => new Scene());
    this.tracks = (given.tracks || [{ name: "Guitar" }]).map((track) => new Track(this, track));
    this.master = new Track(this, { name: "Main", audio: false });
    this.selected = { scene: given.selected_scene || 0, slot: null, detail: null };
    this.changes = 0;
    this.keepsUndo = given.undo || false;
    this.done = [];
    this.undone = [];
  }

  get playing() {
    return this.playingSince !== null;
  }

  // Reference: the beat of the last event of the arrangement.
  get lastEvent() {
    return Math.max(0, ...this.tracks.flatMap((track) => [track, ...track.lanes]).flatMap((one) => one.clips).map((c) => c.startTime + c.length));
  }

  get songTime() {
    return this.playing ? this.around(this.position + (((this.clock() - this.playingSince) / 1000) * this.tempo) / 60) : this.position;
  }

  // A loop that is switched on is played around and around, once its end is reached from inside.
  around(beats) {
    const [start, length] = this.loop;
    return this.loops && this.position < start + length && beats >= start + length ? start + ((beats - start) % length) : beats;
  }

  // The beat that was heard at a time, and whether it played then.
  heardAt(ms) {
    let i = this.past.length - 1;
    while (i >= 0 && this.past[i][0] > ms) { i -= 1; }
    const [at, beats, speed] = i < 0 ? [ms, this.position, 0] : this.past[i];
    return { beats: this.around(beats + (ms - at) * speed), playing: speed > 0 };
  }

  turned() {
    this.past.push([this.clock(), this.position, this.playing ? this.tempo / 60000 : 0]);
  }

  // The time signature at a beat, and the beat from which it counts.
  signatureAt(beats) {
    const later = this.laterSignatures.filter(([from]) => from <= beats).pop();
    return later || [0, ...this.signature];
  }

  // Reference of Song.get_current_beats_song_time: bars.beats.sixteenths.ticks. The beats are those of the time signature.
  beatsSongTime(time) {
    const all = [[0, ...this.signature], ...this.laterSignatures].filter(([from]) => from <= time);
    const bars = all.slice(1).reduce((sum, [from], i) => sum + (from - all[i][0]) / ((all[i][1] * 4) / all[i][2]), 1);
    const [from, numerator, denominator] = all[all.length - 1];
    const beat = 4 / denominator;
    const inside = (time - from) % (numerator * beat);
    const parts = [bars + Math.floor((time - from) / (numerator * beat)), Math.floor(inside / beat) + 1,
      Math.floor((inside % beat) / 0.25) + 1, Math.floor((inside % 0.25) * 240)];
    return parts.map((part, i) => String(part).padStart([3, 2, 2, 3][i], "0")).join(".");
  }

  setTempo(tempo) {
    this.position = this.songTime;
    this.playingSince = this.playing ? this.clock() : null;
    this.tempo = tempo;
    this.turned();
  }

  play(position) {
    // play starts at Song.start_time, wherever it was stopped
    this.startTime = position === undefined ? this.startTime : position;
    this.position = this.startTime;
    this.playingSince = this.clock();
    this.turned();
  }

  stop() {
    this.position = this.songTime;
    this.playingSince = null;
    this.turned();
  }

  // Undo: what one turn of a script changes is one step (facts: 1.4). Kept where a test wants it: big sets would be copied each time.
  beginStep() {
    this.step = null;
  }

  mayChange(what) {
    if (this.keepsUndo && this.step === null && !/^(undo|redo)/.test(what)) {
      this.step = this.snapshot();
    }
  }

  endStep(changed) {
    if (this.step !== null && changed) {
      this.done.push({ before: this.step, after: this.snapshot() });
      this.undone = [];
    }
    this.step = null;
  }

  snapshot() {
    const clips = new Map();
    const kept = (clip) => clip && (clips.set(clip, Object.assign({}, clip, { markers: clip.markers.map((m) => ({ ...m })) })), clip);
    return { clips, scenes: this.scenes.slice(), tracks: this.tracks.map((track) => ({ track, name: track.name, slots: track.slots.slice(),
      inside: track.slots.map((slot) => kept(slot.clip)), clips: track.clips.map(kept),
      lanes: track.lanes.map((lane) => ({ lane, clips: lane.clips.map(kept) })) })) };
  }

  restore({ clips, scenes, tracks }) {
    this.scenes = scenes.slice();
    this.tracks = tracks.map((one) => {
      Object.assign(one.track, { name: one.name, slots: one.slots.slice(), clips: one.clips.slice(), lanes: one.lanes.map(({ lane }) => lane) });
      one.slots.forEach((slot, i) => { slot.clip = one.inside[i]; });
      one.lanes.forEach((kept) => { kept.lane.clips = kept.clips.slice(); });
      return one.track;
    });
    clips.forEach((values, clip) => Object.assign(clip, values, { markers: values.markers.map((m) => ({ ...m })), gone: false }));
  }

  undo() {
    const step = this.done.pop();
    this.undone.push(step);
    this.restore(step.before);
  }

  redo() {
    const step = this.undone.pop();
    this.done.push(step);
    this.restore(step.after);
  }

  changed() {
    this.changes += 1;
  }

  atLeast(...want) {
    for (let i = 0; i < 3; i += 1) {
      if (this.version[i] !== want[i]) {
        return this.version[i] > want[i];
      }
    }
    return true;
  }

  get makesClips() {
    return this.version[0] <= 11 ? this.atLeast(11, 3, 25) : this.atLeast(12, 0, 5);
  }

  sound(track, path) {
    if (!track.audio || track.group) {
      throw new Error("Audio clips can only be created on audio tracks");
    }
    if (track.frozen) {
      throw new Error("Clips cannot be created on frozen tracks");
    }
    if (!/^(\/|[A-Za-z]:\/)/.test(path)) {
      throw new Error("Please provide an absolute path");
    }
    const found = wav.about(path);
    if (!found) {
      throw new Error("The path does not point to a valid audio file");
    }
    return found;
  }

  intoSlot(slot, path) {
    if (slot.clip) {
      throw new Error("The slot is not empty");
    }
    slot.clip = new Clip(this, path, this.sound(slot.track, path), null);
    this.changed();
    return slot.clip;
  }

  intoArrangement(parent, path, beats) {
    const track = parent instanceof Lane ? parent.track : parent;
    if (typeof beats !== "number" || beats < 0 || beats > FARTHEST) {
      throw new Error("The position is out of range");
    }
    if (track.recording) {
      throw new Error("The track is being recorded into");
    }
    return this.put(parent, new Clip(this, path, this.sound(track, path), beats));
  }

  // What lies under a new clip is lost, "but only across the span the new clip covers" (facts: 1.1): the head of an older one
  // survives, and of one that begins under it and ends behind it the tail.
  put(parent, clip) {
    const start = clip.startTime;
    const end = start + clip.length;
    parent.clips = parent.clips.filter((old) => {
      const apart = old.startTime + old.length <= start + 1e-9 || old.startTime >= end - 1e-9;
      if (!apart && old.startTime < start) {
        this.overwritten = (this.overwritten || 0) + 1;
        old.end = old.start + ((start - old.startTime) * (old.warping ? 1 : 60 / this.tempo));
        return true;
      }
      if (!apart && old.startTime + old.length > end + 1e-9) {
        this.overwritten = (this.overwritten || 0) + 1;
        old.start += (end - old.startTime) * (old.warping ? 1 : 60 / this.tempo);
        old.startTime = end;
        return true;
      }
      if (!apart) {
        this.overwritten = (this.overwritten || 0) + 1;
        old.gone = true;
      }
      return apart;
    });
    parent.clips.push(clip);
    parent.clips.sort((a, b) => a.startTime - b.startTime); // by time, not by age
    this.changed();
    return clip;
  }

  // Track.delete_clip: of its slots, its arrangement and its take lanes.
  removeClip(track, clip) {
    const parents = [track, ...track.lanes].filter((parent) => parent.clips.includes(clip));
    if (parents.length !== 1) {
      throw new Error("The clip is not on this track");
    }
    parents[0].clips.splice(parents[0].clips.indexOf(clip), 1);
    clip.gone = true;
    this.changed();
  }

  addScene(index) {
    if (this.scenes.length >= this.mostScenes) {
      throw new Error("The number of scenes is limited in this edition");
    }
    const at = index === -1 ? this.scenes.length : index;
    this.scenes.splice(at, 0, new Scene());
    this.tracks.forEach((track) => track.slots.splice(at, 0, new Slot(track)));
    this.changed();
  }

  removeScene(index) {
    this.scenes.splice(index, 1);
    this.tracks.forEach((track) => track.slots.splice(index, 1));
    this.changed();
  }

  addTrack(index) {
    const at = index === -1 ? this.tracks.length : index;
    this.tracks.splice(at, 0, new Track(this, { name: `${at + 1}-Audio` }));
    this.changed();
  }

  about() {
    return {
      overwritten: this.overwritten || 0, scenes: this.scenes.length, song_time: this.songTime,
      tracks: this.tracks.map((track) => ({
        name: track.name, clips: track.clips.map((c) => c.about()),
        slots: track.slots.map((s) => (s.clip ? Object.assign(s.clip.about(), { fired: s.fired }) : null)),
        lanes: track.lanes.map((lane) => lane.clips.map((c) => c.about()))
      }))
    };
  }
}

module.exports = { LiveSet, Track, Slot, Lane, Scene, Clip };
