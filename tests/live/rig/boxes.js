"use strict";
// The objects of the devices' patchers. Each takes the messages that its reference page has and complains about all others.
const dgram = require("dgram");
const fs = require("fs");
const path = require("path");
const osc = require("./osc");
const wav = require("./wav");
const font = require("./font");

// A network that loses what it likes: each datagram by a generator that a test seeds.
function lost(patcher, message) {
  if (!patcher.given.loses || String(message[0]).startsWith("/bridge-device")) {
    return false;
  }
  patcher.dice = (Math.imul(patcher.dice || patcher.given.dice || 1, 1103515245) + 12345) >>> 0;
  return patcher.dice / 2 ** 32 < patcher.given.loses;
}

class Box {
  constructor(patcher, json) {
    this.patcher = patcher;
    this.json = json;
    this.id = json.id;
    this.numinlets = json.numinlets;
    this.numoutlets = json.numoutlets;
    this.words = (json.text || "").split(" ");
    this.cords = Array.from({ length: json.numoutlets }, () => []);
    this.sources = []; // [inlet, box, outlet]: where the cords that end here come from
    this.valueof = (json.saved_attribute_attributes || {}).valueof || null;
  }

  out(index, message) {
    for (const [box, inlet] of this.cords[index]) {
      this.patcher.used.add(`${this.id} ${index} ${box.id} ${inlet}`);
      box.message(message, inlet);
    }
  }

  complain(message) {
    this.patcher.console.push(`error: ${this.json.maxclass} ${this.words[0]}: doesn't understand "${message.join(" ")}"`);
  }

  message(message) {
    this.complain(message);
  }

  // What sounds at an outlet at a time, ms.
  sound() {
    throw new Error(`the rig knows no sound of ${this.words[0]}`);
  }

  // Cords of sound that meet in an inlet are added.
  heard(inlet, ms) {
    return this.sources.filter(([into]) => into === inlet).reduce((sum, [, box, outlet]) => sum + box.sound(outlet, ms), 0);
  }

  load() {}
  close() {}
}

class Prepend extends Box {
  message(message) {
    // what prepend makes of a bang is not written down: both are played
    const rest = message[0] === "bang" && !this.patcher.given.prepends_bang ? [] : message;
    this.out(0, [...this.words.slice(1), ...(rest[0] === "list" ? rest.slice(1) : rest)]);
  }
}

class Route extends Box {
  message(message) {
    const index = this.words.slice(1).indexOf(String(message[0]));
    if (index < 0) {
      this.out(this.numoutlets - 1, message);
    } else {
      this.out(index, message.length > 1 ? message.slice(1) : ["bang"]);
    }
  }
}

class DeferLow extends Box {
  message(message) {
    setImmediate(() => {
      if (!this.patcher.closed) {
        this.out(0, message);
      }
    });
  }
}

class UdpSend extends Box {
  load() {
    this.port = Number(this.words[2]);
    this.host = this.words[1];
    this.socket = dgram.createSocket("udp4");
    this.socket.unref();
    this.most = 5000; // prompts above about 4.7 KB were seen not to leave; the reference pages name no number
  }

  message(message) {
    if (message[0] === "maxpacketsize" && message.length === 2) {
      this.most = message[1];
    } else if (message[0] === "port" && message.length === 2) {
      this.port = message[1];
    } else if (String(message[0]).startsWith("/")) {
      this.patcher.log.sent.push({ at: process.hrtime.bigint(), port: this.port, message });
      const data = osc.encode(message);
      if (data.length > this.most) {
        return; // and nothing is said
      }
      if (data.length > 8192) {
        this.patcher.console.push("rig: the bridge takes no datagram of more than 8 KiB");
      }
      const { given } = this.patcher;
      if (message[0] === "/bridge-device/probe" && given.mute_probes > 0) {
        given.mute_probes -= 1;
      } else if (!lost(this.patcher, message)) {
        this.socket.send(data, this.port, this.host, () => {});
      }
    } else {
      this.complain(message);
    }
  }

  close() {
    this.socket.close();
  }
}

class UdpReceive extends Box {
  load() {
    this.bind(Number(this.words[1]));
  }

