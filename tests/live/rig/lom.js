"use strict";
// The Live Object Model as LiveAPI shows it to [js]: paths, ids that live as long as the set is open, properties and functions.
// What is not there is an error line on the console and no exception (facts: 0.3, 2.1).
const { LiveSet, Track, Slot, Lane, Scene, Clip } = require("./set");

class Application {}
class View {}
class ThisDevice {
  constructor(track) {
    this.track = track;
  }
}

const yes = (value) => (value ? 1 : 0);
const is12_2 = (set) => set.atLeast(12, 2, 0);

class Lom {
  constructor(set, console_) {
    this.set = set;
    this.console = console_;
    this.application = new Application();
    this.view = new View();
    this.told = () => {}; // (property): whoever observes it hears of it, a little later
    this.ids = new Map();
    this.objects = new Map();
    this.nextId = 1 + Math.floor(Math.random() * 50);
  }

  // A set that is opened again has other ids.
  renumber() {
    this.ids.clear();
    this.objects.clear();
    this.nextId += 1000;
  }

  id(object) {
    if (!object || object.gone) {
      return 0;
    }
    if (!this.ids.has(object)) {
      this.ids.set(object, this.nextId);
      this.objects.set(this.nextId, object);
      this.nextId += 1;
    }
    return this.ids.get(object);
  }

  byId(id) {
    const object = this.objects.get(Number(id));
    return object && this.path(object) !== "" ? object : null;
  }

  type(object) {
    return object === this.set ? "Song" : object === this.view ? "Song.View" : object.constructor.name
      .replace("Slot", "ClipSlot").replace("Lane", "TakeLane").replace("ThisDevice", "MaxDevice");
  }

  children(object, name) {
    const set = this.set;
    if (object === set) {
      return { tracks: set.tracks, scenes: set.scenes, view: this.view, master_track: set.master }[name];
    }
    if (object === this.view) {
      return { detail_clip: set.selected.detail, highlighted_clip_slot: set.selected.slot,
        selected_track: set.selected.track || set.tracks[0], selected_scene: set.scenes[set.selected.scene] || null }[name];
    }
    if (object instanceof Track) {
      const lanes = is12_2(set) ? object.lanes : undefined;
      return { clip_slots: object.slots, arrangement_clips: object.clips, take_lanes: lanes, canonical_parent: set }[name];
    }
    if (object instanceof Lane) {
      return { arrangement_clips: object.clips, canonical_parent: object.track }[name];
    }
    if (object instanceof Slot) {
      return { clip: object.clip, canonical_parent: object.track }[name];
    }
    if (object instanceof ThisDevice) {
      return { canonical_parent: object.track }[name];
    }
    return undefined;
  }

  resolve(path, device) {
    const [root, ...rest] = path.split(" ");
    let object = { live_set: this.set, live_app: this.application, this_device: device }[root];
    for (let i = 0; i < rest.length && object; i += 1) {
      const found = this.children(object, rest[i]);
      if (Array.isArray(found)) {
        i += 1;
        object = found[Number(rest[i])];
      } else {
        object = found;
      }
    }
    return object || null;
  }

  path(object) {
    const set = this.set;
    if (object === set) { return "live_set"; }
    if (object === this.view) { return "live_set view"; }
    if (object === this.application) { return "live_app"; }
    if (object === set.master) { return "live_set master_track"; }
    if (object instanceof ThisDevice) { return `${this.path(object.track)} devices 0`; }
    if (object instanceof Scene) {
      const at = set.scenes.indexOf(object);
      return at < 0 ? "" : `live_set scenes ${at}`;
    }
    if (object instanceof Slot) { // at once: sets of 100 x 200 slots are played
      const [t, s] = [set.tracks.indexOf(object.track), object.track.slots.indexOf(object)];
      return t < 0 || s < 0 ? "" : `live_set tracks ${t} clip_slots ${s}`;
    }
    for (const [t, track] of set.tracks.entries()) {
      const here = `live_set tracks ${t}`;
      if (object === track) { return here; }
      const inside = this.below(track, here, object);
      if (inside) { return inside; }
    }
    return "";
  }

  below(track, here, object) {
    const slot = track.slots.findIndex((s) => s === object || s.clip === object);
    if (slot >= 0 && object) {
      return `${here} clip_slots ${slot}${track.slots[slot] === object ? "" : " clip"}`;
    }
    if (track.clips.includes(object)) { return `${here} arrangement_clips ${track.clips.indexOf(object)}`; }
    for (const [l, lane] of track.lanes.entries()) {
      if (lane === object) { return `${here} take_lanes ${l}`; }
      if (lane.clips.includes(object)) { return `${here} take_lanes ${l} arrangement_clips ${lane.clips.indexOf(object)}`; }
    }
    return "";
  }

