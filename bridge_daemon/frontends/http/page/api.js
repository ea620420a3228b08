/** The bridge's HTTP API, and what it says by itself. */

export class Told extends Error {
  constructor(told, status) { super(told.message); this.told = told; this.status = status; }
}

async function call(method, path, body, { type = "application/json", ...more } = {}) {
  const headers = { ...more };
  if (body !== undefined) headers["Content-Type"] = type;
  let answer;
  try {
    answer = await fetch(`/api/${path}`, { method, headers, body: body === undefined ? undefined : type === "application/json" ? JSON.stringify(body) : body });
  } catch {
    throw new Told({ message: "The bridge does not answer.", charge: "none", next: "Start it with daw-bridge start; this page comes back by itself." }, 0);
  }
  const data = await answer.json().catch(() => ({}));
  if (answer.status === 401 && known.status) {
    sessionOver();
    throw new Told({ message: "Your session is over.", charge: "none", next: "Sign in again with daw-bridge open." }, 401);
  }
  if (!answer.ok) throw new Told(data.error || { message: `The bridge answered ${answer.status}.`, charge: "none" }, answer.status);
  return data;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const patch = (path, body, headers = {}) => call("PATCH", path, body, headers);
/** Change the settings as they are now: they may have been changed since they were shown. `make` gets what config.toml says. */
export async function changeSettings(make) {
  const { given, revision } = await get("settings");
  return patch("settings", make(given), { "If-Match": revision });
}
/** What the bridge lets a source be declared as; the browser has more names for the same. */
const TYPES = ["audio/wav", "audio/x-wav", "audio/aiff", "audio/flac", "audio/mpeg"];
export const upload = (name, file) => call("POST", `sources?name=${encodeURIComponent(name)}`, file, { type: TYPES.includes(file.type) ? file.type : "application/octet-stream" });
export const fresh = () => crypto.randomUUID();

/** Ids of what was sent and is not answered yet, by what it asks for. They outlive a reload of this tab. */
const UNANSWERED = "daw-bridge unanswered";
const LASTS = 600_000; // ms: what is pressed later than this is another press
const unanswered = () => { try { return JSON.parse(sessionStorage.getItem(UNANSWERED)) || {}; } catch { return {}; } };
function remember(key, kept) {
  const all = unanswered();
  if (kept) all[key] = kept; else delete all[key];
  sessionStorage.setItem(UNANSWERED, JSON.stringify(all));
}

async function untilAnswered(key, path, body) {
  const before = unanswered()[key];
  const id = before && Date.now() - before.at < LASTS ? before.id : fresh();
  remember(key, { id, at: Date.now() });
  for (let left = 3; ; left -= 1) {
    try {
      const answer = await post(path, { ...body, id });
      remember(key, null);
      return answer;
    } catch (error) {
      const signedOut = error.status === 401 || error.status === 403;
      if (error.told?.code && error.told.charge === "none" && !signedOut) remember(key, null);
      if (error.status || !left) throw error;
      await new Promise((go) => { setTimeout(go, 700); });
    }
  }
}

const onItsWay = new Map();
/** Send what may cost. It has one id until it is answered, so that neither a lost answer nor a second click pays twice. */
export function pay(path, body = {}) {
  const key = `${path} ${JSON.stringify(body)}`;
  if (!onItsWay.has(key)) onItsWay.set(key, untilAnswered(key, path, body).finally(() => onItsWay.delete(key)));
  return onItsWay.get(key);
}

/** Trade the code behind the # for a session; the code never stands in an address that is sent. */
export async function signIn() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (!code) return;
  history.replaceState(null, "", "/");
  await post("session", { code });
}

/** What the page knows. Views are told when it changes. */
export const known = { status: null, jobs: new Map(), alive: false, trouble: null };
const listeners = new Set();
export function listen(call) { listeners.add(call); return () => listeners.delete(call); }
function changed(what) { for (const one of listeners) one(what); }

export async function refresh() {
  try {
    known.status = await get("status");
    known.trouble = null;
  } catch (error) {
    known.trouble = error.told?.code?.startsWith("E-STUDIO") ? error.told : null; // it is there, and its database is not
    changed("link");
    throw error;
  }
  changed("status");
}

async function readAll() {
  const [, found] = await Promise.all([refresh(), get("jobs?limit=100")]);
  known.jobs = new Map(found.jobs.map((job) => [job.job, job]));
  changed("jobs");
}

const OFTEN = 250; // ms between two looks, while much happens at once
let soon = 0;
let looked = 0;
/** Read the status again: at once, but for many changes in a row. */
export function refreshSoon() {
  clearTimeout(soon);
  soon = setTimeout(() => { looked = Date.now(); refresh().catch(() => {}); }, Math.max(0, looked + OFTEN - Date.now()));
}

let source = null;
let over = false; // the session
let onSignedOut = () => {};
function sessionOver() { over = true; known.alive = false; source?.close(); onSignedOut(); }
/** Follow again what happens: there is a session once more. */
export function signedIn() { over = false; connect(); }
/** Follow what happens while this page can be seen: a browser has six connections to a server, for all its pages. */
export function follow(signedOut) {
  onSignedOut = signedOut;
  document.addEventListener("visibilitychange", connect);
  connect();
}

/** Connect. The browser connects again by itself and says what it heard last. */
function connect() {
  source?.close();
  if (document.hidden || over) return;
  source = new EventSource("/api/events");
  const on = (kind, act) => source.addEventListener(kind, (event) => act(JSON.parse(event.data)));
  on("hello", (hello) => {
    known.alive = true;
    changed("link");
    if (!hello.replayed || !known.status) readAll().catch(() => {});
  });
  on("job", (job) => {
    known.jobs.delete(job.job);
    known.jobs = new Map([[job.job, job], ...known.jobs].slice(0, 300));
    changed("job");
    refreshSoon();
  });
  on("paused", ({ paused }) => { if (known.status) known.status = { ...known.status, paused }; changed("paused"); refreshSoon(); }); // seen at once
  for (const kind of ["publish", "settings"]) on(kind, () => { changed(kind); refreshSoon(); });
  on("lost", () => readAll().catch(() => {}));
  source.onerror = async () => {
    known.alive = false;
    changed("link");
    if (source.readyState !== EventSource.CLOSED) return;
    // the bridge is gone, or this session is over: a new try tells which
    setTimeout(async () => {
      try { await get("spend"); } catch (error) {
        if (error.status === 401 || error.status === 403) { sessionOver(); return; }
      }
      connect();
    }, 1000);
  };
}
