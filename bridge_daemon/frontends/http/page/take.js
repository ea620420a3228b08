/** One take: heard, compared, used again, and everything that is known of it. */
import { get, post } from "./api.js";
import { clock, h, nameOf, nameOfSource, seconds, tell, usd, when } from "./dom.js";
import { Deck } from "./deck.js";
import { act, badge, money, press, requestOf } from "./jobs.js";
import { carry } from "./make.js";
import { player, whilePlaying } from "./player.js";
import { wave } from "./wave.js";

/** Seconds of a take that are sent to be continued, and those that a model takes at least. */
const CONTINUED = 10;
const LEAST_SOURCE = 6;
const LETTERS = "ABCDEFGHIJKL";
/** Takes that are compared with whichever is looked at. */
const pinned = new Map();

/** Sources are sent at this rate. */
const SENT = 44_100;

export const soundOf = (job) => ({ rate: job.rate, url: `/api/jobs/${job.job}/audio`, title: job.prompt || job.job, peaks: `jobs/${job.job}/peaks` });
const sourceOf = (job) => ({ rate: SENT, url: `/api/jobs/${job.job}/source`, title: `Source of ${job.prompt}`, peaks: `jobs/${job.job}/source/peaks` });
const lufs = (value) => (value === null ? "silent" : `${value.toFixed(1).replace("-", "−")} LUFS`);
const decibel = (value) => (value > -0.05 ? "0 dB" : `−${Math.abs(value).toFixed(1)} dB`);

/** Source and takes side by side, in step and equally loud; null where there is only one sound. */
function comparison(tracks) {
  const deck = new Deck(tracks);
  const said = h("p", { class: "small soft", role: "status" });
  const position = wave({ label: "Position in the comparison", onSeek: (part) => deck.seek(part).catch(tell) });
  const time = h("span", { class: "num small soft" });
  const play = h("button", { type: "button", onclick: () => { if (deck.playing) deck.pause(); else start(deck.current); } });
  const loop = h("button", { type: "button", class: "quiet", onclick: () => deck.setLoop(!deck.loop) }, "Loop");
  const lines = tracks.map((track, i) => {
    const shape = wave();
    const loud = h("span", { class: "num small soft" });
    const node = h("button", { type: "button", class: "track", role: "radio", onclick: () => start(i) }, h("b", {}, LETTERS[i]), h("span", { class: "cut" }, track.label), shape.node, loud);
    get(`${track.peaks}?buckets=120`).then((found) => { shape.set(found); if (!i) position.set(found); }).catch(() => {});
    return { node, shape, loud };
  });
  const group = h("div", { class: "tracks", role: "radiogroup", "aria-label": "Compare" }, lines.map((line) => line.node));

  async function start(index) {
    said.textContent = deck.seconds ? "" : "Measuring how loud they are …";
    try {
      await deck.play(index);
      lines.forEach((line, i) => { line.loud.textContent = `${lufs(tracks[i].lufs)}, ${decibel(tracks[i].gain)}`; });
    } catch (error) { said.textContent = ""; tell(error); }
  }
  function look() {
    play.textContent = deck.playing ? "❚❚ Stop" : "▶ Compare";
    loop.setAttribute("aria-pressed", String(deck.loop));
    lines.forEach((line, i) => {
      line.node.setAttribute("aria-checked", String(deck.current === i));
      line.node.tabIndex = deck.current === i ? 0 : -1;
    });
    if (deck.playing) said.textContent = `${LETTERS[deck.current]} plays, equally loud as the others.`;
    else if (deck.seconds) said.textContent = "";
  }
  group.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const letter = event.key.length === 1 ? LETTERS.indexOf(event.key.toUpperCase()) : -1;
    const to = by ? (deck.current + by + tracks.length) % tracks.length : letter;
    if (to < 0 || to >= tracks.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    lines[to].node.focus();
    start(to);
  };
  deck.addEventListener("change", look);
  const stop = whilePlaying(deck, () => { position.at(deck.place); time.textContent = `${clock(deck.position)} / ${clock(deck.seconds || 0)}`; });
  look();
  return {
    node: h("div", { class: "stack tight" }, h("h3", {}, "Compare"), group, position.node, h("div", { class: "row" }, play, loop, time, h("div", { class: "grow" }, said))),
    leave: () => { stop(); deck.close(); },
  };
}

