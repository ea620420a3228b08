"use strict";
// [js]: runs a script of a device as Max 8 does: ES5 and nothing newer, LiveAPI that prints its errors, Task, File, Global.
const fs = require("fs");
const path_ = require("path");
const vm = require("vm");

// What ECMAScript 5.1 has; all else is taken away, so that a newer name fails here as it would in Max (facts: 2.1).
const ES5 = {
  "": "Object Function Array String Boolean Number Date RegExp Error EvalError RangeError ReferenceError SyntaxError TypeError URIError Math JSON parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval NaN Infinity undefined",
  Object: "prototype length name getPrototypeOf getOwnPropertyDescriptor getOwnPropertyNames create defineProperty defineProperties seal freeze preventExtensions isSealed isFrozen isExtensible keys",
  Array: "prototype length name isArray",
  String: "prototype length name fromCharCode",
  Number: "prototype length name MAX_VALUE MIN_VALUE NaN NEGATIVE_INFINITY POSITIVE_INFINITY",
  Date: "prototype length name parse UTC now",
  Math: "E LN10 LN2 LOG2E LOG10E PI SQRT1_2 SQRT2 abs acos asin atan atan2 ceil cos exp floor log max min pow random round sin sqrt tan",
  "Array.prototype": "constructor length toString toLocaleString concat join pop push reverse shift slice sort splice unshift indexOf lastIndexOf every some forEach map filter reduce reduceRight",
  "String.prototype": "constructor length toString valueOf charAt charCodeAt concat indexOf lastIndexOf localeCompare match replace search slice split substring substr toLowerCase toLocaleLowerCase toUpperCase toLocaleUpperCase trim",
  "Object.prototype": "constructor toString toLocaleString valueOf hasOwnProperty isPrototypeOf propertyIsEnumerable __proto__ __defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__",
  "Number.prototype": "constructor toString toLocaleString valueOf toFixed toExponential toPrecision",
  "RegExp.prototype": "constructor exec test toString compile source global ignoreCase multiline flags",
  "Function.prototype": "constructor length name toString apply call bind arguments caller"
};

const TAKE_AWAY = `(function (allowed) {
  var all = this;
  var namesOf = Object.getOwnPropertyNames;
  Object.keys(allowed).forEach(function (where) {
    if (where === "" || where === "host") { return; }
    var object = where.split(".").reduce(function (o, name) { return o[name]; }, all);
    var keep = allowed[where].split(" ");
    namesOf(object).forEach(function (name) {
      if (keep.indexOf(name) < 0) { delete object[name]; }
    });
  });
  var keep = allowed[""].split(" ");
  namesOf(all).forEach(function (name) {
    if (keep.indexOf(name) < 0 && allowed.host.indexOf(name) < 0) { delete all[name]; }
  });
})`;

class Script {
  constructor(box, { source, args, maxPath, lom, device, clock, hold, speed, global, console_, log }) {
    this.box = box;
    this.lom = lom;
    this.device = device;
    this.clock = clock;
    this.hold = hold;
    this.speed = speed;
    this.console = console_;
    this.log = log;
    this.ready = false; // after live.thisdevice
    this.tasks = new Set();
    this.timers = new Set();
    this.observers = new Set();
    this.notifying = false;
    this.spent = {};
    const host = this.host(args, maxPath, global);
    this.context = vm.createContext(host);
    vm.runInContext(TAKE_AWAY, this.context)
      .call(vm.runInContext("this", this.context), Object.assign({}, ES5, { host: Object.keys(host) }));
    vm.runInContext(`Date = (function (Real, now) {
      function Fake(value) { return new Real(arguments.length ? value : now()); }
      Fake.now = now; Fake.prototype = Real.prototype; return Fake;
    }(Date, now)); delete this.now;`, this.context);
    this.turn(() => vm.runInContext(source, this.context, { filename: args[0] }));
    this.handlers = ["bang", "anything", "notifydeleted"].filter((name) => typeof this.context[name] === "function");
    if (this.context.outlets !== box.numoutlets || this.context.inlets !== box.numinlets) {
      throw new Error(`the script has other inlets or outlets than its box: ${this.console.join(" ")}`);
    }
  }

