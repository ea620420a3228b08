/** Waveforms: drawn on a canvas, with the place that plays, and regions that are drawn by dragging.

wavesurfer.js 8 writes a style element into its shadow root, which the policy of the page lets pass only with a nonce, and
the page is a file that is the same for everybody. */
import { h } from "./dom.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draw peaks; what lies outside of from and to (0 to 1) is pale. */
export function draw(canvas, peaks, { from = 0, to = 1 } = {}) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  if (!peaks || !peaks.min.length) return;
  // one bar for each three pixels, however many peaks there are
  const bars = Math.max(1, Math.min(peaks.min.length, Math.floor(width / (3 * ratio))));
  const [inside, outside] = [css("--wave"), css("--wave-soft")];
  for (let i = 0; i < bars; i += 1) {
    const first = Math.floor(i * peaks.min.length / bars);
    const last = Math.max(first + 1, Math.floor((i + 1) * peaks.min.length / bars));
    let low = 0;
    let high = 0;
    for (let j = first; j < last; j += 1) { low = Math.min(low, peaks.min[j]); high = Math.max(high, peaks.max[j]); }
    const top = (1 - Math.min(1, high)) * height / 2;
    const tall = Math.max(ratio, (Math.min(1, high) - Math.max(-1, low)) * height / 2);
    pen.fillStyle = (i + 0.5) / bars >= from && (i + 0.5) / bars <= to ? inside : outside;
    pen.fillRect(i * width / bars, top, Math.max(1, width / bars - ratio), tall);
  }
}

/** Keep a canvas drawn: when its size changes, and when the theme does. */
function kept(canvas, work) {
  new ResizeObserver(work).observe(canvas);
  const themed = () => { if (canvas.isConnected) work(); else window.removeEventListener("themed", themed); };
  window.addEventListener("themed", themed);
}

/** A waveform with the place that plays. With onSeek it is a slider: click, drag, or the arrow keys. */
export function wave({ label = "", onSeek = null } = {}) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const head = h("i", { class: "head", hidden: true });
  const node = h("div", { class: "shape" }, canvas, head);
  let peaks = null;
  let place = 0;
  const paint = () => draw(canvas, peaks);
  kept(canvas, paint);
  const at = (part) => {
    place = part ?? 0;
    head.hidden = part === null;
    head.style.left = `${(place * 100).toFixed(2)}%`;
    if (onSeek) node.setAttribute("aria-valuenow", String(Math.round(place * 100)));
  };
  if (onSeek) {
    for (const [name, value] of Object.entries({ role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" })) node.setAttribute(name, value);
    const seek = (event) => { const box = node.getBoundingClientRect(); onSeek(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))); };
    node.onpointerdown = (event) => { if (event.button === 0) { node.setPointerCapture(event.pointerId); seek(event); } };
    node.onpointermove = (event) => { if (node.hasPointerCapture(event.pointerId)) seek(event); };
    node.onkeydown = (event) => {
      const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      onSeek(Math.min(1, Math.max(0, place + step)));
    };
  }
  return { node, at, set(found) { peaks = found; paint(); } };
}

/** A waveform in which a region can be drawn by dragging, or moved with the arrow keys. */
export function region(peaks, seconds, onChange, { start = 0, end = seconds } = {}) {
  const canvas = h("canvas", { class: "wave", tabindex: "0", role: "slider", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": "Region of the source: drag, or use the arrow keys; Shift moves the end" });
  let from = Math.min(1, start / seconds);
  let to = Math.min(1, end / seconds);
  const paint = () => draw(canvas, peaks, { from, to });
  const show = () => {
    paint();
    canvas.setAttribute("aria-valuetext", `${(from * seconds).toFixed(2)} to ${(to * seconds).toFixed(2)} seconds`);
    canvas.setAttribute("aria-valuenow", String(Math.round(from * 100)));
    onChange(from * seconds, to * seconds);
  };
  const place = (event) => Math.min(1, Math.max(0, event.offsetX / canvas.clientWidth));
  let held = null; // the end of the region that does not move
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    const now = place(event);
    const near = 8 / canvas.clientWidth;
    // an end is taken hold of; anywhere else a new region begins
    held = Math.abs(now - from) < near ? to : Math.abs(now - to) < near ? from : now;
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (held === null) return;
    const now = place(event);
    from = Math.min(held, now); to = Math.max(held, now);
    show();
  };
  canvas.onpointerup = () => { if (held !== null && to - from < 0.005) { from = 0; to = 1; show(); } held = null; };
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: -0.01, ArrowRight: 0.01 }[event.key];
    if (!step) return;
    event.preventDefault();
    if (event.shiftKey) to = Math.min(1, Math.max(from + 0.01, to + step)); else from = Math.max(0, Math.min(to - 0.01, from + step));
    show();
  };
  kept(canvas, paint);
  show();
  return canvas;
}