  bind(port) {
    this.close();
    this.port = port;
    if (port === 0) {
      return;
    }
    // reference of udpreceive, quiet: "status notifications to the Max window are suppressed"
    if (!this.json.text.includes("@quiet 1")) {
      this.patcher.console.push(`udpreceive: binding to port ${port}`);
    }
    const socket = dgram.createSocket("udp4");
    this.socket = socket;
    socket.on("error", () => this.patcher.log.notBound.push(port));
    socket.on("message", (data) => {
      const message = osc.decode(data);
      if (lost(this.patcher, message)) {
        return;
      }
      const { log } = this.patcher;
      log.received.push({ at: process.hrtime.bigint(), message });
      if (log.onReceived) {
        log.onReceived(log.received[log.received.length - 1]);
      }
      // comes in the scheduler's thread: nothing of Live may be touched from here
      this.patcher.inNetworkThread = true;
      this.out(0, message.filter((atom) => atom !== "" || !this.patcher.given.loses_empty));
      this.patcher.inNetworkThread = false;
    });
    socket.bind({ port, address: "127.0.0.1", exclusive: true });
    socket.unref();
  }

  message(message) {
    if (message[0] === "port" && message.length === 2) {
      this.bind(message[1]);
    } else {
      this.complain(message);
    }
  }

  close() {
    if (this.socket) {
      try {
        this.socket.close();
      } catch (error) {
        if (error.code !== "ERR_SOCKET_DGRAM_NOT_RUNNING") {
          throw error;
        }
      }
      this.socket = null;
    }
  }
}

// A parameter of the device: what is saved with the set, and what Live makes an undo step of (facts: 1.4, 2.4, 5).
class Parameter extends Box {
  constructor(patcher, json) {
    super(patcher, json);
    this.long = this.valueof ? this.valueof.parameter_longname : "";
    this.visibility = this.valueof ? this.valueof.parameter_invisible || 0 : 0;
    this.value = this.valueof && this.valueof.parameter_initial ? this.valueof.parameter_initial[0] : 0;
  }

  get kept() {
    return this.visibility < 2;
  }

  load() {
    if (this.kept && this.long in this.patcher.saved) {
      this.value = this.patcher.saved[this.long];
    }
  }

  changed(byPerson) {
    if (this.kept) {
      this.patcher.log.undo.push({ of: "parameter", name: this.long, person: Boolean(byPerson) });
    }
  }
}

class LiveControl extends Parameter {
  restore() {
    if (!this.isButton) {
      this.out(0, [this.value]); // parameters say what they are when a set is opened
    }
  }

  get isButton() {
    return this.json.maxclass === "live.text" && this.json.mode === 0;
  }

  message(message) {
    const [word, value] = message;
    if (typeof word === "number") {
      this.value = word;
      this.stored = word;
      this.changed(false);
      this.out(0, [word]);
    } else if (word === "bang" && !this.isButton) {
      this.out(0, [this.value]); // live.numbox, live.dial: "Sends the current value out the outlet"
    } else if (word === "set" && message.length === 2) {
      this.value = value;
    } else if (word === "assign" && message.length === 2) {
      // the Max 5 page says stored, reports say that it is not saved: the worse of the two is played
      this.stored = this.stored === undefined ? this.value : this.stored;
      this.value = value;
      if (this.visibility !== 1) {
        this.changed(false); // a stored-only value that is assigned makes no undo step
      }
      this.out(0, [value]);
    } else if (word === "active" && message.length === 2) {
      this.active = value;
    } else if (word === "text" && message.length === 2 && this.json.maxclass === "live.text") {
      this.json.text = value; // the attribute: what stands on the button
      if (font.width(value) > this.json.presentation_rect[2] - 4) {
        this.patcher.console.push(`rig: does not fit on the button: ${value}`);
      }
    } else {
      this.complain(message);
    }
  }

  // A person uses it.
  use(value) {
    if (this.json.parameter_enable !== 1) {
      return; // a live.text that is no parameter never hears clicks
    }
    if (this.json.ignoreclick) {
      throw new Error(`${this.long} takes no clicks`);
    }
    if (this.isButton) {
      this.out(1, [this.json.text]);
      this.out(0, ["bang"]);
      return;
    }
    const { parameter_type: type, parameter_mmin: low = 0, parameter_mmax: high } = this.valueof;
    if (type === 2 ? !Number.isInteger(value) || value < 0 || value > high : value < low || value > high) {
      throw new Error(`${this.long} cannot be ${value}`);
    }
    this.value = value;
    this.stored = value;
    this.changed(true);
    this.out(0, [Math.fround(value)]);
  }
}

class TextEdit extends Parameter {
  load() {
    this.value = this.json.text || "";
    super.load();
  }

