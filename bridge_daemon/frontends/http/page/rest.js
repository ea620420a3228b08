/** Folders, pads, settings and help. */
import { get, known, listen, patch, pay, post } from "./api.js";
import { ask, h, tell, toast, usd, when } from "./dom.js";
import { act } from "./jobs.js";

export function folders() {
  const place = h("div");
  async function show() {
    try {
      const [{ folders: watched }, { renders }] = await Promise.all([get("folders"), get("folders/renders?limit=100")]);
      const send = async (one) => {
        const price = known.status?.price_usd || 0;
        if (price && !(await ask("Send this render?", `It costs ${usd(price)}.`, [["Cancel", null], [`Send · ${usd(price)}`, true, "primary"]]))) return;
        await act(() => pay("folders/send", { entry: one.entry, ...(price ? { confirm_usd: price } : {}) }));
        show();
      };
      place.replaceChildren(
        h("section", { class: "panel" }, h("h2", {}, "Watched"), watched.length ? h("div", { class: "scroll" }, h("table", {}, h("tr", {}, ["Name", "Folder", "Spends by itself", ""].map((one) => h("th", {}, one))),
          watched.map((one) => h("tr", {}, h("td", {}, one.name), h("td", {}, one.path), h("td", {}, one.spend ? "yes" : "no"), h("td", {}, one.problem || (one.watched === false ? "not watched" : "watched")))))) : h("p", { class: "soft" }, "No folder is watched. Add one under ", h("a", { href: "#settings" }, "Settings"), " as [[folders]].")),
        h("section", { class: "panel" }, h("h2", {}, "Renders"), renders.length ? h("div", { class: "scroll" }, h("table", {}, renders.map((one) => h("tr", {}, h("td", {}, one.name), h("td", {}, h("span", { class: "badge" }, one.state)), h("td", { class: "small soft" }, one.text || ""), h("td", {}, h("div", { class: "row end" },
          ["waiting", "listed", "refused"].includes(one.state) && h("button", { type: "button", onclick: () => send(one) }, "Send"),
          ["waiting", "listed", "refused"].includes(one.state) && h("button", { type: "button", class: "quiet", onclick: async () => { await act(() => post("folders/forget", { entry: one.entry })); show(); } }, "Forget"))))))) : h("p", { class: "empty" }, "Nothing waits.")));
    } catch (error) { tell(error); }
  }
  show();
  const stop = listen((what) => what === "job" && show());
  return { node: h("div", { class: "view" }, h("h1", {}, "Folders"), place), leave: stop };
}

export function pads() {
  const stage = h("section", { class: "panel" });
  const bound = h("section", { class: "panel" });
  const heard = h("table");
  let listening = false;
  let since;
  function show() {
    const midi = known.status?.midi;
    if (!midi) return;
    const { armed, why } = midi.stage;
    stage.replaceChildren(h("h2", {}, "Armed"), h("div", { class: "row" }, h("p", { class: "grow" }, armed ? "The pads are armed: a press spends." : `The pads spend nothing: ${why}.`),
      h("button", { type: "button", class: armed ? "" : "primary", onclick: () => act(() => post(armed ? "midi/disarm" : "midi/arm"), armed ? "Disarmed." : "Armed.").then(() => get("status").then((now) => { known.status = now; show(); })) }, armed ? "Disarm" : "Arm")), midi.problem && h("p", { class: "soft" }, String(midi.problem)));
    bound.replaceChildren(h("h2", {}, "Bindings"), midi.bindings.length ? h("div", { class: "scroll" }, h("table", {}, midi.bindings.map((one) => h("tr", {}, h("td", {}, one.name), h("td", {}, one.action || ""), h("td", {}, one.port || ""), h("td", { class: "num" }, `${one.taken ?? 0} of ${one.pressed ?? 0} presses`))))) : h("p", { class: "soft" }, "No pad is bound. ", h("code", {}, "daw-bridge midi learn"), " binds one by pressing it."));
  }
  async function monitor(button) {
    listening = !listening;
    button.textContent = listening ? "Stop" : "Listen";
    while (listening) {
      try {
        const told = await post("midi/listen", { port: "*", wait: 5, ...(since === undefined ? {} : { since }) });
        since = told.next;
        for (const one of told.messages) { heard.prepend(h("tr", {}, [one.port, one.message, one.channel ?? "", one.number ?? "", one.value ?? "", one.bytes].map((text) => h("td", { class: "num" }, String(text))))); while (heard.rows.length > 40) heard.deleteRow(-1); }
        if (told.problem) { toast(String(told.problem), true); listening = false; }
      } catch (error) { tell(error); listening = false; }
    }
    button.textContent = "Listen";
  }
  const button = h("button", { type: "button", onclick: () => monitor(button) }, "Listen");
  show();
  const stop = listen(show);
  return { node: h("div", { class: "view" }, h("h1", {}, "Pads"), stage, bound, h("section", { class: "panel" }, h("div", { class: "row" }, h("h2", { class: "grow" }, "Monitor"), button), h("div", { class: "scroll" }, heard))), leave: () => { stop(); listening = false; } };
}