/** What a take can be compared with: its source, the other variations of its request, and what is pinned. */
async function rivals(job) {
  const found = job.variations > 1 ? (await get(`jobs?${new URLSearchParams({ q: job.id, take: "true", limit: "20" })}`)).jobs.filter((one) => one.id === job.id) : [job];
  if (!found.some((one) => one.job === job.job)) found.push(job); // it lies in the trash
  found.sort((a, b) => a.variation - b.variation);
  const label = (one) => (job.variations > 1 ? `Variation ${one.variation}` : "This take");
  const tracks = found.map((one) => ({ label: label(one), ...soundOf(one), job: one.job }));
  for (const one of pinned.values()) if (!found.some((own) => own.job === one.job)) tracks.push({ label: one.prompt || one.job, ...soundOf(one), job: one.job });
  if (job.source) tracks.unshift({ label: "Source", ...sourceOf(job), job: null });
  return tracks.slice(0, LETTERS.length);
}

/** A button that asks for the same once more, with what it costs on it. */
function once(job, label, seed) {
  let request = null;
  const button = h("button", { type: "button", disabled: true, onclick: () => press(request) }, label);
  async function price() {
    request = await requestOf(job, { seed });
    const told = await post("estimate", request);
    if (told.usd === null) return;
    button.textContent = `${label} · ${told.usd ? usd(told.usd) : "free"}`;
    button.disabled = false;
  }
  price().catch(tell);
  return button;
}

const lengthOf = (job) => job.frames / job.rate;
const asSource = (job) => ({ path: job.file, job: job.job, seconds: lengthOf(job) });

/** A request that continues a take: its end is sent, and what comes goes behind it, by its tempo if that is known. */
async function continuing(job) {
  const { prompt, model, place: { tempo, time_signature } } = await requestOf(job);
  return { action: "transform", prompt, model, continue_from: Math.min(CONTINUED, Math.floor(lengthOf(job) * 10) / 10), source: asSource(job), place: { tempo, time_signature } };
}