  restore() {}

  say() {
    if (this.value === "") {
      this.out(0, ["bang"]); // an empty field (facts: 2.4)
    } else {
      this.out(0, ["text", ...(this.json.outputmode === 1 ? [this.value] : this.value.split(" "))]);
    }
  }

  message(message) {
    if (message[0] === "bang") {
      this.say();
    } else if (message[0] === "set") {
      this.value = message.slice(1).join(" ");
    } else {
      this.complain(message);
    }
  }

  // Typed and not ended with Return: nothing is said until a bang comes.
  type(text) {
    this.value = text;
  }

  use(text) {
    this.type(text);
    this.changed(true);
    if (this.json.keymode === 1) {
      this.say();
    }
  }
}

class Pattr extends Parameter {
  load() {
    this.value = null;
    super.load();
  }

  restore() {
    if (this.value !== null) {
      this.out(0, this.value);
    }
  }

  message(message) {
    if (message[0] === "bang") {
      this.restore();
    } else {
      this.value = message;
      this.changed(false);
      this.out(0, message);
    }
  }
}

class Umenu extends Box {
  load() {
    this.items = [];
    let word = [];
    for (const item of [...this.json.items, ","]) { // "items" is a list of words, with commas between the entries
      if (item === ",") {
        this.items.push(word.join(" "));
        word = [];
      } else {
        word.push(item);
      }
    }
    this.index = 0;
  }

  message(message) {
    const text = message.slice(1).join(" ");
    if (message[0] === "clear") {
      this.items = [];
    } else if (message[0] === "append") {
      this.items.push(text);
    } else if (message[0] === "setsymbol" && this.items.includes(text)) {
      this.index = this.items.indexOf(text);
    } else {
      this.complain(message);
    }
  }

  use(text) {
    this.index = this.items.indexOf(text);
    if (this.index < 0) {
      throw new Error(`no item ${text}`);
    }
    this.out(1, [text]);
    this.out(0, [this.index]);
  }
}

class Comment extends Box {
  load() {
    this.text = this.json.text;
  }

  message(message) {
    if (message[0] === "set") {
      const words = message.slice(1);
      if (words.some((word) => /[,;]/.test(String(word)))) {
        this.patcher.console.push(`rig: shown with a backslash: ${words.join(" ")}`);
      }
      this.text = words.join(" ");
      if (font.cut(this.text, this.json.presentation_rect)) {
        this.patcher.console.push(`rig: does not fit on the panel: ${this.text}`);
      }
    } else if (/^(annotation|hint)$/.test(message[0]) && message.length === 2) {
      // common box attributes, one symbol each: the text of the clue window (in Live: the info view), and beside the pointer
      this[message[0]] = message[1];
    } else {
      this.complain(message);
    }
  }
}

class Multislider extends Box {
  message(message) {
    if (typeof message[0] !== "number") {
      this.complain(message);
    }
    this.value = message[0];
  }
}

class ThisDevice extends Box {
  restore() {}
  bang() {
    this.out(2, [0]);
    this.out(1, [1]);
    this.out(0, ["bang"]);
  }
}

// Sound: each signal is a function of the time at which it is heard, so that a test can ask what a file holds.
const RATE = 44100;
const BUFFER = 512; // samples that Live processes at a time: a message of the main thread counts from the next ones on

class PlugIn extends Box {
  sound(outlet, ms) {
    return 0.25 * Math.sin((2 * Math.PI * 220 * ms) / 1000);
  }
}

// Reference of plugphasor~: "sample-synchronized to the beat of the Ableton Live sequencer", "ramps from 0 to 1.0 over the period of a
// beat", "a zero signal" while it is stopped.
class PlugPhasor extends Box {
  sound(outlet, ms) {
    const { beats, playing } = this.patcher.lom.set.heardAt(ms);
    return playing && outlet === 0 && !this.patcher.given.no_clock ? beats - Math.floor(beats) : 0;
  }
}

class TapIn extends Box {
  sound(outlet, ms) {
    return this.heard(0, ms);
  }
}

// Reference of tapout~: a delay below the size of the signal vector becomes that.
class Tapout extends Box {
  message(message) {
    if (typeof message[0] !== "number") {
      this.complain(message);
    }
    this.delay = message[0];
  }

  get samples() {
    return Math.max(64, Math.round(((this.delay || 0) * RATE) / 1000));
  }

  sound(outlet, ms) {
    return this.heard(0, ms - (this.samples * 1000) / RATE);
  }
}

