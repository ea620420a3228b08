/** Who this device is: its name at the bridge and the mark of its set, made once and saved with the set. */
function Identity(ledger) {
  this.ledger = ledger;
  this.client = "live-" + Text.hex(8);
  this.set = "set-" + Text.uuid(0);
  this.saved = false;
}

/** Take what the set has saved: client, mark. A copy of a device in the same set gets a name of its own. */
Identity.prototype.restore = function (words, now) {
  var client = String(words[0] || "");
  var set = String(words[1] || "");
  if (!/^live-[0-9a-f]{8}$/.test(client) || !/^set-[0-9a-f-]{36}$/.test(set)) {
    return;
  }
  this.set = set;
  if (client !== this.client) {
    if (this.ledger.takenByOther("client_" + client, now)) {
      this.saved = false;
      return;
    }
    this.ledger.release("client_" + this.client);
    this.client = client;
    this.hold(now);
  }
  this.saved = true;
};

/** Hold the name against copies. */
Identity.prototype.hold = function (now) {
  this.ledger.claim("client_" + this.client, now);
};

Identity.prototype.words = function () {
  return [this.client, this.set];
};
