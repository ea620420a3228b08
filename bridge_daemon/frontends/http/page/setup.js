/** Setup: the first run, step by step; the same steps as daw-bridge setup. Each can be skipped, and done again. */
import { get, known, listen, post, refresh } from "./api.js";
import { h, tell, toast } from "./dom.js";

const KIND = { done: "good", skipped: "warn", open: "" };
const LOOK = 1500; // ms, while the bridge gives way to its service
const PATIENCE = 60_000; // ms, for the service to come up

const input = (label, props = {}, about = "") => {
  const made = h("input", { type: "text", "aria-label": label, ...props });
  return { input: made, node: h("label", { class: "setting" }, h("b", {}, label), made, about && h("span", { class: "small" }, about)) };
};

/** What each step asks: what is shown, and what is sent. */
const FORMS = {
  key() {
    const key = input("API key", { type: "password", autocomplete: "off", spellcheck: "false" }, "It goes into the keyring of this machine, and is not shown again.");
    return { nodes: [key.node], label: "Check and keep", data: () => ({ key: key.input.value }) };
  },
  limits({ spend }) {
    const names = { per_day_usd: "Dollars a day", per_month_usd: "Dollars a month", confirm_above_usd: "Ask above, dollars" };
    const all = Object.entries(names).map(([name, label]) => [name, input(label, { type: "number", min: "0", step: "any", value: String(spend[name]) })]);
    return { nodes: [h("div", { class: "fields" }, all.map(([, one]) => one.node))], label: "Set limits", data: () => Object.fromEntries(all.filter(([, one]) => one.input.value !== "").map(([name, one]) => [name, Number(one.input.value)])) };
  },
  sources({ ways }) {
    const chosen = h("select", { "aria-label": "Way for sources" }, h("option", { value: "" }, "as it is set now"), ways.map((way) => h("option", { value: way.key }, `${way.key} – ${way.key !== "upload" && way.installed ? "installed" : way.about}`)), h("option", { value: "address" }, "an https address of my own"));
    const address = input("Address", { placeholder: "https://…", "aria-label": "Address for sources" });
    address.node.hidden = true;
    chosen.addEventListener("change", () => { address.node.hidden = chosen.value !== "address"; });
    const way = () => (chosen.value === "address" ? address.input.value.trim() : chosen.value);
    return { nodes: [h("label", { class: "setting" }, h("b", {}, "Way"), chosen), address.node], label: "Set and try, free", data: () => (way() ? { way: way() } : {}) };
  },
  daws({ daws }) {
    const boxes = daws.map((daw) => [daw.key, h("input", { type: "checkbox", checked: daw.places.length > 0, disabled: !daw.places.length, "aria-label": daw.title }), daw]);
    return {
      nodes: boxes.map(([, box, daw]) => h("label", { class: "check" }, box, h("span", {}, h("b", {}, daw.title), " ", h("span", { class: "small soft" }, daw.places.length ? `${daw.places.join(", ")}${daw.current ? ": up to date" : ""}` : daw.missing)))),
      label: "Install", off: boxes.every(([, box]) => box.disabled), data: () => ({ daws: boxes.filter(([, box]) => box.checked).map(([key]) => key) }),
    };
  },
  folders({ presets }) {
    const folder = input("Folder of renders", { placeholder: "/Users/me/Renders" }, "Each render that appears there waits until you start it.");
    const preset = h("select", { "aria-label": "Preset of the folder" }, h("option", { value: "" }, presets.length ? "no preset" : "no preset (there is none yet)"), presets.map((name) => h("option", { value: name }, name)));
    return { nodes: [folder.node, h("label", { class: "setting" }, h("b", {}, "Preset"), preset)], label: "Watch", data: () => ({ folder: folder.input.value.trim(), ...(preset.value ? { preset: preset.value } : {}) }) };
  },
  midi() {
    const port = input("MIDI input with a clock", { placeholder: "leave empty if there is none" });
    return { nodes: [h("p", {}, "To let a pad play a preset: ", h("a", { href: "#pads" }, "learn a pad"), "."), port.node], label: "Use this clock", data: () => ({ clock_port: port.input.value.trim() }) };
  },
  service: () => ({ nodes: [h("p", { class: "small soft" }, "The bridge ends for a moment and comes back as the service. This page waits for it.")], label: "Start at login", data: () => ({}) }),
  test: () => ({ nodes: [], label: "Make two test takes", data: () => ({}) }),
};

