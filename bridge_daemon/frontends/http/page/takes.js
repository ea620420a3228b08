/** Takes: all that was ever made, to hear, compare, keep and use again. */
import { get, known, listen } from "./api.js";
import { h, redraw, seconds, tell, when } from "./dom.js";
import { mark } from "./jobs.js";
import { player, whilePlaying } from "./player.js";
import { detail, soundOf } from "./take.js";
import { wave } from "./wave.js";

const ROW = 72; // px, as in style.css
const AHEAD = 6; // rows above and below what can be seen
const PAGE = 100;
const SETTLED = 90; // ms a row is in sight before its waveform is asked for
const MOST_PEAKS = 2000;

const peaks = new Map();
function peaksOf(id) {
  if (!peaks.has(id)) {
    peaks.set(id, get(`jobs/${id}/peaks?buckets=120`).catch(() => null));
    if (peaks.size > MOST_PEAKS) peaks.delete(peaks.keys().next().value);
  }
  return peaks.get(id);
}

/** One row of the list. It is made once, and told when its take or what plays changes. */
function row(job, { onChoose, onKeep }) {
  const play = h("button", { type: "button", class: "play", onclick: () => player.toggle(soundOf(job)).catch(tell) });
  const name = h("button", { type: "button", class: "name", onclick: () => onChoose(job) });
  const about = h("div", { class: "small soft cut" });
  const shape = wave();
  const length = h("span", { class: "num small soft" });
  const star = h("button", { type: "button", class: "star", "aria-label": "Favourite", onclick: () => onKeep(job, { favourite: !job.favourite }) });
  const node = h("div", { class: "take", role: "listitem", "data-job": job.job }, play, h("div", { class: "cut" }, name, about), shape.node, length, star);
  const look = (chosen) => {
    const own = player.url === soundOf(job).url && player.playing;
    play.textContent = own ? "❚❚" : "▶";
    play.setAttribute("aria-label", own ? "Pause" : "Play");
    name.textContent = job.prompt || job.job;
    name.title = name.textContent;
    about.textContent = [when(job.created_at), job.action === "transform" ? "transform" : "", job.variations > 1 ? `${job.variation}/${job.variations}` : "",
      job.preset, job.client, ...job.tags.map((tag) => `#${tag}`), job.engine === "sketch" ? "sketch" : ""].filter(Boolean).join(" · ");
    length.textContent = seconds(job.frames ? job.frames / job.rate : job.duration);
    star.textContent = job.favourite ? "★" : "☆";
    star.setAttribute("aria-pressed", String(job.favourite));
    node.classList.toggle("chosen", chosen);
    if (chosen) node.setAttribute("aria-current", "true"); else node.removeAttribute("aria-current");
    if (player.url !== soundOf(job).url) shape.at(null);
  };
  const timer = setTimeout(() => peaksOf(job.job).then((found) => node.isConnected && shape.set(found)), SETTLED);
  return { node, look, at: shape.at, job, gone: () => clearTimeout(timer) };
}

function filters(onChange) {
  const search = h("input", { type: "search", placeholder: "Prompt, tag, preset, job …", "aria-label": "Search takes" });
  const only = h("select", { "aria-label": "Which takes" }, [["", "All takes"], ["favourite", "Favourites"], ["trashed", "Trash"]].map(([value, text]) => h("option", { value }, text)));
  const client = h("select", { "aria-label": "Client" }, h("option", { value: "" }, "Any client"));
  const preset = h("select", { "aria-label": "Preset" }, h("option", { value: "" }, "Any preset"));
  const project = h("input", { placeholder: "Any project", "aria-label": "Project" });
  const from = h("input", { type: "date", "aria-label": "From" });
  const to = h("input", { type: "date", "aria-label": "To" });
  const fields = { q: search, client, preset, project, from, to };
  for (const field of [search, project]) field.oninput = onChange;
  for (const field of [only, client, preset, from, to]) field.onchange = onChange;
  const clear = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => { for (const field of [...Object.values(fields), only]) field.value = ""; onChange(); } }, "Clear");
  /** Clients and presets that there are; what is chosen stays. */
  const offer = (select, names) => {
    const held = select.value;
    const fresh = [...new Set(names)].filter((name) => name && ![...select.options].some((one) => one.value === name)).sort();
    select.append(...fresh.map((value) => h("option", { value }, value)));
    select.value = held;
  };
  get("presets").then((presets) => offer(preset, Object.keys(presets))).catch(() => {});
  return {
    node: h("div", { class: "filters" }, h("div", { class: "grow" }, search), only, client, preset, h("div", {}, project), h("label", { class: "day" }, "from", from), h("label", { class: "day" }, "to", to), clear),
    seen(jobs) {
      offer(client, [...jobs.map((job) => job.client), ...(known.status?.connections || []).filter((one) => ["osc", "files"].includes(one.kind)).map((one) => one.name)]);
      offer(preset, jobs.map((job) => job.preset));
    },
    look() { clear.hidden = !this.used; },
    get used() { return Boolean(only.value || Object.values(fields).some((field) => field.value.trim())); },
    query() {
      const made = new URLSearchParams({ take: "true", limit: String(PAGE) });
      for (const [name, field] of Object.entries(fields)) if (field.value.trim()) made.set(name, field.value.trim());
      if (only.value) made.set(only.value, "true");
      return made;
    },
  };
}

