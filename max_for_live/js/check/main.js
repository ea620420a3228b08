// What Max calls. live.thisdevice bangs when Live is there, and again after each preset and save.
autowatch = 0;
inlets = 1;
outlets = 3;

var patcherOfDevice = this.patcher;
var check = new DawBridge.Check(function (index, message) {
  outlet(index, message);
}, function (name) {
  return patcherOfDevice.getnamed(name);
});
var task = null;

function tick() {
  try {
    check.tick();
  } catch (fault) {
    error("daw-bridge: " + fault + "\n");
  }
}
tick.local = 1;

function bang() {
  check.start(String(patcherOfDevice.filepath || ""));
  if (task === null) {
    task = new Task(tick, this);
    task.interval = DawBridge.Check.TICK;
    task.repeat();
  }
}

function anything() {
  check.hear(String(messagename), Array.prototype.slice.call(arguments));
}

function notifydeleted() {
  if (task !== null) {
    task.cancel();
    task = null;
  }
  check.gone();
}
