/** The page: sign-in, the bar at the top, and the views. */
import { follow, known, listen, post, refresh, signIn, signedIn } from "./api.js";
import { h, tell, usd } from "./dom.js";
import * as folders from "./folders.js";
import * as help from "./help.js";
import { act } from "./jobs.js";
import * as make from "./make.js";
import * as now from "./now.js";
import * as pads from "./pads.js";
import { bar, player } from "./player.js";
import * as settings from "./settings.js";
import * as setup from "./setup.js";
import * as takes from "./takes.js";

const VIEWS = {
  now: ["Now", now.view], make: ["Make", make.view], takes: ["Takes", takes.view], folders: ["Folders", folders.view],
  pads: ["Pads", pads.view], settings: ["Settings", settings.view], help: ["Help", help.view],
};
const HIDDEN = { setup: ["Setup", setup.view] }; // has no tab: it is needed once
const ALL = { ...VIEWS, ...HIDDEN };
const main = document.getElementById("main");
let open = null;
let over = false; // the session

const viewed = () => (ALL[location.hash.slice(1)] ? location.hash.slice(1) : "now");

function go() {
  const name = viewed();
  open?.leave();
  open = ALL[name][1]();
  open.name = name;
  main.replaceChildren(open.node);
  document.title = `${ALL[name][0]} – DAW Bridge`;
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.hash === `#${name}`) { link.setAttribute("aria-current", "page"); link.scrollIntoView({ block: "nearest", inline: "nearest" }); } else link.removeAttribute("aria-current");
  }
  (open.focus || (() => main.focus({ preventScroll: true })))();
}

function meter(label, spent, reserved, limit) {
  const part = limit ? Math.min(1, (spent + reserved) / limit) : 0;
  const bar = h("div", { class: part > 0.85 ? "bar full" : "bar" }, h("i"));
  bar.firstChild.style.width = `${Math.round(part * 100)}%`;
  return h("div", { class: "meter" }, label, " ", h("b", { class: "num" }, usd(spent)), ` of ${usd(limit)}`, bar);
}

function top() {
  const status = known.status;
  const link = document.getElementById("link");
  link.hidden = over || (known.alive ? !known.trouble : !known.status);
  link.textContent = link.hidden ? "" : known.alive ? `${known.trouble.message} ${known.trouble.next}` : "The bridge is gone. What was sent goes on at the service; this page comes back by itself. ";
  if (!link.hidden && !known.alive) link.append(h("code", {}, "daw-bridge start"));
  if (!status) return;
  const engine = document.getElementById("engine");
  engine.textContent = status.engine.name === "sketch" ? "sketch engine, free" : status.engine.model;
  engine.className = status.engine.name === "sketch" ? "badge" : "badge live";
  document.getElementById("money").replaceChildren(meter("Today", status.spent_today_usd, status.reserved_usd, status.limit_today_usd), meter("Month", status.spent_month_usd, status.reserved_usd, status.limit_month_usd));
  document.getElementById("armed").hidden = !status.midi.stage.armed;
  const pause = document.getElementById("pause");
  pause.textContent = status.paused ? "Resume" : "Pause";
  pause.setAttribute("aria-pressed", String(Boolean(status.paused)));
  const waiting = status.problems.length + (status.paused ? 1 : 0);
  const first = document.querySelector('#tabs a[href="#now"]');
  first.replaceChildren("Now", ...(waiting ? [h("span", { class: "count", "aria-label": `${waiting} need you` }, String(waiting))] : []));
}

function signedOut() {
  if (over) return;
  over = true; // what is typed stays in the view, which is only not shown
  window.removeEventListener("hashchange", go);
  player.close();
  top();
  main.replaceChildren(h("section", { class: "panel sign-in stack" }, h("h1", {}, "Sign in"), known.status && h("p", { role: "alert" }, "Your session is over: it lasts for a day, and ends when the token of the bridge changes. What was sent goes on."), h("p", {}, "This page belongs to whoever runs the bridge. Open it with:"), h("p", {}, h("code", {}, "daw-bridge open")), h("p", { class: "small soft" }, "The link is good once, for a minute. This page goes on as soon as you are signed in, in whichever window.")));
}

/** Go on where the session ended, once there is another: what was typed is there again. */
async function again() {
  if (!over || document.hidden) return;
  const here = location.hash.startsWith("#code=") && open; // the view goes on, which the link stands in the place of
  try { await signIn(); await refresh(); } catch { return; }
  if (here) history.replaceState(null, "", `#${here.name}`);
  if (!over) return; // another event was as fast
  over = false;
  if (open?.name === viewed()) main.replaceChildren(open.node); else go();
  window.addEventListener("hashchange", go);
  top();
  signedIn();
}
for (const kind of ["focus", "hashchange"]) window.addEventListener(kind, again); // a link of daw-bridge open may be typed in here, too
document.addEventListener("visibilitychange", again);

document.getElementById("pause").onclick = () => act(() => post(known.status?.paused ? "resume" : "pause", known.status?.paused ? {} : { reason: "person" }), known.status?.paused ? "Sending goes on." : "Nothing is sent until you resume.").then(() => refresh().catch(() => {}));
const theme = (name) => { document.documentElement.dataset.theme = name; localStorage.setItem("daw-bridge theme", name); window.dispatchEvent(new Event("themed")); };
document.documentElement.dataset.theme = localStorage.getItem("daw-bridge theme") || "auto";
document.querySelector(".skip").onclick = (event) => { event.preventDefault(); main.focus(); }; // what stands behind the # is a view
document.getElementById("theme").onclick = () => {
  const dark = document.documentElement.dataset.theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : document.documentElement.dataset.theme === "dark";
  theme(dark ? "light" : "dark");
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => window.dispatchEvent(new Event("themed")));
bar(document.getElementById("player"));
document.getElementById("tabs").append(...Object.entries(VIEWS).map(([name, [label]]) => h("a", { href: `#${name}` }, label)));
document.addEventListener("keydown", (event) => {
  if (event.altKey && event.key >= "1" && event.key <= "7") { event.preventDefault(); location.hash = `#${Object.keys(VIEWS)[event.key - 1]}`; }
});

async function start() {
  try { await signIn(); } catch (error) { tell(error); }
  try { await refresh(); } catch (error) {
    if (error.status === 401 || error.status === 403) signedOut(); else tell(error);
  }
  listen(top);
  top();
  if (!over) { window.addEventListener("hashchange", go); go(); }
  follow(signedOut);
}
start();
