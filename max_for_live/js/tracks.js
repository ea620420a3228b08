/** Tracks: which one a take belongs to. Live lets a device put clips on audio tracks only, and on no frozen one. */
var Tracks = (function () {
  var TAKES = " takes"; // what the name of a track for takes ends with

  function index(track) {
    var found = /^live_set tracks (\d+)/.exec(Live.path(track));
    return found ? Number(found[1]) : -1;
  }

  function able(track) {
    return Live.exists(track) && /^live_set tracks \d+$/.test(Live.path(track)) &&
      Live.flag(track, "has_audio_input") && !Live.flag(track, "is_foldable") && !Live.flag(track, "is_frozen");
  }

  /** The track that the device is on; inside of a Rack its parents are chains first. */
  function own() {
    var parent = Live.child(Live.at("this_device"), "canonical_parent");
    for (var depth = 0; depth < 16 && Live.exists(parent); depth += 1) {
      if (String(parent.type) === "Track") {
        return parent;
      }
      parent = Live.child(parent, "canonical_parent");
    }
    return null;
  }

  function ids() {
    return Live.ids(Live.song(), "tracks");
  }

  function at(number) {
    var tracks = Live.ids(Live.song(), "tracks");
    return number >= 0 && number < tracks.length ? Live.byId(tracks[number]) : null;
  }

  function named(name, number) {
    var there = at(number);
    if (there && Live.text(there, "name") === name) {
      return there;
    }
    return Live.first(ids(), function (track) { return Live.text(track, "name") === name; });
  }

  /** The track that a take was asked for, as far as it is there and can hold it; else null. */
  function wanted(order) {
    var candidates = [
      order.trackId ? Live.byId(order.trackId) : null,
      order.trackName ? named(order.trackName, order.trackIndex) : null,
      own()
    ];
    for (var i = 0; i < candidates.length; i += 1) {
      if (candidates[i] && able(candidates[i])) {
        return candidates[i];
      }
    }
    return null;
  }

  /** The tracks that were made for the takes of another one, in their order. */
  function madeFor(name) {
    var found = [];
    Live.each(ids(), function (track) {
      if (Live.text(track, "name") === name + TAKES && able(track)) {
        found.push(Live.byId(track.id));
      }
    });
    return found;
  }

  /** Make an audio track behind another one. It gets its name when a clip stands on it. */
  function make(behind) {
    var song = Live.song();
    var place = behind ? index(behind) + 1 : 0;
    var before = Live.ids(song, "tracks");
    song.call("create_audio_track", place > 0 ? place : -1);
    var fresh = Live.ids(song, "tracks").filter(function (id) { return before.indexOf(id) < 0; });
    return fresh.length === 1 ? Live.byId(fresh[0]) : null;
  }

  function remove(track) {
    var number = index(track);
    if (number >= 0) {
      Live.song().call("delete_track", number);
    }
  }

  return {
    TAKES: TAKES, index: index, able: able, own: own, ids: ids, at: at, named: named, wanted: wanted, madeFor: madeFor,
    make: make, remove: remove
  };
}());