  // Song.xml of the Live API names a listener for each of these.
  observable(object, name) {
    return object === this.set && /^(is_playing|tempo|signature_numerator|signature_denominator|start_time|current_song_time)$/.test(name);
  }

  // Properties: what LiveAPI.get answers, always as an array.
  get(object, name) {
    const found = this.children(object, name);
    if (found !== undefined) {
      if (found === null) { return ["id", 0]; }
      return Array.isArray(found) ? found.flatMap((child) => ["id", this.id(child)]) : ["id", this.id(found)];
    }
    const value = this.value(object, name);
    return value === undefined ? null : [value];
  }

  // The main thread sees the time of its last turn, not that of the sound: it lags by up to so much, ms.
  shownTime() {
    const { set } = this;
    const lag = set.playing ? Math.min(set.clock() % 60, set.clock() - set.playingSince) : 0;
    return set.songTime - ((lag / 1000) * set.tempo) / 60;
  }

  value(object, name) {
    const set = this.set;
    if (object === set) {
      return { tempo: set.tempo, signature_numerator: set.signatureAt(this.shownTime())[1], signature_denominator: set.signatureAt(this.shownTime())[2],
        is_playing: yes(set.playing), current_song_time: this.shownTime(), start_time: set.startTime, loop_start: set.loop[0], loop_length: set.loop[1], loop: yes(set.loops), last_event_time: set.lastEvent,
        root_note: set.scale[0], scale_name: set.scale[1], scale_mode: set.atLeast(12, 0, 5) ? yes(set.scale[2]) : undefined,
        file_path: set.atLeast(11, 3, 25) ? set.filePath : undefined }[name];
    }
    if (object instanceof Track) {
      return { name: object.name, has_audio_input: yes(object.audio && !object.group), is_frozen: yes(object.frozen),
        is_foldable: yes(object.group) }[name];
    }
    if (object instanceof Slot) {
      return { has_clip: yes(object.clip) }[name];
    }
    if (object instanceof Clip) {
      return this.ofClip(object, name);
    }
    return undefined;
  }

  ofClip(clip, name) {
    const arranged = clip.startTime !== null;
    return { name: clip.name, file_path: clip.file, color: clip.color, warping: clip.warping, looping: clip.looping,
      loop_start: clip.start, loop_end: clip.end, start_marker: clip.startMarker, end_marker: clip.endMarker,
      is_audio_clip: 1, is_arrangement_clip: yes(arranged), sample_rate: clip.rate, sample_length: clip.frames,
      warp_mode: clip.warpMode, gain: clip.gain, gain_display_string: clip.shownGain, warp_markers: JSON.stringify({ warp_markers: clip.markers }),
      start_time: arranged ? clip.startTime : 0, end_time: arranged ? clip.startTime + clip.length : clip.end }[name];
  }

  set_(object, name, value) {
    if (object === this.set && name === "start_time") { // get, set, observe
      object.startTime = value;
      this.told("start_time");
      return;
    }
    if (object instanceof Track && name === "name") {
      object.name = String(value);
    } else if (object instanceof Clip) {
      this.setOfClip(object, name, value);
    } else {
      throw new Error(`set: no such property ${name}`);
    }
    this.set.changed();
  }

  setOfClip(clip, name, value) {
    const whole = { warping: 1, looping: 1, color: 1, warp_mode: 1 };
    if (whole[name] && !Number.isInteger(value)) {
      throw new Error("set: invalid value");
    }
    if (name === "looping" && value && !clip.warping) {
      throw new Error("Unwarped audio cannot be looped");
    }
    if (name === "name") { clip.name = String(value); }
    else if (name === "color") { clip.setColor(value); }
    else if (name === "warping") { clip.setWarping(value); }
    else if (name === "looping") { clip.looping = value; }
    else if (name === "warp_mode") { clip.warpMode = value; }
    else if (name === "gain") {
      if (typeof value !== "number" || value < 0 || value > 1 || this.set.refusesGain) { throw new Error("set: invalid value"); }
      clip.gain = value;
    }
    else if (/^(loop_start|loop_end|start_marker|end_marker)$/.test(name)) {
      if (typeof value !== "number" || !Number.isFinite(value)) { throw new Error("set: invalid value"); }
      clip.setEdge(name, value);
    } else { throw new Error(`set: no such property ${name}`); }
  }

