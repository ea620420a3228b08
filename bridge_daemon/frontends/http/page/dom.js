/** Small helpers for elements, words and numbers. */

/** Make an element: h("button", {class: "primary", onclick: f}, "Send"). */
export function h(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && !["list", "form"].includes(name) && typeof value !== "string") made[name] = value;
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(3).filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

export const usd = (amount) => (amount === null || amount === undefined ? "–" : `$${amount.toFixed(2)}`);

export function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const whole = Math.round(value);
  return whole < 60 ? `${value < 10 ? value.toFixed(1) : whole} s` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A place in a sound, as players write it: 0:07. */
export const clock = (value) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;

export const nameOf = (path) => path.split(/[\\/]/).pop();
/** What a job's source is called: a file, or the takes of other jobs. */
export const nameOfSource = (source) => source.path ? nameOf(source.path) : `take of ${[source.take, ...(source.mix || [])].join(" and ")}`;

export const when = (time) => (time ? new Date(time * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "");

export function ago(time) {
  const past = Date.now() / 1000 - time;
  if (past < 60) return "just now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  return past < 86400 ? `${Math.floor(past / 3600)} h ago` : when(time);
}

let pressed = false;
const waiting = new Set();
function released() {
  setTimeout(() => { // after the click that belongs to it
    pressed = false;
    const works = [...waiting];
    waiting.clear();
    for (const work of works) work();
  });
}
const isSpace = (event) => event.key === " "; // held down on a button, it presses when it is released; Enter does at once
window.addEventListener("pointerdown", () => { pressed = true; }, true);
window.addEventListener("keydown", (event) => { if (isSpace(event)) pressed = true; }, true);
for (const kind of ["pointerup", "pointercancel"]) window.addEventListener(kind, released, true);
window.addEventListener("keyup", (event) => { if (isSpace(event)) released(); }, true);
window.addEventListener("blur", released); // of the window: where a press begins, the focus leaves another element

/** Draw again because of what happened by itself: never while a button is held down, and the focus stays where it is. */
export function redraw(root, work) {
  if (pressed) { waiting.add(work); return; }
  const held = root.contains(document.activeElement) ? document.activeElement : null;
  const job = held?.closest("[data-job]")?.dataset.job;
  const label = held?.textContent;
  work();
  if (!held || held === document.activeElement) return;
  const same = held.isConnected ? held : [...root.querySelectorAll(job ? `[data-job="${job}"] :is(button, a)` : "button, a")].find((one) => one.textContent === label);
  same?.focus({ preventScroll: true });
}

/** Say something for a few seconds. An error stays longer, and names the next step. */
export function toast(text, bad = false) {
  const one = h("div", { class: bad ? "toast bad" : "toast" }, text);
  document.getElementById("toasts").append(one);
  setTimeout(() => one.remove(), bad ? 12000 : 4000);
}

/** Tell an error as the bridge tells it: what happened, whether money was spent, what is next. */
export function tell(error) {
  const told = error.told;
  if (!told) return toast(String(error.message || error), true);
  const money = { none: "Nothing was spent.", possible: "It may have been charged.", confirmed: "It is charged." }[told.charge] || "";
  toast(`${told.message} ${money} ${told.next || ""}`, true);
  return undefined;
}

/** Ask in a dialog; resolves to the value of the button that was pressed, null if it was closed. */
export function ask(title, text, choices) {
  const dialog = document.getElementById("ask");
  return new Promise((resolve) => {
    const done = (value) => { dialog.close(); resolve(value); };
    dialog.replaceChildren(h("div", { class: "stack" }, h("h1", { id: "ask-title" }, title), ...[].concat(text).map((one) => (one instanceof Node ? one : h("p", {}, one))),
      h("div", { class: "row end" }, choices.map(([label, value, kind]) => h("button", { type: "button", class: kind || "", onclick: () => done(value) }, label)))));
    dialog.setAttribute("aria-labelledby", "ask-title");
    dialog.oncancel = () => resolve(null);
    dialog.showModal();
  });
}
