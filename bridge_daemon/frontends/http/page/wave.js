/** Waveforms, the one player of the page, and how loud a sound is. */
import { h } from "./dom.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draw peaks; from and to (0 to 1) are marked, at is where it plays. */
export function draw(canvas, peaks, { from = null, to = null, at = null } = {}) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  if (!peaks || !peaks.min.length) return;
  const count = peaks.min.length;
  const wide = width / count;
  for (let i = 0; i < count; i += 1) {
    const inside = from === null || (i / count >= from && i / count < to);
    pen.fillStyle = css(inside ? "--wave" : "--wave-soft");
    const top = (1 - Math.min(1, peaks.max[i])) * height / 2;
    const bottom = (1 - Math.max(-1, peaks.min[i])) * height / 2;
    pen.fillRect(i * wide, top, Math.max(1, wide - ratio * 0.5), Math.max(ratio, bottom - top));
  }
  if (at !== null) { pen.fillStyle = css("--text"); pen.fillRect(at * width, 0, 2 * ratio, height); }
}

/** A waveform in which a region can be drawn by dragging, or moved with the arrow keys. */
export function region(peaks, seconds, onChange) {
  const canvas = h("canvas", { class: "wave", tabindex: "0", role: "slider", "aria-label": "Region of the source: drag, or use the arrow keys; Shift moves the end" });
  let from = 0;
  let to = 1;
  const show = () => {
    draw(canvas, peaks, { from, to });
    canvas.setAttribute("aria-valuetext", `${(from * seconds).toFixed(2)} to ${(to * seconds).toFixed(2)} seconds`);
    canvas.setAttribute("aria-valuenow", String(Math.round(from * 100)));
    onChange(from * seconds, to * seconds);
  };
  const place = (event) => Math.min(1, Math.max(0, event.offsetX / canvas.clientWidth));
  let start = null;
  canvas.onpointerdown = (event) => { start = place(event); canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = (event) => {
    if (start === null) return;
    const now = place(event);
    from = Math.min(start, now); to = Math.max(start, now);
    show();
  };
  canvas.onpointerup = () => { if (to - from < 0.005) { from = 0; to = 1; show(); } start = null; };
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: -0.01, ArrowRight: 0.01 }[event.key];
    if (!step) return;
    event.preventDefault();
    if (event.shiftKey) to = Math.min(1, Math.max(from + 0.01, to + step)); else from = Math.max(0, Math.min(to - 0.01, from + step));
    show();
  };
  new ResizeObserver(show).observe(canvas);
  return canvas;
}

/** The player: one sound at a time, looped if wanted, as loud as the one that it is compared with. */
class Player extends EventTarget {
  constructor() {
    super();
    this.audio = new Audio();
    this.audio.preload = "auto";
    this.url = "";
    for (const kind of ["play", "pause", "ended", "timeupdate", "error"]) this.audio.addEventListener(kind, () => this.dispatchEvent(new Event("change")));
  }

  get playing() { return !this.audio.paused && !this.audio.ended; }

  get place() { return this.audio.duration ? this.audio.currentTime / this.audio.duration : 0; }

  /** Play, or pause what plays. gain is in dB, at most 0. */
  async toggle(url, { gain = 0, keepPlace = false, again = false } = {}) {
    if (this.url === url && !again) { if (this.playing) this.audio.pause(); else await this.audio.play(); return; }
    const at = keepPlace ? this.audio.currentTime : 0;
    this.url = url;
    this.audio.src = url;
    this.audio.volume = Math.min(1, 10 ** (gain / 20));
    if (at) this.audio.currentTime = at;
    await this.audio.play();
  }

  set loop(on) { this.audio.loop = on; }

  get loop() { return this.audio.loop; }

  stop() { this.audio.pause(); }
}
export const player = new Player();

const measured = new Map();
/** Integrated loudness in LUFS (BS.1770: K weighting, 400 ms blocks, both gates); null for silence. Kept for each sound. */
export async function loudness(url) {
  if (!measured.has(url)) measured.set(url, measure(url));
  return measured.get(url);
}

async function measure(url) {
  const bytes = await (await fetch(url)).arrayBuffer();
  const sound = await new OfflineAudioContext(2, 48000, 48000).decodeAudioData(bytes);
  const room = new OfflineAudioContext(sound.numberOfChannels, sound.length, sound.sampleRate);
  const from = room.createBufferSource();
  from.buffer = sound;
  const shelf = new BiquadFilterNode(room, { type: "highshelf", frequency: 1500, gain: 4 });
  const low = new BiquadFilterNode(room, { type: "highpass", frequency: 38.1, Q: -6 });
  from.connect(shelf).connect(low).connect(room.destination);
  from.start();
  const heard = await room.startRendering();
  const step = Math.round(heard.sampleRate / 10);
  const count = Math.floor(heard.length / step);
  const power = new Float64Array(count);
  for (let channel = 0; channel < heard.numberOfChannels; channel += 1) {
    const data = heard.getChannelData(channel);
    for (let i = 0; i < count; i += 1) {
      let sum = 0;
      for (let j = i * step; j < (i + 1) * step; j += 1) sum += data[j] * data[j];
      power[i] += sum / step;
    }
  }
  const blocks = [];
  for (let i = 0; i + 4 <= count; i += 1) blocks.push((power[i] + power[i + 1] + power[i + 2] + power[i + 3]) / 4);
  const level = (value) => -0.691 + 10 * Math.log10(value + 1e-15);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const loud = blocks.filter((value) => level(value) > -70);
  if (!loud.length) return null;
  const gate = level(mean(loud)) - 10;
  return level(mean(loud.filter((value) => level(value) > gate)));
}

/** How much quieter each of two sounds must be so that both are as loud as the quieter one, dB. */
export async function matched(one, other) {
  const [a, b] = await Promise.all([loudness(one), loudness(other)]);
  if (a === null || b === null) return [0, 0];
  const least = Math.min(a, b);
  return [least - a, least - b];
}
