/** Now: what is going on, what it costs, and everything that needs a person. */
import { get, known, listen, post, refresh } from "./api.js";
import { ago, h, redraw, seconds, tell, usd } from "./dom.js";
import { LIVE, act, badge, buttons, money } from "./jobs.js";
import { player } from "./player.js";
import { invitation } from "./setup.js";
import { soundOf } from "./take.js";
import { wave } from "./wave.js";

const LATELY = 12;
const LOOK = 10_000; // ms: nothing tells when a DAW goes
const KINDS = { osc: "by OSC", files: "by files", midi: "MIDI", folder: "folder" };
const STARTED = { service: "at login, as a service", start: "in the background", terminal: "in a terminal" };

/** How long the service took lately for jobs of this kind, s: the median; null if nothing is known. */
function usual(job) {
  const took = [...known.jobs.values()].filter((one) => one.engine === job.engine && one.model === job.model && one.action === job.action && one.submitted_at && one.finished_at)
    .map((one) => one.finished_at - one.submitted_at).sort((a, b) => a - b);
  return took.length ? took[Math.floor(took.length / 2)] : null;
}

/** What is told of the time that a job still takes. */
function wait(job) {
  const median = usual(job);
  const past = job.submitted_at ? Date.now() / 1000 - job.submitted_at : null;
  if (job.state === "fetching") return "nearly there";
  if (past === null) return median === null ? "waits its turn" : `waits its turn, then about ${seconds(median)}`;
  if (median === null) return `${seconds(past)} so far`;
  return median - past > 1 ? `about ${seconds(Math.max(1, Math.round(median - past)))} left` : `any moment, ${seconds(past)} so far`;
}

function live(job) {
  const bar = h("div", { class: "bar", role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round((job.fraction || 0) * 100)) }, h("i"));
  bar.firstChild.style.width = `${Math.round((job.fraction || 0) * 100)}%`;
  const left = h("span", { class: "num", "data-wait": job.job }, wait(job));
  return h("article", { class: "job", "data-job": job.job },
    h("div", { class: "row" }, badge(job), h("span", { class: "title grow" }, job.prompt || job.job), h("span", { class: "num soft" }, money(job))), bar,
    h("div", { class: "row small soft" }, h("span", { class: "grow" }, [job.problem ? job.problem.text : job.text, job.client, seconds(job.duration)].filter(Boolean).join(" · ")), left, buttons(job)));
}

/** What has ended: its take can be heard at once. */
function ended(job) {
  const heard = Boolean(job.file);
  const shape = heard && wave();
  if (shape) get(`jobs/${job.job}/peaks?buckets=120`).then(shape.set).catch(() => {});
  const sound = heard && soundOf(job);
  const play = heard && h("button", { type: "button", class: "play", onclick: () => player.toggle(sound).catch(tell) });
  const look = () => {
    if (!play) return;
    const own = player.url === sound.url && player.playing;
    play.textContent = own ? "❚❚" : "▶";
    play.setAttribute("aria-label", own ? "Pause" : `Play ${job.prompt || job.job}`);
  };
  look();
  const node = h("article", { class: heard ? "job heard" : "job ended", "data-job": job.job }, play,
    h("div", { class: "cut" }, h("div", { class: "row" }, badge(job), h("span", { class: "title cut" }, job.prompt || job.job)),
      h("div", { class: "small soft cut" }, [job.problem && job.problem.text, ago(job.created_at), seconds(job.duration), job.client, job.variations > 1 && `${job.variation}/${job.variations}`].filter(Boolean).join(" · "))),
    shape && shape.node, h("span", { class: "num soft" }, money(job)), buttons(job).length > 0 && h("div", { class: "row end" }, buttons(job)));
  return { node, look };
}

function need(what, text, { next = "", kind = "", actions = [], job } = {}) {
  return h("div", { class: `problem ${kind}`, "data-job": job }, h("div", { class: "row" }, what), h("p", {}, text), !actions.length && next && h("p", { class: "small soft" }, next), actions.length > 0 && h("div", { class: "row" }, actions));
}

