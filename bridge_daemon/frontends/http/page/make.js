/** Make: words and a source in, a price told before the press. */
import { get, known, listen, post, upload } from "./api.js";
import { h, nameOfSource, seconds, tell, usd } from "./dom.js";
import { press as order } from "./jobs.js";
import { player } from "./player.js";
import { region } from "./wave.js";

const HISTORY = "daw-bridge prompts";
const remembered = () => { try { return JSON.parse(localStorage.getItem(HISTORY)) || []; } catch { return []; } };
/** What fit and continue go by; of the place, which has no other field here. */
const TEMPO = { name: "tempo", kind: "number", low: 20, high: 400, unit: "BPM", default: "that of a clock", meaning: "What the take is made to fit." };
let carried = null;

/** Open Make with what another view brings: a request to change and run, or a take as the source. */
export function carry(request) { carried = request; location.hash = "#make"; }

/** Whether a number stands in the field of a choice, which allows one beside its words. */
function isNumber(input) { return input.dataset.choice !== undefined && !Number.isNaN(Number(input.value)); }

function range(one) {
  if (one.kind === "choice") return `${one.range[0].toUpperCase()}${one.range.slice(1)}.`;
  if (one.low === null || one.high === null) return "";
  return one.high > 1e6 ? "" : `${one.low_excluded ? "More than " : ""}${one.low} to ${one.high.toLocaleString()}.`;
}

const named = (name) => { const words = name.replaceAll("_", " "); return words[0].toUpperCase() + words.slice(1); };

function field(one, value) {
  const props = { name: one.name, id: `p-${one.name}`, "aria-describedby": `d-${one.name}` };
  if (one.kind === "choice") props["data-choice"] = one.choices.join(" ");
  else if (one.kind !== "text") Object.assign(props, { type: "number", step: one.kind === "whole" ? "1" : "any", min: one.low === null ? undefined : String(one.low), max: one.high === null ? undefined : String(one.high) });
  const words = one.kind === "choice" && one.low === null; // with a range a number may be typed as well
  const names = one.known ? h("datalist", { id: `l-${one.name}` }, one.known.map((name) => h("option", { value: name }))) : null;
  if (names) props.list = names.id;
  const input = words ? h("select", props, h("option", { value: "" }, "as the bridge has it"), one.choices.map((word) => h("option", { value: word }, word))) : h("input", props);
  if (value !== undefined && value !== null) input.value = value;
  input.placeholder = one.default.length > 22 || one.default.startsWith("[") ? "as the bridge has it" : one.default;
  // a name that nobody knows yet is looked for at the service once it is typed to its end
  if (names) input.addEventListener("change", () => { if (input.value && !one.known.includes(input.value)) get(`prices?model=${encodeURIComponent(input.value)}`).catch(tell).finally(() => input.dispatchEvent(new Event("input", { bubbles: true }))); });
  return h("label", { "data-parameter": one.name }, names, one.label || named(one.name), one.unit ? ` (${one.unit})` : "", input, h("span", { class: "small", id: `d-${one.name}` }, `${one.meaning} ${range(one)}`));
}

