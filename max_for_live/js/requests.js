/**
 * Requests: whatever is asked of the bridge under an id, repeated until it is answered. The same id twice costs nothing
 * more, so repeating is safe; after a while it ends, and the list of jobs tells what became of it.
 */
function Requests(wire) {
  this.wire = wire;
  this.open = {};
}

Requests.PAUSES = [500, 1000, 2000, 4000, 5000]; // ms
Requests.GIVE_UP = 60000;

/** Ask. `answered(word, told)` hears "accepted", "ok", "refused", or "silence" once. */
Requests.prototype.ask = function (address, id, pairs, now, answered) {
  var request = {
    address: address, id: id, pairs: pairs, born: now, tries: 0, next: now, answered: answered, quiet: false
  };
  this.open[id] = request;
  this.say(request, now);
  return request;
};

Requests.prototype.say = function (request, now) {
  request.next = now + Requests.PAUSES[Math.min(request.tries, Requests.PAUSES.length - 1)];
  request.tries += 1;
  this.wire.send(request.address, [["id", request.id]].concat(request.pairs));
};

Requests.prototype.tick = function (now) {
  var self = this;
  Object.keys(this.open).forEach(function (id) {
    var request = self.open[id];
    if (now - request.born > Requests.GIVE_UP) {
      self.close(id, "silence", {});
    } else if (!request.quiet && now >= request.next) {
      self.say(request, now);
    }
  });
};

/** Ask no more; an answer that is on its way is heard all the same. True where it was still unanswered. */
Requests.prototype.hush = function (id) {
  if (this.open[id]) {
    this.open[id].quiet = true;
  }
  return Boolean(this.open[id]);
};

/** An answer came; true where it was for one of ours. */
Requests.prototype.heard = function (word, told) {
  return this.close(String(told.id || ""), word, told);
};

Requests.prototype.close = function (id, word, told) {
  var request = this.open[id];
  if (!request) {
    return false;
  }
  delete this.open[id];
  request.answered(word, told);
  return true;
};
