/** The home of the bridge: where it is, the secret in it, and the port of the bridge that runs. */
function Home(devicePath) {
  this.devicePath = devicePath;
  this.path = "";
  this.installedBy = "";
  this.find();
}

Home.CONFIG = "daw-bridge.json";

/** Look for the home: named by the file beside the device, else where the platform keeps it. */
Home.prototype.find = function () {
  var beside = this.devicePath ? Files.json(Files.folder(this.devicePath) + "/" + Home.CONFIG, this.devicePath) : null;
  if (beside && typeof beside.home === "string" && beside.home !== "") {
    this.path = Files.native(beside.home).replace(/\/+$/, "");
    this.installedBy = String(beside.installed_by || "");
  } else {
    this.path = this.usual();
    this.installedBy = "";
  }
  return this.path !== "";
};

/** The platform's own place, as told by where the device lies. */
Home.prototype.usual = function () {
  var own = Files.native(this.devicePath || "");
  var mac = /^\/Users\/[^\/]+/.exec(own);
  if (mac) {
    return mac[0] + "/Library/Application Support/daw-bridge";
  }
  var windows = /^[A-Za-z]:\/Users\/[^\/]+/.exec(own);
  return windows ? windows[0] + "/AppData/Local/daw-bridge" : "";
};

/** The secret, or "". It is read anew each time and kept nowhere but in memory. */
Home.prototype.secret = function () {
  var text = Files.read(this.path + "/token", this.devicePath);
  var found = text === null ? null : /^\s*([0-9A-Fa-f]{64})\s*$/.exec(text);
  return found ? found[1] : "";
};

/** What a running bridge says of itself, or null. */
Home.prototype.runtime = function () {
  return Files.json(this.path + "/runtime.json", this.devicePath);
};
