/**
 * Who this device is: its name at the bridge and the mark of its set, made once and saved with the set. What is saved goes
 * along in presets, templates and copies too; so where it was made is saved with it, and it counts there only.
 */
function Identity(ledger) {
  this.ledger = ledger;
  this.client = "live-" + Text.hex(8);
  this.set = "set-" + Text.uuid(0);
  this.saved = ""; // what the set holds of it
  this.begun = false; // from then on it stays as it is
  this.waiting = null; // {client, set, until}: saved elsewhere in this set, and taken where nobody else is it
}

Identity.UNSAVED = "-";
Identity.WAIT = 1500; // ms in which the device that was moved least may say that it is meant

/** Whether the set holds it as it is now. */
Identity.prototype.isSaved = function (words) {
  return this.saved === words.join(" ");
};

/** Take what the set has saved; true where that is somebody else's. `here`: {path: of the set, null where Live does not tell, track: number and name}. */
Identity.prototype.restore = function (words, now, here) {
  var saved = Identity.read(words);
  if (this.begun) {
    // a preset was loaded, or the writing was undone: it is written again at the next press
    this.saved = saved !== null && saved.client === this.client && saved.set === this.set ? words.slice(0, 4).join(" ") : "";
    return false;
  }
  this.begun = true;
  if (saved === null || Identity.foreign(saved, here)) {
    return saved !== null;
  }
  saved.words = words.slice(0, 4).join(" ");
  if (saved.track !== undefined && saved.track !== here.track) {
    this.waiting = { client: saved.client, set: saved.set, until: now + Identity.WAIT };
    return false;
  }
  this.take(saved, now);
  return false;
};

Identity.read = function (words) {
  var client = String(words[0] || "");
  var set = String(words[1] || "");
  if (!/^live-[0-9a-f]{8}$/.test(client) || !/^set-[0-9a-f-]{36}$/.test(set)) {
    return null;
  }
  try {
    return {
      client: client, set: set, path: words.length > 2 ? decodeURIComponent(String(words[2])) : undefined,
      track: words.length > 3 ? decodeURIComponent(String(words[3])) : undefined
    };
  } catch (error) {
    return null; // no text of this device
  }
};

/** Whether it was made in another set: a preset, a template, or a set saved under another name beside the first one. */
Identity.foreign = function (saved, here) {
  if (here.path === null || saved.path === undefined) {
    return false;
  }
  if (here.path === "") {
    return true; // a set that was never saved has saved nothing
  }
  if (saved.path === Identity.UNSAVED) {
    return Identity.trackName(saved.track) !== Identity.trackName(here.track); // it was saved later, or this is a preset
  }
  return saved.path !== here.path && Files.exists(saved.path, "");
};

/** A track without its number, which changes when it is moved. */
Identity.trackName = function (track) {
  return String(track).replace(/^-?\d+ /, "");
};

Identity.prototype.take = function (saved, now) {
  this.set = saved.set;
  if (this.ledger.takenByOther("client_" + saved.client, now)) {
    return; // a copy in the same set has a name of its own
  }
  this.ledger.release("client_" + this.client);
  this.client = saved.client;
  this.saved = saved.words;
  this.ledger.claim("client_" + this.client, now);
};

/** Hold the name against copies; false while it is not known yet which name it is. */
Identity.prototype.hold = function (now) {
  if (this.waiting && now >= this.waiting.until) {
    this.take(this.waiting, now);
    this.saved = ""; // it is somewhere else now
    this.waiting = null;
  }
  if (this.waiting) {
    return false;
  }
  this.ledger.claim("client_" + this.client, now);
  return true;
};

Identity.prototype.words = function (here) {
  return [this.client, this.set, encodeURIComponent(here.path || Identity.UNSAVED), encodeURIComponent(here.track)];
};