export function settings() {
  const place = h("div");
  let read = null;
  let changes = {};
  const save = h("button", { type: "button", class: "primary", disabled: true, onclick: write }, "Save");
  const said = h("p", { class: "small", role: "status" });
  function set(section, key, value) { (changes[section] ??= {})[key] = value; save.disabled = false; }
  function input(one) {
    const now = read.settings[one.section]?.[one.key];
    const environment = read.environment?.[`${one.section}.${one.key}`];
    const props = { "aria-label": `${one.section} ${one.key}`, disabled: Boolean(one.locked || environment) };
    if (typeof one.default === "boolean" || one.type === "true or false") return h("input", { ...props, type: "checkbox", checked: Boolean(now), onchange: (event) => set(one.section, one.key, event.target.checked) });
    if (Array.isArray(now) || (now !== null && typeof now === "object")) {
      return h("textarea", { ...props, rows: "3", onchange: (event) => { try { set(one.section, one.key, JSON.parse(event.target.value)); said.textContent = ""; } catch { said.textContent = `${one.key}: that is not JSON.`; } } }, JSON.stringify(now, null, 1));
    }
    const number = /number/.test(one.type);
    const made = h("input", { ...props, type: number ? "number" : "text", step: "any", onchange: (event) => set(one.section, one.key, event.target.value === "" ? null : number ? Number(event.target.value) : event.target.value) });
    made.value = now ?? "";
    return made;
  }
  async function show() {
    try {
      read = await get("settings");
      changes = {};
      save.disabled = true;
      const sections = [...new Set(read.fields.map((one) => one.section))];
      place.replaceChildren(...sections.map((section) => h("details", { class: "panel", open: section === "spend" }, h("summary", {}, h("b", {}, section)), h("div", { class: "fields" },
        read.fields.filter((one) => one.section === section).map((one) => h("label", {}, h("b", {}, one.key), input(one), h("span", { class: "small" }, `${one.description} ${one.allowed ? `Allowed: ${one.allowed}.` : ""} ${one.locked ? `Not changed here: ${one.locked}.` : ""}`)))))));
    } catch (error) { tell(error); }
  }
  async function write() {
    try {
      const done = await patch("settings", changes);
      said.textContent = done.after_restart.length ? `Saved. These wait for a restart: ${done.after_restart.join(", ")}.` : "Saved, and in use.";
      await show();
    } catch (error) { said.textContent = error.told ? `${error.told.message} Nothing was written.` : error.message; }
  }
  show();
  return { node: h("div", { class: "view" }, h("div", { class: "row" }, h("h1", { class: "grow" }, "Settings"), said, save), h("p", { class: "soft" }, "All of config.toml. What you save is checked by the bridge first; comments in the file stay."), place), leave: () => {} };
}

export function help() {
  const checks = h("div");
  async function look() {
    checks.replaceChildren(h("p", { class: "soft" }, "Looking …"));
    try {
      const { findings } = await get("doctor");
      checks.replaceChildren(h("div", { class: "scroll" }, h("table", {}, findings.map((one) => h("tr", {}, h("td", {}, h("span", { class: `badge ${{ ok: "good", warn: "warn", fail: "bad" }[one.state]}` }, one.state)), h("td", {}, one.key.replaceAll("_", " ")), h("td", {}, one.text, one.fix && h("div", { class: "small soft" }, one.fix)))))));
    } catch (error) { tell(error); checks.replaceChildren(); }
  }
  look();
  const status = known.status || {};
  return { node: h("div", { class: "view" }, h("h1", {}, "Help"),
    h("section", { class: "panel" }, h("div", { class: "row" }, h("h2", { class: "grow" }, "Checks"), h("button", { type: "button", onclick: look }, "Look again")), checks),
    h("section", { class: "panel stack" }, h("h2", {}, "Where to look"), h("p", {}, "Log: ", h("code", {}, status.log || "logs/daemon.log"), " – follow it with ", h("code", {}, "daw-bridge logs -f")), h("p", {}, "For somebody who helps: ", h("code", {}, "daw-bridge support-bundle"), ", without secrets and prompts."), h("p", { class: "small soft" }, status.version ? `Version ${status.version}, running since ${when(Date.now() / 1000 - status.uptime_s)}.` : ""))), leave: () => {} };
}
