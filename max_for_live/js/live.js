/** Live: thin words over LiveAPI. Its errors are printed and not thrown, and get() returns arrays, also of one. */
var Live = (function () {
  var root = null;

  function at(path) {
    return new LiveAPI(path);
  }

  /** The set, by one object for all: it is asked several times a second. */
  function song() {
    if (!exists(root)) {
      root = at("live_set");
    }
    return root;
  }

  /** An object by its id. Setting a number leaves no trace in Max's table of symbols, as a path does. */
  function byId(id) {
    var api = new LiveAPI("live_set");
    api.id = Number(id);
    return api;
  }

  /** Look at many objects, one after the other, through one that is pointed at each; it may not be kept. Ends where `act` says false. */
  function each(ids, act) {
    var eye = ids.length ? new LiveAPI("live_set") : null;
    for (var i = 0; i < ids.length; i += 1) {
      eye.id = Number(ids[i]);
      if (act(eye, i) === false) {
        return;
      }
    }
  }

  /** The first of the ids that a property agrees with, as an object of its own, or null. */
  function first(ids, agrees) {
    var found = null;
    each(ids, function (eye) {
      found = agrees(eye) ? Number(eye.id) : null;
      return found === null;
    });
    return found === null ? null : byId(found);
  }

  /** Be told when a property of the set changes. In the answer Live lets nothing be changed. */
  function observe(property, heard) {
    var api = new LiveAPI(function (values) {
      if (values && String(values[0]) === property) {
        heard();
      }
    }, "live_set");
    api.property = property;
    return api;
  }

  function exists(api) {
    return Boolean(api) && String(api.id) !== "0" && String(api.id) !== "";
  }

  function text(api, property) {
    var found = api.get(property);
    return found && found.length ? found.join(" ") : "";
  }

  /** A number, or NaN. */
  function number(api, property) {
    var found = api.get(property);
    return found && found.length ? Number(found[0]) : NaN;
  }

  function flag(api, property) {
    return number(api, property) === 1;
  }

  /** The ids in a list of children: ["id", 1, "id", 2]. */
  function ids(api, property) {
    var found = api.get(property) || [];
    var all = [];
    for (var i = 0; i + 1 < found.length; i += 2) {
      if (String(found[i]) === "id" && Number(found[i + 1]) !== 0) {
        all.push(Number(found[i + 1]));
      }
    }
    return all;
  }

  function child(api, property) {
    var found = ids(api, property);
    return found.length ? byId(found[0]) : null;
  }

  function path(api) {
    return String(api.unquotedpath || api.path || "").replace(/"/g, "");
  }

  function version() {
    var application = at("live_app");
    var part = function (name) {
      var answer = application.call(name);
      return Number(answer instanceof Array ? answer[0] : answer) || 0;
    };
    return [part("get_major_version"), part("get_minor_version"), part("get_bugfix_version")];
  }

  function atLeast(have, want) {
    for (var i = 0; i < 3; i += 1) {
      if (have[i] !== want[i]) {
        return have[i] > want[i];
      }
    }
    return true;
  }

  /** The path of the set, "" while it was never saved. Before 11.3.25 a device could not ask for it. */
  function setPath(have) {
    return atLeast(have, [11, 3, 25]) ? text(song(), "file_path") : "";
  }

  /** Whether this Live can make audio clips for a device: 11.3.25 on that line, 12.0.5 on the next. */
  function canPlace(have) {
    return atLeast(have, have[0] <= 11 ? [11, 3, 25] : [12, 0, 5]);
  }

  return {
    at: at, song: song, byId: byId, each: each, first: first, observe: observe, exists: exists, text: text, number: number,
    flag: flag, ids: ids, child: child, path: path,
    version: version, atLeast: atLeast, setPath: setPath, canPlace: canPlace
  };
}());
