/**
 * The home of the bridge: where it is, the secret in it, and the port of the bridge that runs. It is found in more than one
 * way, since Collect All and Save copies the device without the file beside it, and sets lie on other disks.
 */
function Home(devicePath) {
  this.devicePath = devicePath;
  this.path = "";
  this.how = ""; // how it was found, for people
  this.installedBy = "";
  this.kept = ""; // the home that was saved with the device
  this.shared = new Global("daw_bridge_home"); // what another device of this Live has found
  this.find();
}

Home.CONFIG = "daw-bridge.json";
Home.FOLDERS = ["Audio Effects/Max Audio Effect", "MIDI Effects/Max MIDI Effect"];

/** Look for the home. The file beside the device decides; of the other ways the first that leads to a secret. */
Home.prototype.find = function () {
  var beside = this.devicePath ? this.named(Files.folder(this.devicePath) + "/" + Home.CONFIG) : null;
  var ways = beside ? [] : this.library().concat([
    { path: this.kept, how: "saved with this device" }, { path: this.usual(), how: "in its usual place" },
    { path: String(this.shared.path || ""), how: "known to another device" }
  ]).filter(function (way) { return way.path !== ""; });
  var self = this;
  var found = beside || ways.filter(function (way) { return self.secretIn(way.path) !== ""; })[0] || ways[ways.length - 1];
  this.path = found ? found.path : "";
  this.how = beside ? "named beside this device" : found ? found.how : "";
  this.installedBy = found ? found.installedBy || "" : "";
  if (this.path !== "" && this.secret() !== "") {
    this.shared.path = this.path;
  }
  return this.path !== "";
};

/** The home that a file of the installer names, or null. */
Home.prototype.named = function (file) {
  var told = Files.json(file, this.devicePath);
  return told && typeof told.home === "string" && told.home !== "" ? {
    path: Files.native(told.home).replace(/\/+$/, ""), installedBy: String(told.installed_by || "")
  } : null;
};

/** The folder of the person, as told by where the device lies: {mac, path}, or null. */
Home.prototype.person = function () {
  var own = Files.native(this.devicePath || "");
  var mac = /^\/Users\/[^\/]+/.exec(own);
  var windows = /^[A-Za-z]:\/Users\/[^\/]+/.exec(own);
  return mac ? { mac: true, path: mac[0] } : windows ? { mac: false, path: windows[0] } : null;
};

/** The homes that are named by what is installed in Live's User Library. */
Home.prototype.library = function () {
  var person = this.person();
  var self = this;
  return person ? Home.FOLDERS.map(function (folder) {
    var library = person.path + (person.mac ? "/Music" : "/Documents") + "/Ableton/User Library/Presets/";
    return self.named(library + folder + "/daw-bridge/" + Home.CONFIG);
  }).filter(Boolean).map(function (way) {
    return { path: way.path, installedBy: way.installedBy, how: "named in the User Library" };
  }) : [];
};

/** The platform's own place. */
Home.prototype.usual = function () {
  var person = this.person();
  return person ? person.path + (person.mac ? "/Library/Application Support/daw-bridge" : "/AppData/Local/daw-bridge") : "";
};

Home.prototype.says = function () {
  return this.path === "" ? "" : "Home of the bridge: " + this.path + " (" + this.how + ")";
};

Home.prototype.secretIn = function (path) {
  var text = Files.read(path + "/token", this.devicePath);
  var found = text === null ? null : /^\s*([0-9A-Fa-f]{64})\s*$/.exec(text);
  return found ? found[1] : "";
};

/** The secret, or "". It is read anew each time and kept nowhere but in memory. */
Home.prototype.secret = function () {
  return this.secretIn(this.path);
};

/** What a running bridge says of itself, or null. */
Home.prototype.runtime = function () {
  return Files.json(this.path + "/runtime.json", this.devicePath);
};