// Reference of sfrecord~: "the audio file created will have the same number of channels as this argument".
class SfRecord extends Box {
  load() {
    this.opened = null;
    this.since = null;
    this.channels = Number(this.words[1]);
  }

  message(message) {
    const [word] = message;
    if (word === "samptype" && /^(int8|int16|int24|int32|float32)$/.test(message[1])) {
      this.type = message[1];
    } else if (word === "open" && message.length === 3 && message[2] === "wave") {
      this.opened = fs.existsSync(path.dirname(message[1])) ? message[1] : null;
      if (!this.opened) {
        this.complain(message);
      }
    } else if (word === 1) {
      this.begin();
    } else if (word === 0) {
      this.end();
    } else {
      this.complain(message);
    }
  }

  begin() {
    if (!this.opened) {
      this.patcher.console.push("error: sfrecord~: no file is open");
      return;
    }
    this.since = this.next();
  }

  // When the sound is processed that a message of the main thread meets: the next buffer but one, as the one is under way.
  next() {
    return (Math.ceil((this.patcher.clock() * RATE) / 1000 / BUFFER) + 1) * BUFFER * (1000 / RATE);
  }

  end() {
    if (this.opened && this.since !== null) {
      const length = this.patcher.given.audio_off ? 0 : Math.max(0, this.next() - this.since);
      const frames = Math.round((length * RATE) / 1000);
      const delay = this.patcher.boxes.find((box) => box instanceof Tapout).samples / RATE;
      this.patcher.log.recorded.push({ file: this.opened, seconds: frames / RATE, delay, rate: RATE,
        // the beat that the first sample of the file was heard at
        beats: this.patcher.lom.set.heardAt(this.since - delay * 1000).beats,
        past: this.patcher.lom.set.past, since: this.since - delay * 1000 });
      wav.write(this.opened, { frames, rate: RATE, channels: this.channels,
        bits: { int16: 16, int24: 24 }[this.type], at: (channel, n) => this.heard(channel, this.since + (n * 1000) / RATE) });
    }
    this.opened = null; // it wants another open
    this.since = null;
  }
}

// Reference of sfplay~: open, 1 and 0; a bang at its last outlet when the file is over.
class SfPlay extends Box {
  load() {
    this.opened = null;
    this.timer = null;
  }

  sound() {
    return 0;
  }

  message(message) {
    if (message[0] === "open" && message.length === 2) {
      this.opened = wav.about(message[1]);
      if (!this.opened) {
        this.complain(message);
      }
    } else if (message[0] === 1 && this.opened) {
      this.patcher.log.played.push(this.opened.frames);
      this.timer = setTimeout(() => this.out(this.numoutlets - 1, ["bang"]), (this.opened.frames / this.opened.rate) * 1000);
      this.timer.unref();
    } else if (message[0] === 0) {
      clearTimeout(this.timer);
    } else {
      this.complain(message);
    }
  }

  close() {
    clearTimeout(this.timer);
  }
}

class Js extends Box {
  message(message) {
    if (this.patcher.inNetworkThread) {
      this.patcher.console.push("rig: the script was called in the network's thread");
    }
    this.script.message(message);
  }

  restore() {}

  close() {
    this.script.close();
  }
}

const TYPED = {
  prepend: Prepend, route: Route, deferlow: DeferLow, udpsend: UdpSend, udpreceive: UdpReceive, pattr: Pattr,
  "live.thisdevice": ThisDevice, "tapin~": TapIn, "tapout~": Tapout, "sfrecord~": SfRecord, "plugphasor~": PlugPhasor, "sfplay~": SfPlay, 
  "plugin~": PlugIn, "plugout~": Box, midiin: Box, midiout: Box, js: Js
};
const UI = {
  "live.text": LiveControl, "live.dial": LiveControl, "live.numbox": LiveControl, "live.menu": LiveControl,
  "live.toggle": LiveControl, textedit: TextEdit, umenu: Umenu, comment: Comment, "live.comment": Box, panel: Box, multislider: Multislider
};

function make(patcher, json) {
  const kind = json.maxclass === "newobj" ? TYPED[json.text.split(" ")[0]] : UI[json.maxclass];
  if (!kind) {
    throw new Error(`the rig knows no ${json.maxclass} ${json.text || ""}`);
  }
  return new kind(patcher, json);
}

module.exports = { make, Js, Parameter, ThisDevice, Umenu, Comment, Multislider };