/** The three ways out of a job of which nobody knows whether it was charged, in money. */
const unknown = (job) => `${job.problem?.text || job.text} Look at your account at the service. Is it there? Attach it: nothing is paid again. Is it not there? Submit it again for ${usd(job.usd)}, or close it as not charged. Was it charged and is lost? Close it as charged: ${usd(job.usd)} count as spent.`;

function needs(status) {
  const found = status.problems.map((job) => need([badge(job), h("b", { class: "cut" }, job.prompt || job.job), h("span", { class: "soft small" }, money(job))], job.state === "unknown" ? unknown(job) : job.problem?.text || job.text,
    { kind: job.state === "unknown" ? "bad" : "", next: job.problem?.next, job: job.job, actions: buttons(known.jobs.get(job.job) || job) }));
  const resume = h("button", { type: "button", class: "primary", onclick: () => act(() => post("resume"), "Sending goes on.").then(() => refresh().catch(() => {})) }, "Go on sending");
  if (status.paused) found.unshift(need([h("b", {}, "Sending is paused")], status.paused.text, { actions: [resume] }));
  if (status.engine.problem) found.unshift(need([h("b", {}, "The engine")], status.engine.problem.message, { next: status.engine.problem.next }));
  for (const folder of status.folders.folders || []) {
    if (folder.problem) found.push(need([h("b", {}, `Folder ${folder.name}`)], folder.problem));
    else if (folder.waiting) found.push(need([h("b", {}, `Folder ${folder.name}`)], `${folder.waiting} ${folder.waiting === 1 ? "render waits" : "renders wait"} for you.`, { actions: [h("a", { class: "button", href: "#folders" }, "Look at them")] }));
  }
  for (const [what, text] of [["MIDI", status.midi.bindings.length && status.midi.problem], ["Inbox", status.inbox.problem], ["OSC", status.osc?.trouble]]) if (text) found.push(need([h("b", {}, what)], String(text)));
  return found;
}

function connections(status) {
  if (!status.connections.length) return h("p", { class: "soft" }, "No DAW, controller or folder is connected. ", h("code", {}, "daw-bridge install"), " shows which DAWs are here, and how each is connected.");
  return h("ul", { class: "connections" }, status.connections.map((one) => h("li", {}, h("span", { class: one.connected ? "dot on" : "dot", "aria-hidden": "true" }), h("span", { class: "cut" }, one.name),
    h("span", { class: "small soft" }, `${KINDS[one.kind] || one.kind}, ${one.connected ? "connected" : one.seen_s === null ? "away" : `last seen ${ago(Date.now() / 1000 - one.seen_s)}`}`))));
}

/** The other bridges of a studio, and what all of them spend and send together. */
function rooms(studio) {
  if (!studio.rooms) return h("p", { role: "alert" }, studio.problem || "The database of the studio does not answer.");
  const here = (one) => one.room === studio.room && one.kind === studio.kind;
  const there = (one) => here(one) ? "this one" : one.alive ? "there" : `silent for ${seconds(one.silent_s)}`;
  const of = (spent, limit) => `${usd(spent)}${limit === undefined ? "" : ` of ${usd(limit)}`}`;
  const rows = [["Today", of(studio.spent_today_usd, studio.limits?.per_day_usd)], ["Month", of(studio.spent_month_usd, studio.limits?.per_month_usd)],
    ["This minute", `${studio.requests_this_minute} of ${studio.requests_per_minute} requests`], ["Database", `answers in ${Math.round(studio.lag_ms)} ms`]];
  return h("div", { class: "stack" }, h("ul", { class: "connections" }, studio.rooms.map((one) => h("li", {}, h("span", { class: one.alive ? "dot on" : "dot", "aria-hidden": "true" }),
    h("span", { class: "cut" }, one.room), h("span", { class: "small soft" }, [one.kind, one.host, there(one)].filter(Boolean).join(", "))))), h("dl", {}, rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])));
}

