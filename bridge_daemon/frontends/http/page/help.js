/** Help: what the doctor finds, the end of the log, the keys, and where to look. */
import { get, known } from "./api.js";
import { h, tell, when } from "./dom.js";

const KIND = { ok: "good", warn: "warn", fail: "bad" };
const KEYS = [["Alt+1 … Alt+7", "the seven views"], ["Ctrl+Enter", "Make: send"], ["↓ ↑", "Takes: walk through the list"], ["Space", "Takes: play, pause"], ["F", "Takes: keep as a favourite"], ["A B C …", "Takes, in a comparison: hear that one"], ["← →", "waveforms: move the place, or the region"]];

function finding(one) {
  return h("article", { class: "finding" }, h("span", { class: `badge ${KIND[one.state]}` }, one.state), h("b", {}, one.key.replaceAll("_", " ")), h("div", {}, one.text, one.fix && h("div", { class: "small" }, h("code", {}, one.fix))));
}

export function view() {
  const checks = h("div");
  const log = h("pre", { class: "log", tabindex: "0", role: "log", "aria-label": "End of the log" });
  async function look() {
    checks.replaceChildren(h("p", { class: "soft" }, "Looking …"));
    try {
      const { findings } = await get("doctor");
      const order = ["fail", "warn", "ok"];
      checks.replaceChildren(...findings.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state)).map(finding));
    } catch (error) { tell(error); checks.replaceChildren(); }
  }
  async function read() {
    try {
      const { lines } = await get("log?lines=200");
      const low = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      log.textContent = lines.join("\n") || "Nothing was written yet.";
      if (low) log.scrollTop = log.scrollHeight;
    } catch (error) { log.textContent = error.message; }
  }
  look();
  read();
  const timer = setInterval(read, 3000);
  const status = known.status || {};
  return {
    node: h("div", { class: "view" }, h("h1", {}, "Help"), h("div", { class: "columns two" },
      h("div", {}, h("section", { class: "panel", "aria-label": "Checks" }, h("div", { class: "row" }, h("h2", { class: "grow" }, "Checks"), h("a", { class: "button", href: "#setup" }, "Set up"), h("button", { type: "button", onclick: look }, "Look again")), checks),
        h("section", { class: "panel", "aria-label": "Log" }, h("h2", {}, "Log"), log)),
      h("div", {}, h("section", { class: "panel", "aria-label": "Keys" }, h("h2", {}, "Keys"), h("dl", {}, KEYS.flatMap(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)]))),
        h("section", { class: "panel stack", "aria-label": "Where to look" }, h("h2", {}, "Where to look"), h("p", {}, "The log: ", h("code", {}, status.log || "logs/daemon.log"), ", or ", h("code", {}, "daw-bridge logs -f")),
          h("p", {}, "For somebody who helps: ", h("code", {}, "daw-bridge support-bundle"), " packs what they need, without secrets and prompts."), h("p", { class: "small soft" }, status.version ? `Version ${status.version}, running since ${when(Date.now() / 1000 - status.uptime_s)}.` : ""))))),
    leave: () => clearInterval(timer),
  };
}