export function view() {
  const given = carried || {};
  carried = null;
  let source = given.source ? { ...given.source, name: nameOfSource(given.source) } : null;
  let busy = false;
  let timer = 0;
  let asked = 0;
  let free = false;
  const prompt = h("textarea", { id: "prompt", rows: "3", placeholder: "tape-worn piano, slow, 70 bpm", "aria-label": "Prompt" });
  prompt.value = given.prompt || "";
  const preset = h("select", { "aria-label": "Preset" }, h("option", { value: "" }, "No preset"));
  const history = h("select", { "aria-label": "Earlier prompts", onchange: () => { if (history.value) prompt.value = history.value; history.value = ""; soon(); } },
    h("option", { value: "" }, "Earlier prompts …"), remembered().map((text) => h("option", { value: text }, text.slice(0, 80))));
  const fields = h("div", { class: "fields" });
  const send = h("button", { type: "button", class: "primary price", onclick: press }, "Make");
  const note = h("p", { class: "small soft", role: "status" });
  const place = h("div");
  const file = h("input", { type: "file", accept: "audio/*", hidden: true, "aria-label": "Source file", onchange: () => file.files[0] && bring(file.files[0]) });

  const edges = () => [...fields.querySelectorAll("[data-parameter^=region_]")];

  /** Show the region that is replaced only where the model replaces one; what is not shown is not asked for.
   * Returns whether that changes what is asked for. */
  function offer(replaces) {
    let changed = false;
    for (const label of edges()) {
      changed ||= label.hidden === replaces && label.querySelector("input").value !== "";
      label.hidden = !replaces;
    }
    return changed;
  }

  /** The place in music of the take that is made again, at the tempo that is typed: bars take another time then. */
  function standing({ length, ...musical }, tempo) {
    return { ...musical, ...(length && !(musical.bars && tempo !== musical.tempo) ? { length } : {}), tempo };
  }

  function request() {
    const made = { version: 1, action: source ? "transform" : "generate" };
    if (prompt.value.trim()) made.prompt = prompt.value.trim();
    if (preset.value) made.preset = preset.value;
    for (const input of fields.querySelectorAll("input, select")) if (input.value !== "" && !input.closest("[hidden]")) made[input.name] = input.type === "number" || isNumber(input) ? Number(input.value) : input.value;
    if (source) made.source = { ...(source.path ? { path: source.path } : { take: source.take, mix: source.mix }), ...(source.start || source.end ? { start: source.start || 0, end: source.end } : {}) };
    if (made.tempo || given.place) made.place = standing(given.place || {}, made.tempo);
    delete made.tempo;
    return made;
  }

  async function estimate() {
    const mine = (asked += 1);
    try {
      const told = await post("estimate", request());
      if (mine !== asked) return; // something else is asked for meanwhile
      if (offer(told.replace && source !== null)) { soon(); return; }
      free = told.usd === 0;
      send.textContent = told.usd ? `${source ? "Transform" : "Make"} · ${usd(told.usd)}` : `${source ? "Transform" : "Make"} · free`;
      const asks = told.refused?.code === "E-PRICE" && told.usd > 0; // the press asks the person to agree to it
      send.disabled = busy || (Boolean(told.refused) && !asks) || told.faults.length > 0 || (!prompt.value.trim() && !preset.value);
      const faults = told.faults.map((one) => (typeof one === "string" ? one : `${one.field || one.key || ""} ${one.allowed || one.message || ""}`)).join(" ");
      note.textContent = told.refused ? `${told.refused.message} ${(asks ? "Press to agree to it and send." : told.refused.next) || ""}` : faults || `${told.variations > 1 ? `${told.variations} takes` : "One take"} of ${seconds(told.duration)}, ${told.engine === "sketch" ? "by the sketch engine: not the model" : told.model}.`;
    } catch (error) { if (mine === asked) { note.textContent = error.message; send.disabled = true; } }
  }
  /** Ask for the price of what is wanted now. Until it is known, nothing can be sent. */
  function soon() { asked += 1; send.disabled = true; clearTimeout(timer); timer = setTimeout(estimate, 150); }

  /** Press by key. Where the price is not known yet: what is free is sent, what costs is shown first. */
  async function pressByKey() {
    if (!send.disabled) { press(); return; }
    clearTimeout(timer);
    await estimate();
    if (send.disabled) return;
    if (free) press(); else send.focus();
  }

  async function press() {
    if (busy) return;
    busy = true;
    send.disabled = true;
    const done = await order(request());
    if (done) {
      const words = prompt.value.trim();
      if (words) localStorage.setItem(HISTORY, JSON.stringify([words, ...remembered().filter((one) => one !== words)].slice(0, 30)));
      location.hash = "#now";
    }
    busy = false;
    soon();
  }

  async function bring(chosen) {
    note.textContent = `${chosen.name} is read …`;
    try {
      const kept = await upload(chosen.name, chosen);
      source = { path: kept.path, name: kept.name, seconds: kept.seconds, id: kept.source };
      await showSource();
    } catch (error) { tell(error); }
    soon();
  }

  async function showSource() {
    if (!source) {
      const area = h("div", { class: "drop" }, h("p", {}, "Drop an audio file here, or ", h("button", { type: "button", onclick: () => file.click() }, "choose one")), h("p", { class: "small" }, "Without a source, sound is made from the words alone."), file);
      place.replaceChildren(area);
      return;
    }
    const range = h("span", { class: "num small soft" });
    const parts = [];
    // what was dropped here and what is a take can be looked at; of other files only the path is known
    const at = source.id ? `sources/${source.id}` : source.job ? `jobs/${source.job}` : "";
    if (at) {
      const peaks = await get(`${at}/peaks?buckets=600`);
      parts.push(region(peaks, source.seconds, (from, to) => {
        const whole = from === 0 && Math.abs(to - source.seconds) < 0.001;
        source.start = whole ? undefined : from; source.end = whole ? undefined : to;
        range.textContent = whole ? `all of ${seconds(source.seconds)}` : `${from.toFixed(2)} to ${to.toFixed(2)} s`;
        soon();
      }, { start: source.start, end: source.end }));
      parts.push(h("button", { type: "button", onclick: () => player.toggle({ url: `/api/${at}/audio`, title: source.name, peaks: `${at}/peaks` }).catch(tell) }, "Play source"));
    }
    place.replaceChildren(h("div", { class: "stack" }, h("div", { class: "row" }, h("b", { class: "grow" }, source.name), range, h("button", { type: "button", onclick: async () => { source = null; player.stop(); await showSource(); soon(); } }, "Remove")), parts));
  }

  const node = h("div", { class: "view" }, h("h1", {}, "Make"), h("div", { class: "columns make" },
    h("div", {}, h("section", { class: "panel stack" }, h("h2", {}, "Words"), prompt, h("div", { class: "row" }, h("div", { class: "grow" }, preset), h("div", { class: "grow" }, history)), h("div", { class: "row" }, send, h("div", { class: "grow" }, note))),
      h("section", { class: "panel" }, h("h2", {}, "Source"), place)),
    h("section", { class: "panel" }, h("h2", {}, "How"), fields)));
  node.addEventListener("input", soon);
  node.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) pressByKey(); });
  node.addEventListener("dragover", (event) => { event.preventDefault(); place.firstChild?.classList.add("over"); });
  node.addEventListener("dragleave", () => place.firstChild?.classList.remove("over"));
  node.addEventListener("drop", (event) => { event.preventDefault(); const dropped = event.dataTransfer.files[0]; if (dropped) bring(dropped); });
  let missed = false; // the bridge was gone
  async function load() {
    missed = false;
    try {
      const [presets, table] = await Promise.all([get("presets"), get("parameters")]);
      preset.append(...Object.keys(presets).map((name) => h("option", { value: name }, name)));
      if (given.preset) preset.value = given.preset;
      const shown = table.parameters.filter((one) => one.name !== "prompt");
      const seldom = new Set(["model", "valid_for"]);
      fields.replaceChildren(...shown.filter((one) => !seldom.has(one.name)).map((one) => field(one, given[one.name])), field(TEMPO, given.place?.tempo),
        h("details", {}, h("summary", { class: "small soft" }, "Seldom needed"), shown.filter((one) => seldom.has(one.name)).map((one) => field(one, given[one.name]))));
      await showSource();
    } catch (error) { missed = !fields.children.length; tell(error); }
    soon();
  }
  load();
  const stop = listen((what) => { if (missed && known.alive) load(); else if (what === "status") estimate(); });
  return { node, leave: () => { stop(); clearTimeout(timer); }, focus: () => prompt.focus(), known };
}