function about(status) {
  const sketch = status.engine.name === "sketch";
  const rows = [["Engine", sketch ? "sketch: built in, free, not the model" : `${status.engine.name}, ${status.engine.model}`], ["A take costs", sketch ? "nothing" : status.price_usd === null ? "not known yet" : usd(status.price_usd)],
    ["Transforms", sketch || status.publish.ready ? "ready" : status.publish.problem?.next || status.publish.text || "not ready"],
    ["Pads", status.midi.stage.armed ? "armed: a press spends" : `not armed: ${status.midi.stage.why}`], ["Started", STARTED[status.started_by] || status.started_by],
    ["Library", status.library], ["Home", status.home], ["Version", status.version]];
  return h("dl", {}, rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
}

export function view() {
  const running = h("div");
  const done = h("div");
  const kept = new Map(); // job → {key, node, look}: a row is made anew only when its job has changed
  const need_ = h("section", { class: "panel alarm", "aria-label": "Needs you" });
  const side = h("div");
  const more = h("div");
  const studio = h("section", { class: "panel", "aria-label": "Rooms", hidden: true });
  function show() {
    const status = known.status;
    if (!status) return;
    const all = [...known.jobs.values()].sort((a, b) => b.created_at - a.created_at);
    const now = all.filter((one) => LIVE.has(one.state));
    running.replaceChildren(...(now.length ? now.map(live) : [h("p", { class: "empty" }, "Nothing is on its way. ", h("a", { href: "#make" }, "Make something"), ".")]));
    const told = new Set(status.problems.map((one) => one.job)); // above, with their next step
    const lately = all.filter((one) => !LIVE.has(one.state) && !one.trashed_at && !told.has(one.job)).slice(0, LATELY);
    for (const id of kept.keys()) if (!lately.some((one) => one.job === id)) kept.delete(id);
    for (const one of lately) {
      const key = `${one.updated_at} ${one.state} ${one.problem?.code}`;
      if (kept.get(one.job)?.key !== key) kept.set(one.job, { key, ...ended(one) });
    }
    done.replaceChildren(...(lately.length ? lately.map((one) => kept.get(one.job).node) : [h("p", { class: "empty" }, "No take yet.")]));
    const found = needs(status);
    need_.hidden = !found.length;
    need_.replaceChildren(h("h2", {}, "Needs you"), ...found);
    side.replaceChildren(connections(status));
    more.replaceChildren(about(status));
    studio.hidden = !status.studio;
    if (status.studio) studio.replaceChildren(h("h2", {}, "Rooms"), rooms(status.studio));
  }
  show();
  const welcome = h("div", { hidden: true });
  invitation().then((found) => { if (found) { welcome.append(found); welcome.hidden = false; } }).catch(() => {}); // there is more to see here
  const node = h("div", { class: "view" }, h("h1", {}, "Now"), welcome, need_, h("div", { class: "columns two" },
    h("div", {}, h("section", { class: "panel", "aria-label": "On its way" }, h("h2", {}, "On its way"), running), h("section", { class: "panel", "aria-label": "Lately" }, h("h2", {}, "Lately"), done)),
    h("div", {}, h("section", { class: "panel", "aria-label": "Connected" }, h("h2", {}, "Connected"), side), studio, h("section", { class: "panel", "aria-label": "Bridge" }, h("h2", {}, "Bridge"), more))));
  const stop = listen(() => redraw(node, show));
  const played = () => { for (const one of kept.values()) one.look(); };
  player.addEventListener("change", played);
  const clock = setInterval(() => { for (const one of running.querySelectorAll("[data-wait]")) { const job = known.jobs.get(one.dataset.wait); if (job) one.textContent = wait(job); } }, 1000);
  const look = setInterval(() => { if (!document.hidden && known.alive) refresh().catch(() => {}); }, LOOK);
  return { node, leave: () => { stop(); player.removeEventListener("change", played); clearInterval(clock); clearInterval(look); } };
}
