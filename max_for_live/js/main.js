// What Max calls. live.thisdevice bangs when Live is there, and again after each preset and save.
autowatch = 0;
inlets = 1;
outlets = 3;

var device = new DawBridge.Device(function (index, message) {
  outlet(index, message);
}, String(jsarguments[1] || "audio"), hide);
var patcherOfDevice = this.patcher;
var task = null;

function tick() {
  try {
    device.tick();
  } catch (fault) {
    error("daw-bridge: " + fault + "\n");
  }
}
tick.local = 1;

/** Show a box of the panel, or not. */
function hide(name, hidden) {
  var box = patcherOfDevice.getnamed(name);
  if (box) {
    box.hidden = hidden;
  }
}
hide.local = 1;

function bang() {
  device.start(String(patcherOfDevice.filepath || ""));
  if (task === null) {
    task = new Task(tick, this);
    task.interval = DawBridge.Device.TICK;
    task.repeat();
  }
}

function anything() {
  device.hear(String(messagename), Array.prototype.slice.call(arguments));
}

function notifydeleted() {
  if (task !== null) {
    task.cancel();
    task = null;
  }
  device.gone();
}
