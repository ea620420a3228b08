/** The ledger that all devices in this Live share: who has which name and port. Flat text, so that it outlives its writer. */
function Ledger(owner) {
  this.owner = owner;
  this.global = new Global("daw_bridge_devices");
}

Ledger.STALE = 20000; // ms after which an entry is of a device that is gone
Ledger.FRESH = 5000; // ms after which one's own is written again

Ledger.prototype.takenByOther = function (key, now) {
  var entry = /^(\S+) (\d+)$/.exec(String(this.global[key] || ""));
  return entry !== null && entry[1] !== this.owner && now - Number(entry[2]) < Ledger.STALE;
};

Ledger.prototype.claim = function (key, now) {
  var entry = String(this.global[key] || "").split(" ");
  if (entry[0] !== this.owner || now - Number(entry[1]) > Ledger.FRESH) {
    this.global[key] = this.owner + " " + now;
  }
};

Ledger.prototype.release = function (key) {
  if (String(this.global[key] || "").indexOf(this.owner + " ") === 0) {
    this.global[key] = "";
  }
};
