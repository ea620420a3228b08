/** Jobs: what became of what was asked for, and the one sentence and the one number that are shown of it. */
function Jobs() {
  this.jobs = {};
}

Jobs.WORDS = {
  queued: "Waiting ...", preparing: "Preparing ...", submitting: "Sending ...", generating: "Generating ...",
  fetching: "Fetching ...", stored: "Placing ..."
};
Jobs.MOST = 200;

Jobs.prototype.accepted = function (told) {
  var self = this;
  String(told.jobs || "").split(",").forEach(function (job) {
    if (job !== "" && !self.jobs[job]) {
      self.jobs[job] = { id: told.id, state: "queued", fraction: 0, over: false };
    }
  });
};

/** Take the state of a job, from progress or from the list. */
Jobs.prototype.state = function (told) {
  var job = this.jobs[told.job];
  if (!job) {
    job = this.jobs[told.job] = { id: told.id, state: "", fraction: 0, over: false };
  }
  if (job.over) {
    return;
  }
  job.state = String(told.state || job.state);
  job.fraction = Number(told.fraction) || 0;
  job.over = Jobs.WORDS[job.state] === undefined && job.state !== "held";
};

/** A job is at its end for this device. */
Jobs.prototype.end = function (name) {
  if (this.jobs[name]) {
    this.jobs[name].over = true;
  }
  this.forget();
};

/** The jobs that may still be cancelled. */
Jobs.prototype.open = function () {
  var jobs = this.jobs;
  return Object.keys(jobs).filter(function (name) { return !jobs[name].over; });
};

Jobs.prototype.forget = function () {
  var names = Object.keys(this.jobs);
  var jobs = this.jobs;
  names.slice(0, Math.max(0, names.length - Jobs.MOST)).forEach(function (name) {
    if (jobs[name].over) {
      delete jobs[name];
    }
  });
};

/** What is shown of the jobs that go on: {text, fraction}, or null where none does. */
Jobs.prototype.summary = function () {
  var jobs = this.jobs;
  var going = this.open().filter(function (name) { return Jobs.WORDS[jobs[name].state] !== undefined; });
  if (!going.length) {
    return null;
  }
  var total = 0;
  var slowest = jobs[going[0]];
  going.forEach(function (name) {
    total += jobs[name].fraction;
    slowest = jobs[name].fraction < slowest.fraction ? jobs[name] : slowest;
  });
  var text = Jobs.WORDS[slowest.state];
  return { text: going.length > 1 ? going.length + " takes: " + text : text, fraction: total / going.length };
};
