/** Pads: whether they may spend, what they do, learning new ones by pressing them, and what comes in. */
import { changeSettings, get, known, listen, post, refresh } from "./api.js";
import { ago, h, redraw, tell, usd } from "./dom.js";
import { chooser } from "./forms.js";
import { act } from "./jobs.js";

const ACTIONS = { preset: "asks for a preset", set: "sets a parameter", deliver: "brings the newest take", cancel: "cancels the last request", arm: "arms the pads", disarm: "disarms the pads", panic: "stops everything" };
const PRESSES = ["note_on", "control_change", "program_change"];
const REST = 0.4; // s without a message: the gesture is over
const MOST_SHOWN = 60;

const words = (one) => `${one.port}: ${one.message.replace("_", " ")}${one.number === undefined ? "" : ` ${one.number}`}${one.channel === undefined ? "" : `, channel ${one.channel}`}`;

/** The name of a port without the numbers that change when it is plugged in again. */
const bare = (port) => port.replace(/ \d+:\d+$/, "").replace(navigator.userAgent.includes("Windows") ? / \d+$/ : /$^/, "");

/** What was pressed, in the words of a binding; null if nothing was. */
function binding(heard, action) {
  const first = heard.find((one) => one.message !== "note_on" || one.value > 0);
  if (!first) return null;
  const made = { port: bare(first.port), message: first.message, channel: first.channel };
  if (first.number !== undefined) made.number = first.number;
  const fine = (one) => one.message === "control_change" && one.channel === first.channel && one.number === first.number + 32;
  if (action === "set" && first.message === "control_change" && first.number < 32 && heard.some(fine)) made.bits = 14;
  return made;
}

/** Listen until a gesture is over, or until stopped() is true. */
async function gesture(stopped) {
  let { next: since } = await post("midi/listen", { port: "*", mute: true });
  const heard = [];
  while (!stopped()) {
    const told = await post("midi/listen", { port: "*", since, mute: true, wait: heard.length ? REST : 3 });
    if (told.problem) throw new Error(`There is no MIDI here: ${told.problem}.`);
    since = told.next;
    const fresh = told.messages.filter((one) => PRESSES.includes(one.message));
    if (heard.length && !fresh.length) break;
    heard.push(...fresh);
  }
  post("midi/listen", { port: "*", stop: true }).catch(() => {});
  return heard;
}

function learner(onSaved) {
  const place = h("div", { class: "stack" });
  let wanted = { action: "preset" };
  let learned = null;
  let listening = false;
  let settings = null;
  let knobs = [];
  const said = h("p", { class: "small", role: "status" });

  async function read() {
    const [now, table] = await Promise.all([get("settings"), get("parameters")]);
    settings = now;
    knobs = table.parameters.filter((one) => one.set_by.includes("knob")).map((one) => one.name);
    show();
  }
  async function listenNow() {
    listening = true;
    learned = null;
    said.textContent = "Press the pad, or turn the knob. Pads do nothing else meanwhile.";
    show();
    try {
      learned = binding(await gesture(() => !listening), wanted.action);
      said.textContent = learned ? `Heard ${words(learned)}.` : "";
    } catch (error) { said.textContent = error.message; }
    listening = false;
    show();
  }
  async function save() {
    const name = place.querySelector("input").value.trim() || wanted.preset || wanted.parameter || wanted.action;
    try {
      await changeSettings((given) => ({ midi: { bindings: [...(given.midi?.bindings || []), { name, ...learned, ...wanted }] } }));
      said.textContent = `${name} is bound.`;
      learned = null;
      await read();
      onSaved();
    } catch (error) { said.textContent = error.told?.faults?.map((one) => `${one.field}: ${one.allowed}`).join("; ") || error.message; }
  }
  function show() {
    if (!settings?.given || settings.environment["midi.bindings"]) { place.replaceChildren(); return; }
    const held = place.querySelector("input")?.value || "";
    const transforms = (name) => wanted.action === "preset" && settings.given.presets?.[name]?.action === "transform";
    const pick = (key) => (value) => { wanted = { ...wanted, [key]: value ?? undefined }; };
    place.replaceChildren(h("div", { class: "fields" },
      h("label", {}, "It", h("select", { "aria-label": "What it does", value: wanted.action, onchange: (event) => { wanted = { action: event.target.value }; show(); } }, Object.entries(ACTIONS).map(([value, text]) => h("option", { value, selected: value === wanted.action }, text)))),
      wanted.action === "preset" && h("label", {}, "Preset", chooser("Preset that it plays", Object.keys(settings.given.presets || {}), wanted.preset, "choose one", (value) => { wanted = { ...wanted, preset: value ?? undefined, source: transforms(value) ? "newest_take" : undefined }; show(); })),
      transforms(wanted.preset) && h("label", {}, "Made from", chooser("What it is made from", ["newest_take", "selection", ...(settings.given.folders || []).map((one) => `folder:${one.name}`)], wanted.source, null, pick("source"))),
      wanted.action === "set" && h("label", {}, "Parameter", chooser("Parameter that it sets", [...knobs, "bars"], wanted.parameter, "choose one", pick("parameter"))),
      ["arm", "preset"].includes(wanted.action) && h("label", {}, "Confirmed by", chooser("How a press is confirmed", ["hold", "twice"], wanted.confirm, "nothing more", pick("confirm"))),
      h("label", {}, "Name", h("input", { value: held, placeholder: "as what it does" }))),
    h("div", { class: "row" }, h("button", { type: "button", onclick: () => { if (listening) listening = false; else listenNow(); } }, listening ? "Stop listening" : "Learn: press the pad"), learned && h("button", { type: "button", class: "primary", onclick: save }, "Bind it"), said));
  }
  read().catch(tell);
  const stop = listen((what) => { if (what === "link" && known.alive && !settings) read().catch(tell); });
  return { node: place, leave: () => { listening = false; stop(); } };
}

