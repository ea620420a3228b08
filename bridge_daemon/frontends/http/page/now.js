/** Now: what is going on, and everything that needs a person. */
import { known, listen } from "./api.js";
import { ago, h, redraw, seconds, usd, when } from "./dom.js";
import { LIVE, badge, buttons, money } from "./jobs.js";

function needs(status) {
  const found = status.problems.map((job) => h("div", { class: job.state === "unknown" ? "problem bad" : "problem" },
    h("div", { class: "row" }, badge(job), h("b", {}, job.prompt || job.job), h("span", { class: "soft small" }, money(job))),
    h("p", {}, job.problem?.text || job.text), job.state === "unknown"
      ? h("p", { class: "soft small" }, `Look at your account at the service. Is it there? Attach it: free. Is it not there? Submit it again for ${usd(job.usd)}, or close it. Was it charged and is lost? Close it: ${usd(job.usd)} count as spent.`)
      : job.problem?.next && h("p", { class: "soft small" }, job.problem.next), h("div", { class: "row" }, buttons(known.jobs.get(job.job) || job))));
  if (status.paused) found.unshift(h("div", { class: "problem" }, h("b", {}, "Sending is paused"), h("p", {}, status.paused.text)));
  for (const folder of status.folders.folders || []) if (folder.problem) found.push(h("div", { class: "problem" }, h("b", {}, `Folder ${folder.name}`), h("p", {}, folder.problem)));
  for (const [what, text] of [["MIDI", status.midi.problem], ["Inbox", status.inbox.problem], ["OSC", status.osc?.trouble]]) if (text) found.push(h("div", { class: "problem" }, h("b", {}, what), h("p", {}, String(text))));
  return found;
}

function job(one) {
  const bar = h("div", { class: "bar" }, h("i"));
  bar.firstChild.style.width = `${Math.round((one.fraction || 0) * 100)}%`;
  return h("article", { class: "job", "data-job": one.job },
    h("div", { class: "row" }, badge(one), h("span", { class: "title grow" }, one.prompt || one.job), h("span", { class: "num soft" }, money(one))),
    LIVE.has(one.state) && bar,
    h("div", { class: "row small soft" }, h("span", { class: "grow" }, one.problem ? one.problem.text : one.text === one.state ? when(one.created_at) : one.text), h("span", { class: "num" }, `${seconds(one.duration)} · ${ago(one.created_at)}`), buttons(one)));
}

function connections(status) {
  const rows = status.connections.map((one) => [one.name || one.client || one.kind, `${one.kind || ""} ${one.seen_s === null || one.seen_s === undefined ? "" : `· ${ago(Date.now() / 1000 - one.seen_s)}`}`]);
  return rows.length ? h("dl", {}, rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])) : h("p", { class: "soft" }, "No DAW, controller or folder is connected. Start with ", h("code", {}, "daw-bridge install reaper"), " or ", h("code", {}, "daw-bridge install live"), ".");
}

export function view() {
  const live = h("div");
  const done = h("div");
  const need = h("section", { class: "panel", "aria-label": "Needs you" });
  const side = h("section", { class: "panel" });
  const more = h("section", { class: "panel" });
  function show() {
    const status = known.status;
    if (!status) return;
    const all = [...known.jobs.values()].sort((a, b) => b.created_at - a.created_at);
    const waiting = new Set(status.problems.map((one) => one.job)); // told above, with their next step
    const running = all.filter((one) => LIVE.has(one.state));
    live.replaceChildren(...(running.length ? running.map(job) : [h("p", { class: "empty" }, "Nothing is on its way. ", h("a", { href: "#make" }, "Make something"), ".")]));
    done.replaceChildren(...(all.filter((one) => !LIVE.has(one.state) && !one.trashed_at && !waiting.has(one.job)).slice(0, 12).map(job)));
    const found = needs(status);
    need.hidden = !found.length;
    need.classList.toggle("alarm", Boolean(found.length));
    need.replaceChildren(h("h2", {}, "Needs you"), ...found);
    side.replaceChildren(h("h2", {}, "Connected"), connections(status));
    more.replaceChildren(h("h2", {}, "Bridge"), h("dl", {},
      ...[["Engine", status.engine.name === "sketch" ? "sketch: built in, free, not the model" : `${status.engine.name}, ${status.engine.model}`],
        ["Transforms", status.engine.name === "sketch" || status.publish.ready ? "ready" : status.publish.problem?.next || "not ready"],
        ["Pads", status.midi.stage.armed ? "armed" : `not armed: ${status.midi.stage.why}`],
        ["Started", status.started_by === "service" ? "at login, as a service" : status.started_by === "start" ? "in the background" : "in a terminal"],
        ["Library", status.library], ["Home", status.home], ["Version", status.version]].flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])));
  }
  show();
  const node = h("div", { class: "view" });
  const stop = listen(() => redraw(node, show));
  node.append(h("h1", {}, "Now"), need, h("div", { class: "columns two" },
    h("div", {}, h("section", { class: "panel", "aria-label": "On its way" }, h("h2", {}, "On its way"), live), h("section", { class: "panel", "aria-label": "Lately" }, h("h2", {}, "Lately"), done)),
    h("div", {}, side, more)));
  return { node, leave: stop };
}
