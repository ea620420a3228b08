/** Several sounds at once, in step, of which one is heard: switching has no gap, and none is louder than another. */
import { decode, integrated } from "./loudness.js";
import { player } from "./player.js";

const FADE = 0.006; // s: quicker clicks

export class Deck extends EventTarget {
  /** tracks: [{label, url, rate}]. */
  constructor(tracks) {
    super();
    this.tracks = tracks;
    this.current = 0;
    this.loop = true;
    this.at = 0; // s, while it stands still
    this.began = null; // the context's time of the sounds' start, while it plays
    this.sources = [];
    this.stopFor = () => { if (player.playing) this.pause(); };
    player.addEventListener("change", this.stopFor);
  }

  get playing() { return this.began !== null; }

  /** Decode all of them and measure each; afterwards every track has `lufs` and the `gain` that makes them equal, in dB. */
  load() {
    this.loading ??= (async () => {
      for (const track of this.tracks) {
        track.sound = await decode(track.url, track.rate);
        track.lufs = await integrated(track.sound);
      }
      const known = this.tracks.map((track) => track.lufs).filter((lufs) => lufs !== null);
      const least = Math.min(...known);
      for (const track of this.tracks) track.gain = track.lufs === null ? 0 : least - track.lufs;
      this.seconds = Math.max(...this.tracks.map((track) => track.sound.duration));
    })();
    this.loading.catch(() => { this.loading = null; });
    return this.loading;
  }

  get position() {
    if (!this.playing) return this.at;
    const past = this.context.currentTime - this.began;
    return this.loop ? past % this.seconds : Math.min(past, this.seconds);
  }

  get place() { return this.seconds ? this.position / this.seconds : 0; }

  async play(index = this.current) {
    await this.load();
    player.stop();
    this.context ??= new AudioContext();
    if (this.context.state === "suspended") await this.context.resume();
    if (this.playing) { this.switchTo(index); return; }
    this.current = index;
    const start = this.context.currentTime + 0.02;
    this.began = start - this.at;
    this.sources = this.tracks.map((track, i) => {
      // shorter sounds are silent at their end, so that all of them stay in step when they are looped
      const from = new AudioBufferSourceNode(this.context, { buffer: this.padded(track), loop: this.loop });
      const volume = new GainNode(this.context, { gain: i === index ? 10 ** (track.gain / 20) : 0 });
      from.connect(volume).connect(this.context.destination);
      from.start(start, this.at);
      return { from, volume };
    });
    this.sources[0].from.onended = () => { if (this.playing) { this.halt(0); this.changed(); } };
    this.changed();
  }

  padded(track) {
    const frames = Math.round(this.seconds * track.sound.sampleRate);
    if (track.sound.length >= frames) return track.sound;
    if (!track.whole) {
      const { numberOfChannels, sampleRate } = track.sound;
      track.whole = new AudioBuffer({ length: frames, numberOfChannels, sampleRate });
      for (let i = 0; i < numberOfChannels; i += 1) track.whole.copyToChannel(track.sound.getChannelData(i), i);
    }
    return track.whole;
  }

  switchTo(index) {
    this.current = index;
    const now = this.context.currentTime;
    this.sources.forEach(({ volume }, i) => volume.gain.setTargetAtTime(i === index ? 10 ** (this.tracks[i].gain / 20) : 0, now, FADE));
    this.changed();
  }

  halt(at) {
    this.at = at;
    this.began = null;
    for (const { from } of this.sources) { from.onended = null; from.stop(); from.disconnect(); }
    this.sources = [];
  }

  pause() {
    if (!this.playing) return;
    this.halt(this.position);
    this.changed();
  }

  async seek(part) {
    await this.load();
    const playing = this.playing;
    this.halt(part * this.seconds);
    if (playing) await this.play(); else this.changed();
  }

  setLoop(on) {
    const playing = this.playing;
    if (playing) this.halt(this.position);
    this.loop = on;
    if (playing) this.play(); else this.changed();
  }

  changed() { this.dispatchEvent(new Event("change")); }

  close() {
    player.removeEventListener("change", this.stopFor);
    this.halt(0);
    this.context?.close();
    this.context = null;
  }
}