export function view() {
  const list = h("ol", { class: "steps" });
  const rest = h("button", { type: "button", class: "quiet", hidden: true, onclick: skipRest }, "Skip what is left");
  const said = h("p", { class: "soft", role: "status" });
  let told = null;
  let gone = false;
  let shown = null; // the step whose form is open
  let kept = null; // that form, so that what is typed in it stays
  let busy = false;

  async function read({ next = true, keep = false } = {}) {
    try { told = await get("setup"); } catch (error) { tell(error); return; }
    if (next) shown = told.steps.find((one) => one.state === "open")?.key ?? null;
    show(keep);
  }

  function show(keep = false) {
    if (gone) return;
    if (!keep) kept = null;
    const left = told.steps.filter((one) => one.state === "open").length;
    said.textContent = left ? `${told.steps.length - left} of ${told.steps.length} steps are behind you. Stop whenever you like: what is done stays.` : "All steps are behind you. Any of them can be done again.";
    rest.hidden = !left;
    list.replaceChildren(...told.steps.map(step));
  }

  function step(one, number) {
    const open = shown === one.key;
    const toggle = h("button", { type: "button", class: "quiet", "aria-expanded": String(open), "aria-label": `${open ? "Close" : "Open"} ${one.title}`, onclick: () => { shown = open ? null : one.key; show(); list.querySelector(`[data-step="${one.key}"] button`)?.focus(); } }, open ? "Close" : one.state === "open" ? "Open" : "Again");
    return h("li", { class: `panel step ${open ? "open" : ""}`, "data-step": one.key },
      h("div", { class: "row" }, h("span", { class: "soft num", "aria-hidden": "true" }, String(number + 1)), h("h2", { class: "title" }, one.title), h("span", { class: `badge ${KIND[one.state]}` }, one.state), h("span", { class: "small soft grow" }, one.text), FORMS[one.key] && toggle),
      open && FORMS[one.key] && (kept ??= form(one)));
  }

  function form(one) {
    const { nodes, label, data, off = false } = FORMS[one.key](told);
    const answer = h("p", { class: "small", role: "status" });
    const act = h("button", { type: "submit", class: "primary", disabled: off }, label);
    const skip = h("button", { type: "button", class: "quiet", "aria-label": `Skip ${one.title}`, onclick: () => send({ step: one.key, skip: true }) }, "Skip");
    const send = async (body) => {
      if (busy) return;
      busy = true;
      act.disabled = true;
      skip.disabled = true;
      answer.className = "small";
      answer.textContent = body.skip ? "" : "At it …";
      try {
        const done = await post("setup", body);
        toast(`${one.title}: ${done.text}.`);
        if (one.key === "service" && !body.skip) { await come(answer); return; }
        refresh().catch(() => {});
        await read();
        list.querySelector(".step.open button")?.focus();
      } catch (error) {
        const told_ = error.told || { message: String(error) };
        answer.className = "small wrong-text";
        answer.textContent = `${(told_.faults || []).map((fault) => fault.allowed).join("; ") || told_.message} ${told_.faults ? "" : told_.next || ""}`;
        act.disabled = off;
        skip.disabled = false;
      } finally { busy = false; }
    };
    return h("form", { class: "stack", onsubmit: (event) => { event.preventDefault(); send({ step: one.key, ...data() }); } }, h("p", {}, one.what), nodes, h("div", { class: "row" }, act, skip, answer), h("p", { class: "small soft" }, "In a terminal: ", h("code", {}, one.alone)));
  }

  /** Wait until the service has taken the place of this bridge. */
  async function come(answer) {
    answer.textContent = "The bridge gives way to its service …";
    for (const until = Date.now() + PATIENCE; Date.now() < until && !gone;) {
      await new Promise((go) => { setTimeout(go, LOOK); });
      const now = await get("setup").catch(() => null);
      if (now?.steps.find((one) => one.key === "service").state === "done") { await read(); return; }
    }
    if (!gone) answer.textContent = "It did not come up. In a terminal, daw-bridge service install says why.";
  }

  async function skipRest() {
    for (const one of told.steps.filter((each) => each.state === "open")) await post("setup", { step: one.key, skip: true }).catch(tell);
    await read({ next: false });
  }

  read();
  const stop = listen((what) => { if (what === "link" && known.alive && !busy && !list.contains(document.activeElement)) read({ next: !told, keep: true }); });
  return {
    node: h("div", { class: "view setup" }, h("div", { class: "row" }, h("h1", { class: "grow" }, "Setup"), rest), h("p", { class: "soft small" }, "Nothing in here costs anything. The same in a terminal: ", h("code", {}, "daw-bridge setup"), "."), said, list),
    leave: () => { gone = true; stop(); },
  };
}

/** A line for Now while steps of the first run are open; null if none is. */
export async function invitation() {
  const { steps } = await get("setup");
  const left = steps.filter((one) => one.state === "open");
  if (!left.length) return null;
  return h("section", { class: "panel row", "aria-label": "Setup" }, h("p", { class: "grow" }, h("b", {}, left.length === steps.length - 1 ? "Welcome. " : "Setup goes on. "), `Next: ${left[0].title}. ${left.length} of ${steps.length} steps are open; each can be skipped.`), h("a", { class: "button primary", href: "#setup" }, "Set up"));
}