  // Functions. Arguments reach Live as one flat line of words (facts: 1.1): see words().
  call(object, name, given) {
    const set = this.set;
    const [version] = [set.version];
    if (object === this.application) {
      return { get_major_version: version[0], get_minor_version: version[1], get_bugfix_version: version[2] }[name];
    }
    if (object instanceof Clip && name === "add_warp_marker") {
      object.addMarker(given[0]);
      set.changed();
      return null;
    }
    const args = this.words(given);
    const act = this.functions(object)[name];
    if (!act) {
      throw new Error(`'${this.type(object)}' object has no attribute '${name}'`);
    }
    return act(...args);
  }

  functions(object) {
    const set = this.set;
    if (object === set) {
      return { undo: () => set.undo(), redo: () => set.redo(), start_playing: () => { set.play(); this.told("is_playing"); }, stop_playing: () => { set.stop(); this.told("is_playing"); },
        create_scene: (i) => set.addScene(i), delete_scene: (i) => set.removeScene(i),
        get_current_beats_song_time: () => set.beatsSongTime(this.shownTime()),
        create_audio_track: (i) => set.addTrack(i),
        delete_track: (i) => { set.tracks.splice(i, 1); set.changed(); } };
    }
    const clips = set.makesClips;
    if (object instanceof Track) {
      return Object.assign({ delete_clip: (clip) => set.removeClip(object, clip), duplicate_clip_to_arrangement: (id, beats) => this.duplicate(object, id, beats) },
        clips ? { create_audio_clip: (path, beats) => this.made(set.intoArrangement(object, path, beats)) } : {},
        is12_2(set) ? { create_take_lane: () => { object.lanes.push(new Lane(object)); set.changed(); } } : {});
    }
    if (object instanceof Lane) {
      return { create_audio_clip: (path, beats) => this.made(set.intoArrangement(object, path, beats)) };
    }
    if (object instanceof Slot) {
      return Object.assign({ fire: () => { object.fired += 1; },
        delete_clip: () => { object.clip.gone = true; object.clip = null; set.changed(); } },
        clips ? { create_audio_clip: (path) => this.made(set.intoSlot(object, path)) } : {});
    }
    return object instanceof Clip ? { remove_warp_marker: (beat) => { object.removeMarker(beat); set.changed(); } } : {};
  }

  made(clip) {
    return is12_2(this.set) ? ["id", this.id(clip)] : null; // earlier versions say nothing
  }

  duplicate(track, clip, beats) {
    if (!(clip instanceof Clip) || typeof beats !== "number") {
      throw new TypeError("Python argument types did not match");
    }
    if (!track.audio || track.frozen || track.recording || beats < 0) {
      throw new Error("The clip cannot be put there");
    }
    this.set.copies += 1;
    if (this.set.refusesCopies && this.set.copies >= this.set.refusesCopies) {
      throw new Error("The clip cannot be put there");
    }
    const copy = clip.copy(beats);
    if (this.set.keepsSameStart && track.clips.some((old) => Math.abs(old.startTime - beats) < 1e-6)) {
      return null;
    }
    return this.made(this.set.put(track, copy));
  }

  // The line is split at spaces, quotes keep them; numbers and "id 5" become what they look like. Whether a word with spaces
  // that JavaScript gives survives as one is an open question, so both answers are played.
  words(given) {
    const words = [];
    for (const one of given) {
      if (typeof one === "number") {
        words.push(String(one).includes("e") ? String(one) : one); // 1e-05 becomes a word, and no number
      } else if (typeof one !== "string") {
        throw new TypeError("Invalid arguments");
      } else if (/^id \d+$/.test(one)) {
        words.push(this.byId(one.slice(3)));
      } else if (this.set.splitsSpaces) {
        words.push(...(one.match(/"[^"]*"|\S+/g) || []).map((word) => word.replace(/^"(.*)"$/, "$1")));
      } else {
        words.push(one);
      }
    }
    const spaced = (word) => this.set.refusesSpaces && /^"?\/.* /.test(word);
    if (words.some((word) => typeof word === "string" && (/^[^/:]{2,}:\//.test(word) || spaced(word)))) {
      throw new SyntaxError("Invalid syntax"); // "Macintosh HD:/..."
    }
    return words;
  }
}

module.exports = { Lom, LiveSet, ThisDevice };