function monitor() {
  const body = h("tbody");
  const none = h("p", { class: "soft small" }, "Shows what controllers send. Pads go on doing what they are for.");
  const said = h("span", { class: "small soft", role: "status" });
  let on = false;
  async function run() {
    let since;
    while (on) {
      try {
        const told = await post("midi/listen", { port: "*", wait: 3, ...(since === undefined ? {} : { since }) });
        since = told.next;
        said.textContent = told.problem ? `There is no MIDI here: ${told.problem}.` : told.open.length ? `Listening to ${told.open.join(", ")}.` : "No controller is there.";
        none.hidden = told.messages.length > 0 || body.rows.length > 0;
        for (const one of told.messages) body.prepend(h("tr", {}, [one.port, one.message.replace("_", " "), one.channel ?? "", one.number ?? "", one.value ?? "", one.bytes].map((text) => h("td", { class: "num" }, String(text)))));
        while (body.rows.length > MOST_SHOWN) body.deleteRow(-1);
        if (told.problem) break;
      } catch (error) { tell(error); break; }
    }
    on = false;
    button.textContent = "Listen";
  }
  const button = h("button", { type: "button", onclick: () => { on = !on; button.textContent = on ? "Stop" : "Listen"; if (on) run(); } }, "Listen");
  return { node: h("section", { class: "panel stack", "aria-label": "Monitor" }, h("div", { class: "row" }, h("h2", { class: "grow" }, "Monitor"), said, button), none,
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Messages" }, h("table", { class: "messages" }, body))), leave: () => { on = false; } };
}

export function view() {
  const stage = h("div", { class: "stack" });
  const bound = h("div");
  function show() {
    const midi = known.status?.midi;
    if (!midi) return;
    const { armed, why, minutes_left: minutes, budget_usd: budget, spent_usd: spent } = midi.stage;
    const toggle = () => act(() => post(armed ? "midi/disarm" : "midi/arm"), armed ? "Disarmed: pads spend nothing." : "Armed.").then(() => refresh().catch(() => {}));
    stage.replaceChildren(h("div", { class: "row" }, h("span", { class: armed ? "badge warn" : "badge" }, armed ? "armed" : "not armed"),
      h("p", { class: "grow" }, armed ? `A press may spend. ${minutes ? `${Math.ceil(minutes)} min are left` : ""}${budget === undefined ? "" : `, ${usd(spent || 0)} of ${usd(budget)} are spent`}.` : `Pads spend nothing: ${why}.`),
      h("button", { type: "button", class: armed ? "" : "primary", onclick: toggle }, armed ? "Disarm" : "Arm")),
    midi.problem ? h("p", { class: "soft small" }, `No MIDI: ${midi.problem}.`) : h("p", { class: "soft small" }, midi.inputs.length ? `Inputs: ${midi.inputs.map((one) => one.name || one).join(", ")}` : "No MIDI input is there."));
    bound.replaceChildren(...(midi.bindings.length ? midi.bindings.map((one) => h("article", { class: "job" }, h("div", { class: "row" },
      h("span", { class: one.attached ? "badge good" : "badge" }, one.attached ? "there" : "not there"), h("span", { class: "title grow" }, one.name), h("span", { class: "small soft" }, one.last_s === undefined || one.last_s === null ? "" : ago(Date.now() / 1000 - one.last_s))),
    h("p", { class: "small soft" }, `${ACTIONS[one.action]}${one.preset ? `: ${one.preset}` : ""} · ${one.port}`))) : [h("p", { class: "soft" }, "No pad is bound yet. Learn one below.")]));
  }
  show();
  const learn = learner(() => refresh().catch(() => {}));
  const shown = monitor();
  const node = h("div", { class: "view" });
  node.append(h("h1", {}, "Pads"), h("div", { class: "columns two" }, h("div", {}, h("section", { class: "panel", "aria-label": "Armed" }, h("h2", {}, "The stage"), stage), shown.node),
    h("section", { class: "panel stack", "aria-label": "Bindings" }, h("h2", {}, "Bindings"), bound, h("h3", {}, "Learn"), learn.node, h("p", { class: "small soft" }, "All else of a binding stands under ", h("a", { href: "#settings" }, "Settings"), "."))));
  const stop = listen(() => redraw(node, show));
  return { node, leave: () => { stop(); learn.leave(); shown.leave(); } };
}
