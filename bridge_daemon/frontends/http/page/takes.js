/** Takes: all that was ever made, to hear, compare, keep and use again. */
import { get, known, listen, post } from "./api.js";
import { h, redraw, seconds, tell, usd, when } from "./dom.js";
import { act, mark, money, press, requestOf } from "./jobs.js";
import { carry } from "./make.js";
import { draw, matched, player } from "./wave.js";

const ROW = 76;
const peaks = new Map();
const peaksOf = (id) => { if (!peaks.has(id)) peaks.set(id, get(`jobs/${id}/peaks?buckets=120`).catch(() => null)); return peaks.get(id); };
const audio = (job) => `/api/jobs/${job.job}/audio`;
const sourceAudio = (job) => `/api/jobs/${job.job}/source`;

export function view() {
  let jobs = [];
  let next = null;
  let reading = false;
  let asked = 0;
  let chosen = null;
  const search = h("input", { type: "search", placeholder: "Search prompts, tags, presets …", "aria-label": "Search takes" });
  const only = h("select", { "aria-label": "Which takes" }, [["", "All takes"], ["favourite", "Favourites"], ["trashed", "Trash"]].map(([value, text]) => h("option", { value }, text)));
  const client = h("input", { placeholder: "Client", "aria-label": "Client" });
  const from = h("input", { type: "date", "aria-label": "From" });
  const count = h("span", { class: "small soft", role: "status" });
  const tall = h("div");
  const list = h("div", { class: "list", tabindex: "0", role: "list", "aria-label": "Takes" }, tall);
  const detail = h("section", { class: "panel", "aria-label": "Take" }, h("p", { class: "empty" }, "Choose a take."));

  function query(before) {
    const made = new URLSearchParams({ take: "true", limit: "100" });
    if (search.value.trim()) made.set("q", search.value.trim());
    if (client.value.trim()) made.set("client", client.value.trim());
    if (only.value) made.set(only.value, "true");
    if (from.value) made.set("from", from.value);
    if (before) made.set("before", before);
    return `jobs?${made}`;
  }

  async function read(more = false) {
    if (more && (reading || !next)) return;
    reading = true;
    asked += 1;
    const mine = asked;
    try {
      const found = await get(query(more ? next : null));
      if (mine !== asked) return;
      jobs = more ? jobs.concat(found.jobs) : found.jobs;
      next = found.next;
      count.textContent = `${jobs.length}${next ? "+" : ""} takes`;
      tall.style.position = "relative";
      show();
    } catch (error) { tell(error); } finally { reading = false; }
  }

  function row(job, index) {
    const wave = h("canvas", { "aria-hidden": "true" });
    const own = player.url === audio(job) && player.playing;
    const made = h("div", { class: chosen?.job === job.job ? "take chosen" : "take", role: "listitem", "aria-current": chosen?.job === job.job ? "true" : undefined, "data-job": job.job },
      h("button", { type: "button", class: "play", "aria-label": own ? "Pause" : "Play", onclick: () => player.toggle(audio(job)).catch(tell) }, own ? "❚❚" : "▶"),
      h("div", {}, h("button", { type: "button", class: "name", onclick: () => choose(job) }, job.prompt || job.job),
        h("div", { class: "small soft" }, `${when(job.created_at)} · ${job.action === "transform" ? "transform" : "text"}${job.variations > 1 ? ` · ${job.variation}/${job.variations}` : ""}${job.engine === "sketch" ? " · sketch" : ""}`)),
      wave, h("span", { class: "num small soft" }, seconds(job.frames ? job.frames / job.rate : job.duration)),
      h("button", { type: "button", class: "star", "aria-label": "Favourite", "aria-pressed": String(job.favourite), onclick: () => keep(job, { favourite: !job.favourite }) }, job.favourite ? "★" : "☆"));
    made.style.top = `${index * ROW}px`;
    peaksOf(job.job).then((found) => found && made.isConnected && draw(wave, found, { at: player.url === audio(job) ? player.place : null }));
    return made;
  }

  /** Only the rows that can be seen are in the page. */
  function show() {
    tall.style.height = `${Math.max(1, jobs.length) * ROW}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
    const last = Math.min(jobs.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 4);
    if (!jobs.length) { tall.replaceChildren(h("p", { class: "empty" }, search.value || only.value ? "Nothing fits." : "No take yet.")); return; }
    const focused = document.activeElement?.closest?.(".take")?.dataset.job;
    const label = document.activeElement?.getAttribute?.("aria-label");
    tall.replaceChildren(...jobs.slice(first, last).map((job, i) => row(job, first + i)));
    if (focused) [...tall.querySelectorAll(`[data-job="${focused}"] button`)].find((one) => one.getAttribute("aria-label") === label)?.focus();
    if (last > jobs.length - 20) read(true);
  }

  async function keep(job, data, done = "Kept.") {
    const now = await mark(job, data, done);
    if (!now) return;
    Object.assign(job, data.trashed === undefined ? data : { trashed_at: data.trashed ? Date.now() / 1000 : null });
    if (data.trashed !== undefined) jobs = jobs.filter((one) => one !== job);
    if (chosen?.job === job.job) choose(data.trashed === undefined ? job : null);
    show();
  }

  function choose(job) {
    chosen = job;
    show();
    if (!job) { detail.replaceChildren(h("p", { class: "empty" }, "Choose a take.")); return; }
    const wave = h("canvas", { class: "wave", "aria-hidden": "true", onclick: (event) => { if (player.url === audio(job) && player.audio.duration) player.audio.currentTime = event.offsetX / wave.clientWidth * player.audio.duration; } });
    const paint = () => get(`jobs/${job.job}/peaks?buckets=400`).then((found) => draw(wave, found, { at: player.url === audio(job) ? player.place : null })).catch(() => {});
    detail.paint = paint;
    const parameters = ["duration", "strength", "cfg_scale", "steps", "seed", "model", "preset", "client"].filter((name) => job[name] !== null && job[name] !== undefined);
    const tags = h("input", { "aria-label": "Tags", placeholder: "Tags, with commas", value: job.tags.join(", "), onchange: () => keep(job, { tags: tags.value.split(",").map((one) => one.trim()).filter(Boolean) }, "Tags kept.") });
    const others = jobs.filter((one) => one.id === job.id && one.job !== job.job);
    const compare = async (other, label) => {
      const [mine, its] = await matched(audio(job), other);
      const second = player.url === audio(job);
      await player.toggle(second ? other : audio(job), { gain: second ? its : mine, keepPlace: true, again: true });
      toastLine.textContent = `${second ? label : "The take"} plays, equally loud (${(second ? its : mine).toFixed(1)} dB).`;
    };
    const toastLine = h("p", { class: "small soft", role: "status" });
    const again = (seed) => press(requestOf(job, { seed }));
    const price = (label) => {
      const button = h("button", { type: "button", disabled: true, onclick: () => again(label.startsWith("Again")) }, label);
      post("estimate", requestOf(job, { seed: true })).then((told) => { if (told.usd !== null) { button.textContent = `${label} · ${told.usd ? usd(told.usd) : "free"}`; button.disabled = false; } }).catch(tell);
      return button;
    };
    const drag = h("a", { class: "button", href: audio(job), download: job.file.split(/[\\/]/).pop(), draggable: "true", ondragstart: (event) => event.dataTransfer.setData("DownloadURL", `audio/wav:${job.file.split(/[\\/]/).pop()}:${location.origin}${audio(job)}`) }, "Download");
    detail.replaceChildren(h("div", { class: "stack" },
      h("h3", {}, job.prompt || job.job), wave,
      h("div", { class: "row" },
        h("button", { type: "button", class: "primary", onclick: () => player.toggle(audio(job)).catch(tell) }, "Play / pause"),
        h("button", { type: "button", "aria-pressed": String(player.loop), onclick: (event) => { player.loop = !player.loop; event.target.setAttribute("aria-pressed", String(player.loop)); } }, "Loop"),
        job.source && h("button", { type: "button", onclick: () => compare(sourceAudio(job), "The source").catch(tell) }, "A/B source"),
        others.map((one) => h("button", { type: "button", onclick: () => compare(audio(one), `Variation ${one.variation}`).catch(tell) }, `A/B ${one.variation}`))),
      toastLine,
      h("div", { class: "row" },
        price("New seed"), price("Again, same seed"),
        h("button", { type: "button", onclick: () => carry(requestOf(job)) }, "Change and run"),
        h("button", { type: "button", onclick: () => carry({ source: { path: job.file } }) }, "Use as source")),
      h("div", { class: "row" }, drag,
        h("button", { type: "button", onclick: () => navigator.clipboard.writeText(job.file).then(() => { toastLine.textContent = "The path is copied."; }) }, "Copy path"),
        job.client && h("button", { type: "button", onclick: () => act(() => post(`jobs/${job.job}/deliver`)) }, "Place again"),
        job.trashed_at ? h("button", { type: "button", onclick: () => keep(job, { trashed: false }, "Brought back.") }, "Restore") : h("button", { type: "button", class: "danger", onclick: () => keep(job, { trashed: true }, "In the trash; the file stays in the library.") }, "Discard")),
      h("label", {}, "Tags", tags),
      h("dl", {}, [...parameters.map((name) => [name.replace("_", " "), String(job[name])]), ["money", money(job)], ["job", job.job], ["file", job.file]].flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])),
      job.notes.length ? h("ul", { class: "small soft" }, job.notes.map((one) => h("li", {}, one))) : null));
    paint();
  }

  let timer = 0;
  const soon = () => { clearTimeout(timer); timer = setTimeout(() => read(), 180); };
  search.oninput = soon; client.oninput = soon; only.onchange = soon; from.onchange = soon;
  let frame = 0;
  list.onscroll = () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(show); };
  list.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = jobs.findIndex((one) => one.job === chosen?.job);
    if (step && jobs.length) {
      event.preventDefault();
      const index = Math.min(jobs.length - 1, Math.max(0, at + step));
      list.scrollTop = Math.min(list.scrollTop, index * ROW);
      if ((index + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (index + 1) * ROW - list.clientHeight;
      choose(jobs[index]);
    } else if (event.target === list && chosen && (event.key === " " || event.key === "Enter")) {
      event.preventDefault();
      player.toggle(audio(chosen)).catch(tell);
    } else if (event.target === list && chosen && event.key === "f") keep(chosen, { favourite: !chosen.favourite });
  };
  const onPlay = () => { if (chosen && player.url === audio(chosen)) detail.paint?.(); };
  let last = 0;
  let playing = "";
  /** Where it plays is drawn on the way; rows are made anew only when another sound plays, or none. */
  const played = () => {
    const now = Date.now();
    const state = `${player.url} ${player.playing}`;
    if (state !== playing) { playing = state; redraw(tall, show); } else if (now - last < 100) return;
    last = now;
    const id = jobs.find((one) => player.url === audio(one))?.job;
    const canvas = id && tall.querySelector(`[data-job="${id}"] canvas`);
    if (canvas) peaksOf(id).then((found) => draw(canvas, found, { at: player.place }));
    onPlay();
  };
  player.addEventListener("change", played);
  const resized = new ResizeObserver(show);
  resized.observe(list);
  const stop = listen((what) => { if (what === "job" && !search.value && !list.scrollTop) soon(); });
  read();
  return { node: h("div", { class: "view" }, h("div", { class: "row" }, h("h1", { class: "grow" }, "Takes"), count),
    h("div", { class: "row filters" }, h("div", { class: "grow" }, search), h("div", {}, only), h("div", {}, client), h("div", {}, from)),
    h("div", { class: "columns make" }, list, detail)),
  leave: () => { stop(); player.removeEventListener("change", played); resized.disconnect(); clearTimeout(timer); }, known };
}