  host(args, maxPath, global) {
    const self = this;
    return {
      now: () => Math.round(self.clock()),
      autowatch: 0, inlets: 1, outlets: 1, jsarguments: args.slice(), messagename: "",
      patcher: { filepath: maxPath, getnamed: (name) => self.box.patcher.named(name) },
      post: (...words) => self.console.push(words.join(" ")),
      error: (...words) => self.console.push(`error: ${words.join(" ")}`),
      outlet: self.outletFunction(),
      messnamed: (...words) => self.log.named.push(words),
      Task: self.taskClass(), File: fileClass(maxPath, self.box.patcher.given.files || {}), LiveAPI: self.liveApiClass(),
      Global: function Global(name) {
        global[name] = global[name] || {};
        return global[name];
      }
    };
  }

  // Everything that one message or task does is one turn: Live makes one undo step of it (facts: 1.4).
  turn(act) {
    this.spent = {};
    const { set } = this.lom;
    const before = set.changes;
    set.beginStep();
    try {
      return this.hold(act);
    } catch (fault) {
      this.console.push(`js: ${fault && fault.stack ? fault.stack : fault}`);
      return undefined;
    } finally {
      const changes = set.changes - before;
      set.endStep(changes > 0);
      if (changes > 0) {
        this.log.undo.push({ of: "live", changes });
      }
    }
  }

  // What one turn asks of Live, and what all of them did: each get costs it some microseconds.
  count(what) {
    this.spent[what] = (this.spent[what] || 0) + 1;
    this.log.most[what] = Math.max(this.log.most[what] || 0, this.spent[what]);
    this.log.all[what] = (this.log.all[what] || 0) + 1;
  }

  // A property has changed: whoever observes it hears of it, and may change nothing meanwhile.
  changed(name) {
    for (const api of [...this.observers].filter((one) => one.observed === name)) {
      this.turn(() => this.notify(api));
    }
  }

  notify(api) {
    const outer = this.notifying;
    this.notifying = true;
    try {
      api.callback([api.observed, ...this.lom.get(api.object, api.observed)]);
    } finally {
      this.notifying = outer;
    }
  }

  outletFunction() {
    const self = this;
    const outlet = function (index, ...rest) {
      if (rest.length !== 1 || !Array.isArray(Array.from(rest[0] instanceof Object ? [1] : [])) || typeof rest[0] !== "object") {
        self.console.push("rig: outlet takes one array");
        return;
      }
      const message = Array.prototype.slice.call(rest[0]);
      for (const atom of message) {
        if (typeof atom !== "number" && typeof atom !== "string") {
          self.console.push(`rig: an outlet was given ${typeof atom} in ${message[0]}`);
          return;
        }
        if (typeof atom === "string") {
          self.log.symbols.add(atom); // stays in Max's table for the life of Live (facts: 2.1)
        }
      }
      self.box.out(index, message);
    };
    // outlet.apply takes Live down (facts: 2.1)
    outlet.apply = outlet.call = () => { throw new Error("outlet.apply crashes Live"); };
    return outlet;
  }

  taskClass() {
    const self = this;
    return function Task(callback, object, ...args) {
      this.interval = 500;
      this.running = false;
      let timer = null;
      this.repeat = () => {
        this.running = true;
        timer = setInterval(() => {
          if (!self.box.patcher.closed) {
            self.turn(() => callback.apply(object, args));
          }
        }, this.interval / self.speed);
        self.timers.add(timer);
      };
      this.cancel = () => {
        clearInterval(timer);
        self.timers.delete(timer);
        this.running = false;
      };
    };
  }