function facts(job) {
  const names = ["duration", "strength", "continue_from", "region_start", "region_end", "negative_prompt", "cfg_scale", "steps", "seed", "model", "preset", "client"];
  const rows = names.filter((name) => job[name] !== null && job[name] !== undefined).map((name) => [name.replaceAll("_", " "), name === "duration" ? seconds(job[name]) : String(job[name])]);
  if (job.source) rows.push(["source", `${nameOfSource(job.source)}${job.source.end ? `, ${(job.source.start || 0).toFixed(2)} to ${job.source.end.toFixed(2)} s` : ""}`]);
  if (job.place?.project) rows.push(["project", job.place.project]);
  if (job.place?.track) rows.push(["track", job.place.track]);
  if (typeof job.place?.position === "number") rows.push(["position", `${job.place.position.toFixed(3)} s`]);
  if (job.grid) rows.push(["heard", [job.grid.tempo && `${job.grid.tempo.toFixed(1)} BPM`, job.grid.key, job.grid.loudness !== null && job.grid.loudness !== undefined && `${job.grid.loudness.toFixed(1)} LUFS`, typeof job.grid.true_peak === "number" && `peak ${job.grid.true_peak.toFixed(1)} dBTP`].filter(Boolean).join(", ") || job.grid.why_not || "–"]);
  if (job.fitted) rows.push(["fitted copy", job.fitted]);
  rows.push(["sound", `${job.rate.toLocaleString()} Hz, ${job.channels === 1 ? "mono" : `${job.channels} channels`}`], ["money", money(job)], ["made", when(job.created_at)], ["job", job.job], ["file", job.file]);
  return h("dl", {}, rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
}

/** What happened to a job, read when it is opened. */
function story(job) {
  const lines = h("ol", { class: "small story" });
  const node = h("details", {}, h("summary", { class: "small soft" }, "What happened"), lines);
  node.ontoggle = async () => {
    if (!node.open || lines.children.length) return;
    try {
      const { events } = await get(`jobs/${job.job}`);
      lines.replaceChildren(...events.map((one) => h("li", {}, h("span", { class: "num soft" }, new Date(one.at * 1000).toLocaleTimeString()), " ", one.kind.replaceAll("_", " "))));
    } catch (error) { tell(error); }
  };
  return node;
}

export function detail(job, { keep }) {
  const sound = soundOf(job);
  const shape = wave({ label: "Position in the take", onSeek: async (part) => { if (player.url !== sound.url) await player.toggle(sound).catch(tell); player.seek(part); } });
  get(`${sound.peaks}?buckets=600`).then(shape.set).catch(() => {});
  const play = h("button", { type: "button", class: "primary", onclick: () => player.toggle(sound).catch(tell) });
  const loop = h("button", { type: "button", onclick: () => { player.loop = !player.loop; } }, "Loop");
  const star = h("button", { type: "button", class: "star", "aria-label": "Keep as a favourite", onclick: () => keep(job, { favourite: !job.favourite }) });
  const pin = h("button", { type: "button", onclick: () => { if (!pinned.delete(job.job)) pinned.set(job.job, job); look(); compare(); } }, "Pin");
  const said = h("p", { class: "small soft", role: "status" });
  const rivalsPlace = h("div");
  let deck = null;
  let gone = false;
  async function compare() {
    try {
      const tracks = await rivals(job);
      if (gone) return;
      deck?.leave();
      deck = tracks.length > 1 ? comparison(tracks) : null;
      rivalsPlace.replaceChildren(...(deck ? [deck.node] : []));
    } catch (error) { tell(error); }
  }
  function look() {
    const own = player.url === sound.url && player.playing;
    play.textContent = own ? "❚❚ Pause" : "▶ Play";
    loop.setAttribute("aria-pressed", String(player.loop));
    star.textContent = job.favourite ? "★" : "☆";
    star.setAttribute("aria-pressed", String(job.favourite));
    pin.setAttribute("aria-pressed", String(pinned.has(job.job)));
    if (player.url !== sound.url) shape.at(null);
  }
  const file = nameOf(job.file);
  const drag = h("a", { class: "button", href: sound.url, download: file, draggable: "true", title: "Drag it to your DAW or desktop, or click to download", ondragstart: (event) => event.dataTransfer.setData("DownloadURL", `audio/wav:${file}:${location.origin}${sound.url}`) }, "Drag out or download");
  const tags = h("input", { "aria-label": "Tags", placeholder: "with commas between them", value: job.tags.join(", "), onchange: () => keep(job, { tags: tags.value.split(",").map((one) => one.trim()).filter(Boolean) }, "Tags kept.") });
  const button = (label, work, kind = "") => h("button", { type: "button", class: kind, onclick: work }, label);
  const stop = whilePlaying(player, () => { if (player.url === sound.url) shape.at(player.place); });
  player.addEventListener("change", look);
  look();
  compare();
  const node = h("div", { class: "stack" },
    h("div", { class: "row top" }, h("h2", { class: "title grow" }, job.prompt || job.job), star),
    h("div", { class: "row" }, badge(job), job.engine === "sketch" && h("span", { class: "badge" }, "sketch, not the model"), h("span", { class: "small soft" }, money(job))),
    shape.node, h("div", { class: "row" }, play, loop, pin), rivalsPlace,
    h("h3", {}, "Use it"),
    h("div", { class: "row" }, drag, button("Show in folder", () => act(() => post(`jobs/${job.job}/reveal`), "It is shown in its folder.")),
      button("Copy path", () => navigator.clipboard.writeText(job.file).then(() => { said.textContent = "The path is copied."; }).catch(tell)),
      job.client && button("Place again", () => act(() => post(`jobs/${job.job}/deliver`), "It is brought once more, free of charge.")),
      button("Use as source", () => carry({ source: asSource(job) })),
      lengthOf(job) >= LEAST_SOURCE && button("Continue", () => continuing(job).then(carry).catch(tell))), said,
    h("h3", {}, "Once more"),
    h("div", { class: "row" }, once(job, "New seed", false), once(job, "Again, same seed", true), button("Change and run", () => requestOf(job, { seed: true }).then(carry).catch(tell))),
    h("label", {}, "Tags", tags), facts(job),
    job.notes.length ? h("ul", { class: "small soft" }, job.notes.map((one) => h("li", {}, one))) : null, story(job),
    h("div", { class: "row end" }, job.trashed_at ? button("Restore", () => keep(job, { trashed: false }, "Brought back.")) : button("Discard", () => keep(job, { trashed: true }, "In the trash; the file stays in the library."), "danger")));
  return { node, marked: look, leave: () => { gone = true; stop(); deck?.leave(); player.removeEventListener("change", look); } };
}
