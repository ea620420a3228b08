/**
 * The connection: port → calling → connected, and back to calling when hellos stay unanswered. While calling, port and
 * secret are read anew from the home before each hello, so a bridge that was started again is found by itself.
 */
function Connection(home, wire, port, identity) {
  this.home = home;
  this.wire = wire;
  this.port = port;
  this.identity = identity;
  this.connected = false;
  this.welcome = null;
  this.why = "Starting ...";
  this.unanswered = 0;
  this.at = 0;
}

Connection.EVERY = 5000; // ms between hellos
Connection.AGAIN = 1500; // ms until an unanswered one is repeated
Connection.CALLING = 1000;
Connection.LOST = 3; // unanswered hellos until the bridge counts as gone
Connection.OTHER_PORT = 12; // unanswered hellos until another port is tried

Connection.prototype.tick = function (now) {
  if (!this.port.tick(now) || now < this.at) {
    return;
  }
  if (this.connected && this.unanswered >= Connection.LOST) {
    this.connected = false;
    this.unanswered = 0;
    this.wire.forget();
    this.why = "The bridge does not answer any more. Start it: daw-bridge start";
  }
  if (!this.connected) {
    if (this.unanswered >= Connection.OTHER_PORT) {
      this.unanswered = 0;
      this.port.release();
      return;
    }
    if (!this.look()) {
      this.at = now + Connection.CALLING;
      return;
    }
  }
  this.hello();
  this.unanswered += 1;
  this.at = now + (this.connected ? Connection.AGAIN : Connection.CALLING);
};

Connection.prototype.hello = function () {
  this.wire.own = this.port.number;
  this.wire.send("/bridge/hello", [["client", this.identity.client], ["port", this.port.number]]);
};

/** Read where the bridge is; false, with a reason, where it cannot be called. */
Connection.prototype.look = function () {
  if (!this.home.find()) {
    this.why = "Not installed by daw-bridge. In a terminal: daw-bridge install live";
    return false;
  }
  var secret = this.home.secret();
  if (secret === "") {
    this.why = "No home of the bridge in " + this.home.path + ". Start it: daw-bridge start";
    return false;
  }
  var runtime = this.home.runtime();
  if (!runtime) {
    this.why = "The bridge is not running. Start it: daw-bridge start";
    return false;
  }
  var port = Number(runtime.osc_port);
  if (!port) {
    this.why = "OSC is switched off in the bridge's config.toml ([osc] enabled)";
    return false;
  }
  this.wire.trust(secret);
  this.wire.target(port);
  if (this.unanswered >= 2) {
    this.why = "The bridge does not answer. Is it running? Start it: daw-bridge start";
  } else if (this.unanswered === 0 && this.welcome === null) {
    this.why = "Calling the bridge ...";
  }
  return true;
};

/** Take the answer to a ping. A bridge that proves nothing is an old one, or is none. */
Connection.prototype.ponged = function (told) {
  if (!this.wire.ponged(told) && !this.connected && told.proof === undefined && told.version !== undefined) {
    this.why = "The bridge " + told.version + " is older than this device: update daw-bridge";
  }
};

/** Take a welcome; true where the bridge was not there before. */
Connection.prototype.welcomed = function (told, now) {
  var fresh = !this.connected;
  this.connected = true;
  this.welcome = told;
  this.unanswered = 0;
  this.at = now + Connection.EVERY;
  this.why = "";
  return fresh;
};

/** Where the device and the bridge are not of the same version: what to do about it. */
Connection.prototype.mismatch = function (own) {
  var other = this.welcome ? String(this.welcome.version || "") : "";
  if (other === "" || other === own) {
    return "";
  }
  return "This device is " + own + " and the bridge " + other + ": " +
    (this.home.installedBy === other ? "open the set again" : "daw-bridge install live");
};