  liveApiClass() {
    const self = this;
    const lom = this.lom;
    const complain = (text) => self.console.push(`error: ${text}`);
    class LiveAPI {
      constructor(...given) {
        const path = given.pop();
        if (typeof path !== "string") {
          throw new Error("rig: LiveAPI is given a path");
        }
        this.callback = given[0] || null;
        this.observed = "";
        self.count("objects");
        // made before live.thisdevice it is dead: it fails silently
        this.object = self.ready ? lom.resolve(path, self.device) : null;
        if (this.callback && this.object) {
          this.callback(["id", lom.id(this.object)]);
        }
      }
      get property() { return this.observed; }
      // reference of LiveAPI, property: the callback is called with name and value, now and at each change
      set property(name) {
        this.observed = name;
        self.observers.delete(this);
        if (name && this.object) {
          if (!lom.observable(this.object, name)) {
            complain(`'${lom.type(this.object)}' has no observable property '${name}'`);
            return;
          }
          self.observers.add(this);
          self.notify(this);
        }
      }
      get id() { return self.ready ? String(lom.id(this.object)) : "0"; }
      set id(value) { this.object = self.ready ? lom.byId(value) : null; }
      get path() { return `"${this.unquotedpath}"`; }
      get unquotedpath() { return this.object ? lom.path(this.object) : ""; }
      get type() { return this.object ? lom.type(this.object) : "unknown"; }
      get(name) {
        if (!this.object) {
          complain(`get: no valid object (${name})`);
          return null;
        }
        self.count("gets");
        const value = lom.get(this.object, name);
        if (value === null) {
          complain(`get: '${lom.type(this.object)}' has no property '${name}'`);
        }
        return value;
      }
      set(name, value) {
        this.safely(`set ${name}`, () => lom.set_(this.object, name, value));
      }
      call(name, ...args) {
        return this.safely(`${name} ${args.join(" ")}`, () => lom.call(this.object, name, args));
      }
      safely(what, act) {
        if (!this.object) {
          complain(`no valid object: '${what}'`);
          return null;
        }
        if (self.notifying) {
          complain("Changes cannot be triggered by notifications. You will need to defer your response."); // facts: 1.4
          return null;
        }
        self.count("calls");
        lom.set.mayChange(what);
        try {
          const answer = act();
          return answer === undefined ? null : answer;
        } catch (fault) {
          complain(`${fault.message}: '${what}'`);
          return null;
        }
      }
    }
    return LiveAPI;
  }

  // A message at the inlet: a function of that name, else anything(), with its name in messagename.
  message([word, ...values]) {
    const name = typeof word === "number" ? "list" : word;
    const own = this.handlers.includes(name) ? name : "anything";
    if (name !== own && typeof this.context[name] === "function") {
      this.console.push(`rig: the message ${name} calls a function of the script`);
      return;
    }
    this.context.messagename = name;
    this.turn(() => this.context[own](...(own === "anything" || values.length ? values : [])));
  }

  close() {
    this.turn(() => this.context.notifydeleted());
    this.observers.clear();
    this.timers.forEach(clearInterval);
  }
}

// Max's File: opens both ways of writing a path, reads and writes pieces, and says nothing where a file is missing. Reference of File
// for [js]: access "read", "write" or "readwrite"; position; eof; readbytes; writebytes, which writes 16 KiB at most (facts: 2.1).
function fileClass(maxPath, files) {
  const volume = (/^[^/:]{2,}:(?=\/)/.exec(maxPath) || [""])[0];
  return function File(path, access) {
    const asked = volume && path.startsWith(volume) ? path.slice(volume.length) : path;
    const name = files[asked] || asked; // a test says what lies where on the other machine
    let data = null;
    if (access === "write" && name.startsWith("/") && fs.existsSync(path_.dirname(name))) {
      data = Buffer.alloc(0);
      fs.writeFileSync(name, data);
    }
    if (access === "read" || access === "readwrite") {
      try {
        data = name.startsWith("/") && fs.statSync(name).isFile() ? fs.readFileSync(name) : null;
      } catch (error) {
        data = null;
      }
    }
    this.isopen = data === null || (access === "readwrite" && files.readonly) ? 0 : 1;
    this.position = 0;
    Object.defineProperty(this, "eof", {
      get: () => (data === null ? 0 : data.length),
      set: (length) => {
        data = data.subarray(0, length);
        fs.writeFileSync(name, data);
      }
    });
    const piece = (count) => {
      const found = data === null ? Buffer.alloc(0) : data.subarray(this.position, this.position + count);
      this.position += found.length;
      return found;
    };
    this.readstring = (count) => piece(count).toString("latin1");
    this.readbytes = (count) => Array.from(piece(count));
    this.writebytes = (bytes) => {
      if (this.isopen && access !== "read") {
        const some = Buffer.from(Array.from(bytes).slice(0, 16384));
        data = Buffer.concat([data.subarray(0, this.position), some, data.subarray(this.position + some.length)]);
        this.position += some.length;
        fs.writeFileSync(name, data);
      }
    };
    this.close = () => { this.isopen = 0; };
  };
}

module.exports = { Script };
