"use strict";
// A Live with devices in it, driven by lines of JSON: {"n": 1, "do": "open", ...} → {"n": 1, "ok": ...}.
const readline = require("readline");
const container = require("./container");
const boxes = require("./boxes");
const { Script } = require("./script");
const { Lom, LiveSet, ThisDevice } = require("./lom");

class Patcher {
  constructor(json, { lom, clock, given, saved, console_ }) {
    Object.assign(this, { lom, clock, given, saved, closed: false, inNetworkThread: false, console: console_ });
    this.log = { sent: [], received: [], undo: [], named: [], recorded: [], played: [], notBound: [], most: {}, all: {}, symbols: new Set() };
    this.used = new Set();
    this.boxes = json.boxes.map(({ box }) => boxes.make(this, box));
    const byId = new Map(this.boxes.map((box) => [box.id, box]));
    for (const { patchline } of json.lines) {
      const [[from, outlet], [to, inlet]] = [patchline.source, patchline.destination];
      byId.get(from).cords[outlet].push([byId.get(to), inlet]);
      if (/^(signal|tapconnect)$/.test(byId.get(from).json.outlettype[outlet])) {
        byId.get(to).sources.push([inlet, byId.get(from), outlet]);
      }
    }
  }

  // Patcher.getnamed: a box by its scripting name; that its property hidden works in the device view is reported (facts: 2.1).
  named(name) {
    const found = this.boxes.find((box) => box.json.varname === name);
    return found ? { get hidden() { return found.json.hidden || 0; }, set hidden(value) { found.json.hidden = value; } } : null;
  }

  // A control by its long name, or the box that a word of the route leads to.
  control(name) {
    const found = this.boxes.find((box) => box.valueof && box.valueof.parameter_longname === name) ||
      this.boxes.find((box) => (box.json.annotation_name || "") === name);
    if (!found) {
      throw new Error(`no control ${name}`);
    }
    return found;
  }
}

class Rig {
  constructor(given) {
    this.given = given;
    this.speed = given.speed || 1;
    this.begun = Date.now();
    this.held = null;
    this.console_ = [];
    this.global = {};
    this.set = new LiveSet(given.live || {}, () => this.clock());
    this.lom = new Lom(this.set, this.console_);
    this.devices = new Map();
    this.lom.told = (name) => setImmediate(() => this.changed(name));
  }

  clock() {
    return this.held === null ? this.begun + (Date.now() - this.begun) * this.speed : this.held;
  }

  // Time stands still while a script runs: what this machine needs for it must not be heard in a recording.
  hold(act) {
    const outer = this.held;
    this.held = this.clock();
    try {
      return act();
    } finally {
      this.held = outer;
    }
  }

  open({ device = "a", amxd, path, track = 0, saved = {}, given = {} }) {
    const frozen = container.read(amxd);
    const patcher = new Patcher(frozen.patcher, {
      lom: this.lom, clock: () => this.clock(), given, saved, console_: this.console_
    });
    this.devices.set(device, patcher);
    const place = track === "master" ? this.set.master : this.set.tracks[track];
    patcher.boxes.forEach((box) => box.load());
    for (const box of patcher.boxes.filter((one) => one instanceof boxes.Js)) {
      const [, name, ...args] = box.words;
      box.script = new Script(box, {
        source: frozen.files[name], args: [name, ...args], maxPath: `${given.volume || ""}${path}`, lom: this.lom,
        device: new ThisDevice(place), clock: () => this.clock(), hold: (act) => this.hold(act), speed: this.speed, global: this.global,
        console_: this.console_, log: patcher.log
      });
    }
    patcher.boxes.filter((box) => box.restore).forEach((box) => box.restore());
    this.bang({ device });
    return null;
  }

  // live.thisdevice: also after each preset and save.
  bang({ device = "a" }) {
    const patcher = this.devices.get(device);
    patcher.boxes.filter((box) => box instanceof boxes.Js).forEach((box) => { box.script.ready = true; });
    patcher.boxes.filter((box) => box instanceof boxes.ThisDevice).forEach((box) => box.bang());
    return null;
  }

  use({ device = "a", control, value }) {
    const box = this.devices.get(device).control(control);
    if (box.json.hidden && this.given.strict_pages) {
      throw new Error(`${control} is folded away`);
    }
    box.use(value);
    return null;
  }

  type({ device = "a", control, value }) {
    this.devices.get(device).control(control).type(value);
    return null;
  }

  // A value that Live's automation or a mapping sets.
  mapped({ device = "a", control, value }) {
    this.devices.get(device).control(control).message([value]);
    return null;
  }

  panel({ device = "a" }) {
    const patcher = this.devices.get(device);
    const comments = patcher.boxes.filter((box) => box instanceof boxes.Comment);
    const lines = comments.map((box) => box.text);
    const menus = patcher.boxes.filter((box) => box instanceof boxes.Umenu);
    const [history, menu, model] = menus;
    return {
      connection: lines[0], status: lines[1], money: lines[2], light: patcher.control("Connected").value,
      home: comments[0].annotation || "", whole: comments[1].annotation || "", hint: comments[1].hint || "",
      progress: patcher.boxes.find((box) => box instanceof boxes.Multislider).value, presets: menu.items,
      preset: menu.items[menu.index], models: model.items, model: model.items[model.index], history: history.items,
      prompt: patcher.control("Prompt").value, shown: patcher.boxes.filter((box) => box.json.presentation && !box.json.hidden)
        .map((box) => box.long || box.json.annotation_name || box.json.text || ""), seed: patcher.control("Seed").value,
      buttons: patcher.boxes.filter((box) => box.isButton).map((box) => box.json.text), active: patcher.control("Generate").active,
      transform: patcher.control("Transform Clip").active
    };
  }