export function view() {
  let jobs = [];
  let next = null;
  let reading = null; // the page that is being read
  let asked = 0;
  let chosen = null;
  let side = null;
  const rows = new Map();
  const count = h("span", { class: "small soft", role: "status" });
  const tall = h("div", { class: "tall" });
  const list = h("div", { class: "list", tabindex: "0", role: "list", "aria-label": "Takes" }, tall);
  const place = h("section", { class: "panel detail", "aria-label": "Take" });
  let timer = 0;
  const soon = () => { search.look(); clearTimeout(timer); timer = setTimeout(() => read(), 180); };
  const search = filters(soon);

  async function read(more = false) {
    if (more && (reading || !next)) return;
    asked += 1;
    const mine = asked;
    const query = search.query();
    if (more) query.set("before", next);
    reading = query;
    try {
      const found = await get(`jobs?${query}`);
      if (mine !== asked) return;
      jobs = more ? jobs.concat(found.jobs) : found.jobs;
      next = found.next;
      count.textContent = `${jobs.length.toLocaleString()}${next ? "+" : ""} ${jobs.length === 1 ? "take" : "takes"}`;
      search.seen(found.jobs);
      if (!more) { for (const one of rows.values()) { one.gone(); one.node.remove(); } rows.clear(); }
      show();
    } catch (error) { if (mine === asked) tell(error); } finally { if (mine === asked) reading = null; }
    if (mine === asked) show();
  }

  /** Only the rows in sight, and a few more, are in the page. */
  function show() {
    tall.style.height = `${Math.max(1, jobs.length) * ROW}px`;
    if (!jobs.length) { tall.replaceChildren(h("p", { class: "empty", role: "listitem" }, search.used ? "Nothing fits." : "No take yet.")); rows.clear(); return; }
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - AHEAD);
    const last = Math.min(jobs.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + AHEAD);
    const wanted = new Set(jobs.slice(first, last).map((job) => job.job));
    for (const [id, one] of rows) if (!wanted.has(id)) { one.gone(); one.node.remove(); rows.delete(id); }
    if (!rows.size) tall.replaceChildren();
    for (let i = first; i < last; i += 1) {
      const job = jobs[i];
      let one = rows.get(job.job);
      if (!one) {
        one = row(job, { onChoose: choose, onKeep: keep });
        rows.set(job.job, one);
        one.look(chosen?.job === job.job);
        tall.append(one.node);
      }
      one.node.style.top = `${i * ROW}px`;
    }
    if (last > jobs.length - PAGE / 2) read(true);
  }

  function look() { for (const one of rows.values()) one.look(chosen?.job === one.job.job); }

  async function keep(job, data, done = "Kept.") {
    const now = await mark(job, data, done);
    if (!now) return;
    for (const one of [job, jobs.find((each) => each.job === job.job)]) if (one) Object.assign(one, now);
    if (data.trashed !== undefined) { jobs = jobs.filter((one) => one.job !== job.job); if (chosen?.job === job.job) choose(null); }
    show();
    look();
    side?.marked?.();
  }

  function choose(job) {
    side?.leave();
    chosen = job;
    side = job ? detail(job, { keep, among: () => jobs }) : null;
    place.replaceChildren(side ? side.node : h("p", { class: "empty" }, "Choose a take. Arrow keys walk through the list, Space plays, F keeps as a favourite."));
    look();
    if (job && window.matchMedia("(max-width: 980px)").matches) place.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const at = jobs.findIndex((one) => one.job === chosen?.job);
    const index = Math.min(jobs.length - 1, Math.max(0, at + by));
    list.scrollTop = Math.min(list.scrollTop, index * ROW);
    if ((index + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (index + 1) * ROW - list.clientHeight;
    show();
    choose(jobs[index]);
  }

  let frame = 0;
  list.onscroll = () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(show); };
  list.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (by && jobs.length) { event.preventDefault(); step(by); return; }
    if (event.target !== list || !chosen || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === " " || key === "enter") { event.preventDefault(); player.toggle(soundOf(chosen)).catch(tell); }
    if (key === "f") keep(chosen, { favourite: !chosen.favourite });
  };
  const stops = [
    whilePlaying(player, () => { for (const one of rows.values()) if (player.url === soundOf(one.job).url) one.at(player.place); }),
    listen((what) => { if (["job", "jobs"].includes(what) && !search.used && !list.scrollTop) soon(); }),
  ];
  const played = () => redraw(tall, look);
  player.addEventListener("change", played);
  const resized = new ResizeObserver(show);
  resized.observe(list);
  choose(null);
  read();
  return {
    node: h("div", { class: "view takes" }, h("div", { class: "row" }, h("h1", { class: "grow" }, "Takes"), count), search.node, h("div", { class: "columns make" }, list, place)),
    leave: () => { side?.leave(); for (const stop of stops) stop(); player.removeEventListener("change", played); resized.disconnect(); clearTimeout(timer); },
  };
}
