"use strict";
// An audio clip, with the traps of the real one (facts: 1.2).
const wav = require("./wav");

const PALETTE_MASK = 0xf0f0f0; // the nearest colour of the chooser is taken, so it reads back differently

class Clip {
  constructor(set, file, sound, startTime) {
    this.set = set;
    this.file = file;
    this.name = file.replace(/^.*\//, "").replace(/\.[^.]*$/, "");
    this.color = 0;
    this.rate = sound.rate;
    this.frames = sound.frames;
    this.startTime = startTime; // beats in the arrangement, or null in a slot
    this.gone = false;
    this.warpMode = 0;
    this.gain = 0.4; // 0 dB, as a device maker has measured; the reference says only that it goes from 0 to 1
    const seconds = this.frames / this.rate;
    // a fresh clip carries a marker with the tempo that Live guessed
    this.markers = [{ beat_time: 0, sample_time: 0 }, { beat_time: (seconds * set.guessedTempo) / 60, sample_time: seconds }];
    this.warping = set.warpsNew ? 1 : 0; // the preference of the user decides
    this.looping = this.warping && set.loopsNew ? 1 : 0;
    this.start = 0;
    this.end = this.warping ? this.markers[1].beat_time : seconds;
    this.startMarker = 0;
    this.endMarker = this.end;
    this.loopedLength = null; // beats; a looped clip in the arrangement keeps its length
  }

  get seconds() {
    return this.frames / this.rate;
  }

  // Reference: "the gain display value of the clip as a string (e.g. 1.3 dB)".
  get shownGain() {
    const decibels = this.gain >= 0.4 ? (this.gain - 0.4) * 40 : 50 * Math.log10(this.gain / 0.4);
    return this.gain === 0 ? "-inf dB" : `${decibels.toFixed(1)} dB`;
  }

  toBeats(second) {
    const [a, b] = this.segment("sample_time", second);
    return a.beat_time + ((second - a.sample_time) * (b.beat_time - a.beat_time)) / (b.sample_time - a.sample_time);
  }

  toSeconds(beat) {
    const [a, b] = this.segment("beat_time", beat);
    return a.sample_time + ((beat - a.beat_time) * (b.sample_time - a.sample_time)) / (b.beat_time - a.beat_time);
  }

  segment(key, value) {
    let i = 1;
    while (i < this.markers.length - 1 && this.markers[i][key] < value) {
      i += 1;
    }
    return [this.markers[i - 1], this.markers[i]];
  }

  // Its length on the time line, beats.
  get length() {
    if (this.loopedLength !== null && this.looping) {
      return this.loopedLength;
    }
    const own = this.end - this.start;
    return this.warping ? own : (own * this.set.tempo) / 60;
  }

  setWarping(value) {
    if (value === this.warping) {
      return;
    }
    // the unit of all markers changes with it
    const convert = value ? (x) => this.toBeats(x) : (x) => this.toSeconds(x);
    for (const key of ["start", "end", "startMarker", "endMarker"]) {
      this[key] = convert(this[key]);
    }
    this.warping = value;
    if (!value) {
      this.looping = 0;
    }
  }

  setEdge(key, value) {
    if (key === "loop_end") {
      if (value <= this.start) {
        throw new Error("Invalid loop end");
      }
      this.end = this.warping ? value : Math.min(value, this.seconds);
    } else if (key === "loop_start") {
      if (value >= this.end) {
        throw new Error("Invalid loop start");
      }
      this.start = value;
    } else if (key === "start_marker") {
      if (this.startTime === null || this.looping) {
        this.startMarker = value; // alone on a clip of the arrangement it is ignored
      }
    } else {
      this.endMarker = value; // takes anything, also past the end of the file
    }
  }

  addMarker(marker) {
    if (typeof marker !== "object" || typeof marker.beat_time !== "number" || typeof marker.sample_time !== "number") {
      throw new TypeError("a warp marker is a dictionary");
    }
    if (this.set.refusesMarkers) {
      throw new Error("Warp marker is not allowed");
    }
    this.markers = this.markers.filter((m) => Math.abs(m.beat_time - marker.beat_time) > 1e-6);
    this.markers.push({ beat_time: marker.beat_time, sample_time: marker.sample_time });
    // a marker that would make time run backwards pushes the guessed one away
    this.markers = this.markers.filter((m) => m.beat_time === marker.beat_time ||
      (m.beat_time - marker.beat_time) * (m.sample_time - marker.sample_time) > 0);
    this.markers.sort((a, b) => a.beat_time - b.beat_time);
  }

  removeMarker(beat) {
    const before = this.markers.length;
    this.markers = this.markers.filter((m) => Math.abs(m.beat_time - beat) > 1e-6);
    if (this.markers.length === before) {
      throw new Error("No warp marker there");
    }
  }

  copy(startTime) {
    const other = Object.assign(Object.create(Clip.prototype), this);
    other.markers = this.markers.map((m) => Object.assign({}, m));
    other.startTime = startTime;
    other.loopedLength = this.looping ? this.end - this.start : null;
    return other;
  }

  setColor(value) {
    this.color = value & PALETTE_MASK;
  }

  about() {
    return {
      file: this.file, name: this.name, color: this.color, warping: this.warping, looping: this.looping, loop_start: this.start,
      loop_end: this.end, start_marker: this.startMarker, end_marker: this.endMarker, start_time: this.startTime,
      length: this.length, markers: this.markers, warp_mode: this.warpMode, gain: this.shownGain
    };
  }
}

module.exports = { Clip, wav };
