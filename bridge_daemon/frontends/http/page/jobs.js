/** What can be done with a job, and how it is told. */
import { get, patch, pay, post } from "./api.js";
import { ask, h, tell, toast, usd } from "./dom.js";

export const LIVE = new Set(["queued", "preparing", "submitting", "generating", "fetching"]);
const KIND = { placed: "good", stored: "good", held: "warn", unknown: "bad", failed: "bad", refused: "bad" };

export const badge = (job) => h("span", { class: `badge ${LIVE.has(job.state) ? "live" : KIND[job.state] || ""}` }, job.state);

export function money(job) {
  if (!job.usd) return "free";
  return { confirmed: `${usd(job.usd)} spent`, possible: `${usd(job.usd)} perhaps spent` }[job.charge] || `${usd(job.usd)} not spent`;
}

/** Run something that the bridge does, and say what it answered. */
export async function act(work, done) {
  try {
    const answer = await work();
    if (answer !== null) toast(done || answer?.message || "Done.");
    return answer;
  } catch (error) { tell(error); return null; }
}

/** What a person may agree to: a sum that does not pass unasked, and a price that is new or has risen. */
const ASKS = ["E-CONFIRM", "E-PRICE"];

/** Send what may cost, and ask the person what the bridge asks. `priced` tells what a second press costs. Null if they said no. */
export async function agreeing(path, body, priced) {
  const wanted = { ...body };
  for (;;) {
    try { return await pay(path, wanted); } catch (error) {
      const code = error.told?.code;
      const twice = code === "E-DOUBLE-PRESS" && priced;
      const sum = twice ? await priced(wanted) : ASKS.includes(code) ? error.told.usd : null;
      if (typeof sum !== "number") throw error;
      const yes = await ask(twice ? "Once more?" : "Agree to the price?", error.told.message, [["Cancel", null], [sum ? `Send · ${usd(sum)}` : "Send", true, "primary"]]);
      if (!yes) return null;
      wanted.confirm_usd = sum; // a price that is new counts as agreed to only if this is just what it comes to
      if (twice) wanted.again = true;
    }
  }
}

/** Press: send a request. Resolves to the answer of the bridge, null if it was not sent. */
export async function press(request) {
  try {
    const done = await agreeing("requests", request, async (wanted) => (await post("estimate", wanted)).usd);
    if (done) toast(done.usd ? `Accepted: ${usd(done.usd)}.` : "Accepted, free of charge.");
    return done;
  } catch (error) { tell(error); return null; }
}

/** Retry; what would be paid again is asked first. */
export async function retry(job) {
  const pays = ["failed", "refused", "unknown", "cancelled", "dismissed", "held"].includes(job.state) && job.usd > 0;
  if (pays && !(await ask("Send it again?", `This costs ${usd(job.usd)}.`, [["Cancel", null], [`Send · ${usd(job.usd)}`, true, "primary"]]))) return;
  await act(() => agreeing(`jobs/${job.job}/retry`, pays ? { confirm_usd: job.usd } : {}));
}

/** The three ways out of an unknown job, in money. */
export async function resolve(job) {
  const number = h("input", { "aria-label": "The job's id at the service", placeholder: "id at the service" });
  const choice = await ask("What became of this job?", [
    `The answer of the service was lost, so nobody knows whether the ${usd(job.usd)} were charged. Look at your account at the service.`,
    h("p", {}, h("b", {}, "It is there: "), "give its id; the take is fetched, and nothing is paid again."), number,
    h("p", {}, h("b", {}, "It is not there: "), `submit again for ${usd(job.usd)}, or close it as not charged.`),
    h("p", {}, h("b", {}, "It was charged and is lost: "), `close it as charged; ${usd(job.usd)} count as spent.`)],
  [["Not now", null], ["Close: charged", "charged"], ["Close: not charged", "not"], ["Attach", "attach"], [`Submit again · ${usd(job.usd)}`, "again"]]);
  const data = { again: { action: "submit_again", confirm_usd: job.usd }, attach: { action: "attach", remote_id: number.value.trim() },
    charged: { action: "dismiss", charged: true }, not: { action: "dismiss", charged: false } }[choice];
  if (data) await act(() => (choice === "again" ? agreeing : post)(`jobs/${job.job}/resolve`, data));
}

/** The buttons that fit a job's state. */
export function buttons(job) {
  const made = [];
  const add = (label, work, kind = "") => made.push(h("button", { type: "button", class: kind, onclick: work }, label));
  if (job.state === "unknown") add("Decide …", () => resolve(job), "primary");
  if (["held", "failed", "refused"].includes(job.state)) add(job.usd ? `Retry · ${usd(job.usd)}` : "Retry", () => retry(job));
  if (job.state === "stored" && job.client) add("Place again", () => act(() => post(`jobs/${job.job}/deliver`)));
  if (job.problem && ["generating", "fetching", "submitting"].includes(job.state)) add("Look now", () => act(() => pay(`jobs/${job.job}/retry`)));
  if (["queued", "preparing", "held"].includes(job.state)) add("Cancel", () => act(() => post(`jobs/${job.job}/cancel`)), "danger");
  else if (["submitting", "generating", "fetching"].includes(job.state)) add("Do not place", () => act(() => post(`jobs/${job.job}/cancel`)));
  return made;
}

/** Return what asks for the same once more, as the bridge makes it of a job: with the same seed, or with a new one. */
export async function requestOf(job, { seed = false } = {}) {
  const { again } = await get(`jobs/${job.job}`);
  if (!seed) delete again.seed;
  return again;
}

export const mark = (job, data, done) => act(() => patch(`jobs/${job.job}`, data), done);
