/** The one player of the page, and its bar at the bottom. */
import { get } from "./api.js";
import { clock, h, tell } from "./dom.js";
import { wave } from "./wave.js";

class Player extends EventTarget {
  constructor() {
    super();
    this.audio = new Audio();
    this.audio.preload = "auto";
    this.sound = null; // {url, title, peaks}
    for (const kind of ["play", "pause", "ended", "emptied", "seeked", "durationchange"]) this.audio.addEventListener(kind, () => this.changed());
    this.audio.addEventListener("error", () => { if (this.sound) tell(new Error("This sound cannot be played: it may be gone from the disk.")); this.changed(); });
  }

  get url() { return this.sound?.url ?? ""; }

  get playing() { return Boolean(this.sound) && !this.audio.paused && !this.audio.ended; }

  get seconds() { return Number.isFinite(this.audio.duration) ? this.audio.duration : 0; }

  get place() { return this.seconds ? this.audio.currentTime / this.seconds : 0; }

  /** Play a sound, or pause it while it plays. sound: {url, title, peaks}, peaks being the address of its waveform. */
  async toggle(sound) {
    if (sound.url !== this.url) {
      this.sound = sound;
      this.audio.src = sound.url;
    } else if (this.playing) { this.audio.pause(); return; }
    // a press that is overtaken by the next one is no fault
    await this.audio.play().catch((error) => { if (error.name !== "AbortError") throw error; });
  }

  seek(part) { if (this.seconds) this.audio.currentTime = Math.min(1, Math.max(0, part)) * this.seconds; }

  get loop() { return this.audio.loop; }

  set loop(on) { this.audio.loop = on; this.changed(); }

  stop() { this.audio.pause(); }

  /** Forget the sound; the bar goes. */
  close() {
    this.audio.pause();
    this.sound = null;
    this.audio.removeAttribute("src");
    this.audio.load();
    this.changed();
  }

  changed() { this.dispatchEvent(new Event("change")); }
}

export const player = new Player();

/** Call work for each frame that is shown while something plays, and once when it stops. */
export function whilePlaying(what, work) {
  let frame = 0;
  const step = () => {
    work();
    frame = what.playing ? requestAnimationFrame(step) : 0;
  };
  const begin = () => { if (!frame) step(); };
  what.addEventListener("change", begin);
  return () => { what.removeEventListener("change", begin); cancelAnimationFrame(frame); };
}

/** Show the bar as long as there is a sound. */
export function bar(place) {
  const button = h("button", { type: "button", class: "play", onclick: () => player.toggle(player.sound).catch(tell) });
  const title = h("span", { class: "what" });
  const time = h("span", { class: "num small soft" });
  const loop = h("button", { type: "button", class: "quiet", onclick: () => { player.loop = !player.loop; } }, "Loop");
  const shape = wave({ label: "Position", onSeek: (part) => player.seek(part) });
  place.append(button, title, shape.node, time, loop, h("button", { type: "button", class: "quiet", "aria-label": "Close the player", onclick: () => player.close() }, "✕"));
  let shown = "";
  const look = () => {
    place.hidden = !player.sound;
    document.body.classList.toggle("with-player", Boolean(player.sound));
    if (!player.sound) { shown = ""; return; }
    button.textContent = player.playing ? "❚❚" : "▶";
    button.setAttribute("aria-label", player.playing ? "Pause what plays" : "Go on playing");
    loop.setAttribute("aria-pressed", String(player.loop));
    if (shown === player.url) return;
    shown = player.url;
    title.textContent = player.sound.title;
    title.title = player.sound.title;
    shape.set(null);
    get(`${player.sound.peaks}?buckets=480`).then((found) => { if (shown === player.url) shape.set(found); }).catch(() => {});
  };
  player.addEventListener("change", look);
  whilePlaying(player, () => {
    if (!player.sound) return;
    shape.at(player.place);
    time.textContent = `${clock(player.audio.currentTime)} / ${clock(player.seconds)}`;
  });
}
