/** Folders: what is watched, and the renders that wait for a person. */
import { changeSettings, get, known, listen, post } from "./api.js";
import { ago, ask, h, redraw, tell, usd } from "./dom.js";
import { chooser } from "./forms.js";
import { act, agreeing } from "./jobs.js";

const WORDS = { waiting: "waits", sending: "is sent", sent: "sent", known: "sent before", forgotten: "forgotten" };
const KIND = { waiting: "warn", sending: "live", sent: "good" };

/** Send a render. What it costs is asked first, with the price that the bridge tells. */
async function send(one, again) {
  const body = { entry: one.entry, ...(again ? { again: true } : {}) };
  const free = known.status?.engine.name === "sketch";
  if (!free && !(await ask("Send this render?", `${one.name}: one take costs ${usd(known.status?.price_usd)}; variations of its preset cost as much each.`, [["Cancel", null], [again ? "Send again" : "Send", true, "primary"]]))) return;
  try { await agreeing("folders/send", body); } catch (error) { tell(error); }
}

function watched(one) {
  const state = one.problem ? h("span", { class: "badge bad" }, "not watched") : h("span", { class: one.watching ? "badge good" : "badge warn" }, one.watching ? "watched" : "not there");
  return h("article", { class: "job" },
    h("div", { class: "row" }, state, h("span", { class: "title grow" }, one.name), h("span", { class: one.spend ? "badge warn" : "badge" }, one.spend ? "spends by itself" : "asks first")),
    h("p", { class: "small" }, h("code", {}, one.path), " → ", h("code", {}, one.results)),
    h("p", { class: "small soft" }, [one.problem, one.unsafe, one.no_events, one.preset ? `Preset ${one.preset}.` : "No preset: its renders need one.", `${one.renders} renders, ${one.waiting} wait.`].filter(Boolean).join(" ")));
}

export function view() {
  const list = h("div");
  const renders = h("div");
  const add = h("div");
  async function show() {
    try {
      const [{ folders }, found] = await Promise.all([get("folders"), get("folders/renders?limit=200")]);
      redraw(list, () => list.replaceChildren(...(folders.length ? folders.map(watched) : [h("p", { class: "soft" }, "No folder is watched. Each render that a DAW writes into a watched folder becomes a request.")])));
      redraw(renders, () => renders.replaceChildren(...(found.renders.length ? found.renders.map(render) : [h("p", { class: "empty" }, "No render yet.")])));
    } catch (error) { tell(error); }
  }
  const done = (work) => async () => { await work(); show(); };
  function render(one) {
    const waits = one.state === "waiting";
    return h("article", { class: "job", "data-job": String(one.entry) },
      h("div", { class: "row" }, h("span", { class: `badge ${KIND[one.state] || ""}` }, WORDS[one.state] || one.state), h("span", { class: "title grow" }, one.name), h("span", { class: "small soft" }, `${one.folder} · ${ago(one.seen_at)}`)),
      h("div", { class: "row small soft" }, h("span", { class: "grow" }, one.text || one.jobs.map((job) => `${job.job}: ${job.state}`).join(", ")),
        waits && h("button", { type: "button", class: "primary", onclick: done(() => send(one, false)) }, "Start"),
        waits && h("button", { type: "button", class: "quiet", onclick: done(() => act(() => post("folders/forget", { entry: one.entry }), "Off the list; the file was not touched.")) }, "Forget"),
        ["sent", "known"].includes(one.state) && one.present && h("button", { type: "button", onclick: done(() => send(one, true)) }, "Start again, new seed")));
  }

  /** A form for one more folder; the rest of its settings stand under Settings. */
  async function form() {
    const { given, environment } = await get("settings");
    if (!given || environment.folders) { add.replaceChildren(); return; }
    const name = h("input", { placeholder: "renders" });
    const path = h("input", { placeholder: "~/Music/Renders" });
    const spend = h("input", { type: "checkbox" });
    let preset = null;
    const said = h("p", { class: "small", role: "status" });
    const save = async () => {
      const made = { name: name.value.trim(), path: path.value.trim(), ...(preset ? { preset } : {}), ...(spend.checked ? { spend: true } : {}) };
      try {
        await changeSettings((given) => ({ folders: [...(given.folders || []), made] }));
        await Promise.all([form(), show()]);
      } catch (error) { said.textContent = error.told?.faults?.map((one) => `${one.field}: ${one.allowed}`).join("; ") || error.message; }
    };
    add.replaceChildren(h("details", {}, h("summary", {}, "Watch a folder"), h("div", { class: "fields wide" },
      h("label", {}, "Name", name), h("label", {}, "Folder", path), h("label", {}, "Preset", chooser("Preset of the folder", Object.keys(given.presets || {}), null, "none yet", (value) => { preset = value; })),
      h("label", { class: "check" }, spend, "A render that appears there may cost money without being asked for")), h("div", { class: "row" }, h("button", { type: "button", class: "primary", onclick: save }, "Watch"), said)));
  }
  show();
  form().catch(tell);
  const timer = setInterval(() => { if (known.alive) show(); }, 5000); // files come without an event of the API
  const stop = listen((what) => { if (["job", "jobs", "settings"].includes(what)) show(); });
  return {
    node: h("div", { class: "view" }, h("h1", {}, "Folders"), h("div", { class: "columns two" }, h("section", { class: "panel", "aria-label": "Renders" }, h("h2", {}, "Renders"), renders),
      h("section", { class: "panel stack", "aria-label": "Watched" }, h("h2", {}, "Watched"), list, add))),
    leave: () => { stop(); clearInterval(timer); },
  };
}
