/** Settings: all of config.toml. The bridge checks what is written; nothing is written unless all of it is right. */
import { get, known, listen, patch } from "./api.js";
import { ask, h, tell, toast } from "./dom.js";
import { widget } from "./forms.js";

const TITLES = { engine: "Engine", spend: "Money", defaults: "Defaults", publish: "Sources for transforms", osc: "OSC", http: "HTTP", metrics: "Metrics", audio: "Takes and sources", midi: "Pads and knobs", clock: "Tempo and bars", music: "Music", journal: "Journal and studio" };
const LISTS = { "presets.<name>": "Presets", folders: "Watched folders", "midi.bindings": "Bindings of pads" };
const ABOUT = { "presets.<name>": "A request under a name, for pads, folders and this page.", folders: "A folder whose renders become requests.", "midi.bindings": "What a pad, a key or a knob does. Learn new ones by pressing them, under Pads." };

/** The lists of the file as one shape: [{name, values}], and back. */
const readers = {
  "presets.<name>": (given) => Object.entries(given.presets || {}).map(([name, values]) => ({ name, values: { ...values } })),
  folders: (given) => (given.folders || []).map(({ name, ...values }) => ({ name, values })),
  "midi.bindings": (given) => (given.midi?.bindings || []).map(({ name, ...values }) => ({ name, values })),
};
const whole = (items) => items.map((one) => ({ name: one.name, ...one.values }));
const writers = {
  "presets.<name>": (items, before) => ({ presets: { ...Object.fromEntries(before.map((one) => [one.name, null])), ...Object.fromEntries(items.map((one) => [one.name, one.values])) } }),
  folders: (items) => ({ folders: whole(items) }),
  "midi.bindings": (items) => ({ midi: { bindings: whole(items) } }),
};

