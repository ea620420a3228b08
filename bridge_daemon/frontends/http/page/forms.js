/** Forms made from what the bridge knows of its settings: one widget for each kind of value. */
import { h } from "./dom.js";

/** The words that a setting allows, if it allows nothing else; some stand between quotes. */
function choices(allowed) {
  if (/^\w+(, \w+)* or \w+$/.test(allowed || "")) return allowed.split(/, | or /);
  const words = [...(allowed || "").matchAll(/"([^"]+)"/g)].map((found) => found[1]);
  return words.length > 1 && !/[<>]/.test(allowed) && !allowed.replace(/"[^"]*"|,| or |\s/g, "") ? words : null;
}

const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
/** The key of a setting, as people write it: per_day_usd is "Per day (USD)". */
const title = (key) => capital(key.replace(/_usd$/, " (USD)").replace(/_(m?s)$/, " ($1)").replaceAll("_", " ")).replace("url", "URL").replace(/^S3/, "S3");

function control(field, value, props, change) {
  const on = (event) => change(event.target);
  if (field.type === "true or false") return h("input", { ...props, type: "checkbox", checked: Boolean(value ?? field.default), onchange: on });
  if (field.type === "list") return h("textarea", { ...props, rows: String(Math.max(2, (value || []).length)), placeholder: "one a line", value: (value || []).join("\n"), onchange: on });
  const words = choices(field.allowed);
  if (words) {
    const select = h("select", { ...props, onchange: on }, h("option", { value: "" }, field.default ? `default: ${field.default}` : "not set"), words.map((word) => h("option", { value: word }, word)));
    select.value = value ?? "";
    return select;
  }
  const shown = field.default === null || field.default === "" || field.default === undefined ? "" : `default: ${field.default}`;
  if (field.key === "prompt") return h("textarea", { ...props, rows: "2", placeholder: shown, value: value ?? "", oninput: on });
  const number = field.type.endsWith("number");
  return h("input", { ...props, type: number ? "number" : "text", step: field.type === "whole number" ? "1" : "any", placeholder: shown, value: value ?? "", oninput: on });
}

function read(field, input) {
  if (field.type === "true or false") return input.checked;
  if (field.type === "list") return input.value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (input.value === "") return null;
  if (field.type === "text" && /\ba number\b/.test(field.allowed) && !Number.isNaN(Number(input.value))) return Number(input.value);
  return field.type.endsWith("number") ? Number(input.value) : input.value;
}

/** A setting with its meaning. value is what the file says, undefined if it says nothing; onChange(null) takes it out. */
export function widget(field, value, onChange, { label, why = "" }) {
  const change = (input) => { node.classList.remove("wrong"); onChange(read(field, input)); };
  const input = control(field, value, { "aria-label": label, disabled: Boolean(why) }, change);
  const check = input.type === "checkbox";
  const about = h("span", { class: "small" }, why || field.description, !why && !check && field.allowed && !choices(field.allowed) ? ` ${capital(field.allowed.replace(/^a (whole )?number, /, ""))}.` : "");
  const name = h("b", {}, title(field.key));
  const node = h("label", { class: check ? "setting check" : "setting", "data-setting": `${field.section}.${field.key}` }, check ? [input, h("span", {}, name, " ", about)] : [name, input, about]);
  return node;
}

/** Choose among names; what is chosen and is not there any more is kept. */
export function chooser(label, names, value, none, onChange) {
  const all = [...new Set([...names, ...(value ? [value] : [])])];
  const select = h("select", { "aria-label": label, onchange: () => onChange(select.value || null) }, none !== null && h("option", { value: "" }, none), all.map((name) => h("option", { value: name }, name)));
  select.value = value ?? "";
  return select;
}