  // What the lines of text of a device say.
  lines({ device = "a" }) {
    return this.devices.get(device).boxes.filter((box) => box instanceof boxes.Comment).map((box) => box.text);
  }

  logs({ device = "a" }) {
    const { log } = this.devices.get(device);
    const plain = (entries) => entries.map((entry) => ({ ms: Number(entry.at / 1000n) / 1000, port: entry.port, message: entry.message }));
    return { console: this.console_, sent: plain(log.sent), received: plain(log.received), undo: log.undo, named: log.named,
      recorded: log.recorded, played: log.played, most: log.most, all: log.all, not_bound: log.notBound, symbols: log.symbols.size };
  }

  live(given) {
    const set = this.set;
    if (given.version) { set.version = given.version; }
    if (given.file !== undefined) { set.filePath = given.file; }
    if (given.scale) { set.scale = given.scale; }
    if (given.select_track !== undefined) { set.selected.track = set.tracks[given.select_track]; }
    if (given.tempo) { set.setTempo(given.tempo); this.changed("tempo"); }
    if (given.start_time !== undefined) { set.startTime = given.start_time; this.changed("start_time"); }
    if (given.loop) { set.loop = given.loop; }
    if (given.play !== undefined) { set.play(given.play); this.changed("start_time"); this.changed("is_playing"); }
    if (given.stop) { set.stop(); this.changed("is_playing"); }
    if (given.frozen !== undefined) { set.tracks[given.frozen].frozen = true; }
    if (given.recording !== undefined) { set.tracks[given.recording].recording = true; }
    if (given.move_track) { set.tracks.splice(given.move_track[1], 0, ...set.tracks.splice(given.move_track[0], 1)); }
    if (given.remove_track !== undefined) { set.tracks.splice(given.remove_track, 1); }
    for (const clip of given.clips || []) { this.addClip(clip); }
    if (given.clip) { this.addClip(given.clip); }
    if (given.edit) { // by a person, in the clip view
      const clip = set.tracks.flatMap((track) => track.slots).find((slot) => slot.clip).clip;
      Object.entries(given.edit).forEach(([key, value]) => clip.setEdge(key, value));
    }
    if (given.highlight) { set.selected.slot = set.tracks[given.highlight[0]].slots[given.highlight[1]]; }
    return Object.assign(set.about(), { undo: null, start_time: set.startTime, playing: set.playing });
  }

  // Live tells whoever observes it, in each device.
  changed(name) {
    for (const patcher of this.devices.values()) {
      patcher.boxes.filter((box) => box instanceof boxes.Js).forEach((box) => box.script.changed(name));
    }
  }

  // Counting begins anew.
  uncount({ device = "a" }) {
    Object.assign(this.devices.get(device).log, { most: {}, all: {} });
    return null;
  }

  addClip({ track = 0, file, slot, beats, select, warping, looping, edges, markers }) {
    const on = this.set.tracks[track];
    const clip = slot !== undefined ? this.set.intoSlot(on.slots[slot], file) : this.set.intoArrangement(on, file, beats);
    if (markers) { clip.markers = markers; }
    if (warping !== undefined) { clip.warping = warping; }
    if (edges) { [clip.start, clip.end] = edges; clip.startMarker = edges[0]; }
    if (looping !== undefined) {
      clip.looping = looping;
      clip.loopedLength = looping ? clip.end - clip.start : null;
    }
    if (select) { this.set.selected.detail = clip; }
  }

  // What the set would save of a device. A set that is saved has a path from then on.
  save({ device = "a" }) {
    const saved = {};
    this.set.filePath = this.set.filePath || "/Users/ana/Music/Saved.als";
    this.devices.get(device).boxes.filter((box) => box instanceof boxes.Parameter && box.kept)
      .forEach((box) => {
        const value = box.stored === undefined ? box.value : box.stored;
        if (value !== null) { saved[box.long] = value; }
      });
    return saved;
  }

  // A preset of another device is loaded into this one: each value that it holds is written, and live.thisdevice bangs.
  preset({ device = "a", values }) {
    const patcher = this.devices.get(device);
    for (const box of patcher.boxes.filter((one) => one instanceof boxes.Parameter && one.long in values)) {
      box.value = values[box.long];
      box.stored = undefined;
      box.restore();
    }
    return this.bang({ device });
  }

  close({ device = "a" }) {
    const patcher = this.devices.get(device);
    patcher.boxes.forEach((box) => box.close());
    patcher.closed = true;
    this.devices.delete(device);
    return null;
  }

  renumber() {
    this.lom.renumber();
    return null;
  }

  // The cords that have carried a message.
  cords({ device = "a" }) {
    return [...this.devices.get(device).used];
  }

  // What was printed; that a port was taken is said by the device itself and printed by nobody here.
  console() {
    return this.console_;
  }

  // From a click to the answer of the bridge, ms, without what this program and its reader need.
  time({ device = "a", control, address }) {
    const { log } = this.devices.get(device);
    const begun = process.hrtime.bigint();
    return new Promise((resolve) => {
      log.onReceived = ({ at, message }) => {
        if (message[0] === address) {
          log.onReceived = null;
          resolve(Number(at - begun) / 1e6);
        }
      };
      this.use({ device, control });
    });
  }
}

let rig = null;
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const given = JSON.parse(line);
  let answer;
  try {
    if (given.do === "begin") {
      rig = new Rig(given);
      answer = { ok: null };
    } else {
      answer = { ok: await rig[given.do](given) };
    }
  } catch (fault) {
    answer = { error: fault.stack };
  }
  process.stdout.write(`${JSON.stringify(Object.assign({ n: given.n }, answer))}\n`);
}).on("close", () => process.exit(0));