export function view() {
  const place = h("div", { class: "stack" });
  const index = h("nav", { class: "index", "aria-label": "Sections" });
  const said = h("p", { class: "small", role: "status" });
  const faults = h("ul", { class: "faults", hidden: true });
  const save = h("button", { type: "button", class: "primary", disabled: true, onclick: write }, "Save");
  const undo = h("button", { type: "button", disabled: true, onclick: () => show() }, "Undo");
  let now = null; // what the bridge told
  let plain = {}; // section → key → value, as it was changed
  let lists = {}; // section → items
  let touched = new Set();
  let missed = false; // the bridge was gone when it was asked

  function changed() { save.disabled = false; undo.disabled = false; said.textContent = "Not saved yet."; }

  function section(name) {
    const fields = now.fields.filter((one) => one.section === name);
    return h("section", { class: "panel", id: `s-${name}`, "aria-label": TITLES[name] || name }, h("h2", {}, TITLES[name] || name, h("code", {}, `[${name}]`)),
      h("div", { class: "fields wide" }, fields.map((field) => {
        const by = now.environment[`${name}.${field.key}`];
        const why = by ? `Set by ${by}.` : field.locked ? `Only in config.toml: ${field.locked}.` : "";
        const value = (by ? now.settings : now.given)[name]?.[field.key] ?? undefined;
        return widget(field, value, (value) => { (plain[name] ??= {})[field.key] = value; changed(); }, { label: `${name} ${field.key}`, why });
      })));
  }

  /** One item of a list, with the fields of its parts (a light) under their own heading. */
  function item(name, one, items, redo) {
    const touch = () => { touched.add(name); changed(); };
    const set = (values, key, value) => { if (value === null || value === false) delete values[key]; else values[key] = value; touch(); };
    const fields = now.fields.filter((field) => field.section === name && field.key !== "name");
    const parts = [...new Set(now.fields.filter((field) => field.section.startsWith(`${name}.`)).map((field) => field.section))];
    const title = h("b", {}, one.name || "new");
    const rename = h("input", { "aria-label": `Name of ${one.name || "the new one"}`, value: one.name, oninput: () => { one.name = rename.value.trim(); title.textContent = one.name || "new"; touch(); } });
    return h("details", { class: "item", open: !one.name }, h("summary", {}, title, h("span", { class: "soft small" }, summary(one.values))),
      h("div", { class: "fields wide" }, h("label", { class: "setting" }, h("b", {}, "name"), rename),
        fields.map((field) => widget(field, one.values[field.key], (value) => set(one.values, field.key, value), { label: `${one.name} ${field.key}` })),
        parts.map((part) => {
          const key = part.slice(name.length + 1);
          return h("fieldset", {}, h("legend", {}, key), h("div", { class: "fields" }, now.fields.filter((field) => field.section === part).map((field) => widget(field, one.values[key]?.[field.key], (value) => {
            const inner = { ...one.values[key] };
            set(inner, field.key, value);
            set(one.values, key, Object.keys(inner).length ? inner : null);
          }, { label: `${one.name} ${key} ${field.key}` }))));
        })),
      h("div", { class: "row end" }, h("button", { type: "button", class: "danger", onclick: () => { items.splice(items.indexOf(one), 1); touch(); redo(); } }, "Remove")));
  }

  function list(name) {
    const key = name === "presets.<name>" ? "presets" : name;
    const by = now.environment[key];
    const rows = h("div");
    const redo = () => rows.replaceChildren(...(lists[name].length ? lists[name].map((one) => item(name, one, lists[name], redo)) : [h("p", { class: "soft" }, "None yet.")]));
    redo();
    return h("section", { class: "panel", id: `s-${name}`, "aria-label": LISTS[name] }, h("h2", {}, LISTS[name], h("code", {}, name === "presets.<name>" ? "[presets.NAME]" : `[[${name}]]`)),
      h("p", { class: "small soft" }, by ? `Set by ${by}.` : ABOUT[name]), rows,
      !by && h("div", { class: "row" }, h("button", { type: "button", onclick: () => { lists[name].push({ name: "", values: {} }); redo(); rows.lastChild.querySelector("input").focus(); } }, `Add to ${LISTS[name].toLowerCase()}`)));
  }

  /** Show what the file says; quiet: only if it is another file than the one shown, so that nothing closes under a hand. */
  async function show(quiet = false) {
    try {
      const found = await get("settings");
      if (quiet && (!save.disabled || found.revision === now?.revision)) return;
      now = found;
      if (!now.given) { place.replaceChildren(h("p", { class: "panel" }, `${now.file} is not TOML any more. Correct it by hand: ${now.faults.map((one) => one.where).join(", ")}`)); return; }
      plain = {};
      touched = new Set();
      lists = Object.fromEntries(Object.keys(LISTS).map((name) => [name, readers[name](now.given)]));
      save.disabled = true;
      undo.disabled = true;
      faults.hidden = true;
      const sections = [...new Set(now.fields.map((one) => one.section))].filter((name) => !name.includes(".") && !LISTS[name]);
      place.replaceChildren(...sections.map(section), ...Object.keys(LISTS).map(list));
      index.replaceChildren(...[...sections, ...Object.keys(LISTS)].map((name) => h("button", { type: "button", class: "quiet", onclick: () => document.getElementById(`s-${name}`).scrollIntoView({ block: "start", behavior: "smooth" }) }, TITLES[name] || LISTS[name] || name)));
    } catch (error) { missed = !now; tell(error); }
  }

  async function write() {
    const unnamed = [...touched].some((name) => lists[name].some((one) => !one.name));
    if (unnamed) { said.textContent = "Something new has no name yet."; return; }
    const changes = structuredClone(plain);
    for (const name of touched) for (const [key, value] of Object.entries(writers[name](lists[name], readers[name](now.given)))) changes[key] = Array.isArray(value) ? value : { ...changes[key], ...value };
    save.disabled = true;
    try {
      const done = await patch("settings", changes, { "If-Match": now.revision });
      await show();
      said.textContent = done.after_restart.length ? `Saved. After a restart of the bridge: ${done.after_restart.join(", ")}.` : "Saved, and in use.";
    } catch (error) {
      save.disabled = false;
      if (error.told?.code === "E-STATE") { if (await ask("The file was changed meanwhile", "Read it again? What you changed here is lost.", [["Cancel", null], ["Read again", true, "primary"]])) show(); return; }
      const found = error.told?.faults || [];
      if (!found.length) { said.textContent = ""; tell(error); return; }
      said.textContent = "Nothing was written.";
      faults.hidden = false;
      faults.replaceChildren(...found.map((one) => h("li", {}, h("code", {}, one.field), ` ${one.allowed}`)));
      for (const one of place.querySelectorAll("[data-setting]")) one.classList.toggle("wrong", found.some((fault) => fault.field === one.dataset.setting));
      faults.scrollIntoView({ block: "nearest" });
    }
  }

  show();
  const stop = listen((what) => { if (what === "link" && known.alive && (now || missed)) show(true); else if (what === "settings" && save.disabled) show(true); else if (what === "settings") toast("config.toml was changed elsewhere."); });
  const leaving = (event) => { if (!save.disabled) event.preventDefault(); };
  window.addEventListener("beforeunload", leaving);
  return {
    node: h("div", { class: "view" }, h("div", { class: "row sticky" }, h("h1", { class: "grow" }, "Settings"), said, undo, save), faults,
      h("p", { class: "soft small" }, "All of ", h("code", {}, known.status ? `${known.status.home}/config.toml` : "config.toml"), ". The bridge checks all of it before it writes; comments in the file stay."),
      h("div", { class: "columns settings" }, index, place)),
    leave: () => { stop(); window.removeEventListener("beforeunload", leaving); },
  };
}

function summary(values) {
  return [values.action, values.preset, values.path, values.prompt, values.port].filter(Boolean).map((text) => ` · ${String(text).slice(0, 60)}`).join("");
}
