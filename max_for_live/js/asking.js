/** Asking: what a press means, as the keys of a request. Numbers go as decimal text, since a float of OSC is not exact. */
var Asking = (function () {
  var LONGEST_PROMPT = 5500; // bytes; a datagram holds 8 KiB, and the paths of the set have to fit as well

  /** A pad that launches its take, or wants it when it has come, means the session. */
  function inSession(panel, overrides) {
    if (overrides.target) {
      return overrides.target === "session";
    }
    return overrides.launch === "quantized" || overrides.when === "arrival_bar" || panel.place === Panel.SESSION;
  }

  /** Where a new take goes, by the controls: {beats, length (beats), session, slot, track} or {error}. */
  function spot(panel, song, overrides) {
    var session = inSession(panel, overrides);
    var bars = Number(overrides.bars) || panel.bars;
    var here = song.here;
    var beats = panel.span === Panel.SECONDS && !overrides.bars ? panel.bars * song.tempo / 60 : bars * song.bar;
    var found = { beats: here, length: beats, session: session, slot: Session.highlighted(), track: null };
    if (panel.span === Panel.LOOP && !overrides.bars) {
      found.beats = song.loopStart;
      found.length = song.loopLength;
    } else if (panel.span === Panel.CLIP && !overrides.bars) {
      var clip = Sources.clip(song);
      if (clip.error) {
        return clip;
      }
      found.length = clip.length * song.tempo / 60;
      found.beats = isNaN(clip.beats) ? here : clip.beats;
      found.slot = clip.session ? clip.slot : found.slot;
      found.track = clip.track;
    }
    return found;
  }

  /** Where a transform goes: to its source, in the session or in the arrangement as the panel says. */
  function spotOf(source, panel, song, overrides) {
    var session = inSession(panel, overrides);
    var here = song.here;
    return {
      beats: source.beats === undefined || isNaN(source.beats) ? here : source.beats,
      length: overrides.bars ? Number(overrides.bars) * song.bar : source.length * song.tempo / 60, session: session,
      slot: source.session ? source.slot : Session.highlighted(),
      track: (overrides.track ? Tracks.named(String(overrides.track), -1) : null) || source.track || null
    };
  }

  /** The folders for the take, the best first: of the project where the set is saved in one. "" is the library. */
  function folders(path) {
    var folder = Files.folder(Files.native(path));
    return path !== "" && / Project$/.test(folder) ? [folder + "/Samples", folder, ""] : [""];
  }

  function place(spot, song, identity, panel, path, launch, fit) {
    var selected = panel.target === Panel.SELECTED ? Live.child(Live.at("live_set view"), "selected_track") : null;
    var track = selected || spot.track || Tracks.own();
    var named = track && Tracks.able(track) ? track : null;
    if (selected && !named) {
      return { error: "The selected track takes no audio clips: select an audio track" };
    }
    var token = { w: panel.warp ? 1 : 0, f: fit || Panel.FITS[panel.fit] || Fit.usual(panel.span, spot.session) };
    if (panel.target === Panel.NEW) {
      token.k = 1; // a track of its own
    } else if (named) {
      token.t = Tracks.index(named);
      token.n = Live.text(named, "name").slice(0, 200);
    }
    var seconds = Timeline.seconds(spot.length, song.tempo);
    return {
      trackId: named && !token.k ? Number(named.id) : 0,
      pairs: [
        ["project", Files.native(path).slice(-200)], ["project_id", identity.set], ["track", token.n],
        ["target", spot.session ? "session" : "arrangement"], ["slot", spot.session ? spot.slot : undefined],
        ["launch", spot.session && launch ? "quantized" : undefined],
        ["position", Text.decimal(Timeline.seconds(spot.beats, song.tempo))], ["beats", Text.decimal(spot.beats)],
        ["length", Text.decimal(seconds)], ["tempo", Text.decimal(song.tempo)],
        ["time_signature", song.numerator + "/" + song.denominator], ["token", JSON.stringify(token)]
      ]
    };
  }

  var ADDED = /(^|, )\d+(\.\d+)? BPM(, [A-G]#? [A-Za-z ]+)?$/;
  var NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

  /** A prompt without what was added to it. */
  function plain(prompt) {
    return prompt.replace(ADDED, "");
  }

  /** A prompt with the set's tempo, and its scale where one is switched on; never twice. */
  function musical(prompt, song) {
    var words = [prompt];
    if (!/\d\s*-?bpm\b/i.test(prompt)) {
      words.push(Text.decimal(song.tempo, 2) + " BPM");
      if (song.scale && !/\b[A-G](#|b|♯|♭| sharp| flat)?\s*-?(major|minor|maj|min)\b/i.test(prompt)) {
        words.push(NOTES[song.scale.root] + " " + song.scale.name.toLowerCase());
      }
    }
    return words.join(", ");
  }

  /** What the sound shall be. With a preset only what is typed goes before it, and nothing is added: it may name a tempo. */
  function sound(panel, overrides, transform, song) {
    var preset = overrides.preset || panel.preset;
    var adds = panel.tempo && !preset && panel.span < Panel.SHOT && panel.prompt !== "";
    var own = {
      prompt: adds ? musical(panel.prompt, song) : panel.prompt, variations: panel.variations, model: panel.model,
      negative_prompt: panel.takesNegative() ? panel.negative : undefined, loudness: Panel.LOUDNESS[panel.loudness]
    };
    if (!preset) {
      own.strength = Text.decimal(panel.strength, 3);
      own.cfg_scale = Text.decimal(panel.cfg, 3);
    }
    var pairs = [["preset", preset]];
    for (var i = 0; i < Parameters.length; i++) {
      var key = Parameters[i].key;
      var value = overrides[key] !== undefined ? String(overrides[key]) : own[key];
      if (Parameters[i].on.indexOf(transform ? "transform" : "generate") < 0) {
        value = undefined;
      }
      pairs.push([key, key === "variations" ? Number(value) : value]);
    }
    return pairs;
  }

  /** The controls that say where a take goes and how long it is: who changes one has not agreed to what was asked before. */
  function setting(panel) {
    return JSON.stringify([
      panel.span, panel.bars, panel.place, panel.target, panel.fit, panel.warp, panel.launch, panel.source, panel.lock ? panel.seed : 0
    ]);
  }

  /** Why a press cannot be sent, or "". */
  function missing(panel, overrides) {
    var prompt = overrides.prompt !== undefined ? String(overrides.prompt) : panel.prompt;
    if (Text.bytes(prompt) > LONGEST_PROMPT) {
      return "The prompt is too long for a message: " + LONGEST_PROMPT + " letters at most and fewer with accents";
    }
    return prompt.replace(/\s/g, "") === "" && !overrides.preset && !panel.preset ?
      "Type a prompt first or choose a preset" : "";
  }

  return { plain: plain, spot: spot, spotOf: spotOf, folders: folders, place: place, setting: setting, sound: sound, missing: missing };
}());
