/**
 * A port of one's own. Of a range one is tried after the other: a word sent to it has to come back. So also a port that
 * another program holds is noticed, whatever Max says of it. Devices of the same Live keep out of each other's way by the ledger.
 */
function Port(wire, ledger, outlet) {
  this.wire = wire;
  this.ledger = ledger;
  this.outlet = outlet;
  this.number = 0;
  this.held = false;
  this.word = "";
  this.since = 0;
  this.next = Math.floor(Math.random() * Port.COUNT);
}

Port.FIRST = 9140;
Port.COUNT = 100;
Port.WAIT = 600; // ms for the word to come back
Port.ADDRESS = "/bridge-device/probe";

/** Go on claiming; true where the port is held. */
Port.prototype.tick = function (now) {
  if (this.held) {
    this.ledger.claim("port_" + this.number, now);
    return true;
  }
  if (this.word === "" || now - this.since > Port.WAIT) {
    this.tryNext(now);
  }
  this.probe();
  return this.held;
};

Port.prototype.tryNext = function (now) {
  this.release();
  for (var i = 0; i < Port.COUNT; i += 1) {
    this.number = Port.FIRST + this.next;
    this.next = (this.next + 1) % Port.COUNT;
    if (!this.ledger.takenByOther("port_" + this.number, now)) {
      break;
    }
  }
  this.word = Text.hex(16);
  this.since = now;
  this.ledger.claim("port_" + this.number, now);
  this.outlet(1, ["port", this.number]);
};

Port.prototype.probe = function () {
  this.wire.target(this.number);
  this.outlet(0, [Port.ADDRESS, "word-" + this.word]);
};

/** A word came in: is it ours? */
Port.prototype.heard = function (word) {
  if (!this.held && String(word) === "word-" + this.word) {
    this.held = true;
  }
};

/** Give the port up, to claim another one. */
Port.prototype.release = function () {
  if (this.number) {
    this.ledger.release("port_" + this.number);
  }
  this.held = false;
  this.word = "";
};
