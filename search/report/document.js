"use strict";
// Small tools: elements, numbers, CSV. Text reaches the page as text nodes and attributes only; nothing here takes markup.

const byId = (id) => document.getElementById(id);

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else if (value === true) {
      node.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
const el = (tag, properties = {}, ...children) => filled(document.createElement(tag), properties, children);
const svg = (tag, properties = {}, ...children) =>
    filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

const NONE = "–";
const isNumber = (value) => typeof value === "number";
/** With a fixed number of digits, a true minus, and a dash where there is nothing. */
function fixed(value, digits) {
  if (!isNumber(value)) return NONE;
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? "−" + text : text;
}
const percent = (value, digits = 2) => (isNumber(value) ? fixed(100 * value, digits) : NONE);
/**
 * How the scores of the chosen recipe are shown: an accuracy in per cent, or another metric as the user's own training told it. Higher is
 * better in what is stored, so a metric of which the lower is the better is stored as its negative.
 */
const ACCURACY = {
  name: "accuracy",
  share: true,
  negated: false
};
let scoreScale = ACCURACY;
const scaleFactor = () => (scoreScale.share ? 100 : scoreScale.negated ? -1 : 1);
const scaleDigits = () => (scoreScale.share ? 2 : 4);
/** "accuracy %", "perplexity"; the same behind another word: "best %", "best". */
const scoreName = (word = scoreScale.name) => (scoreScale.share ? `${word} %` : word);
const differenceUnit = () => (scoreScale.share ? "points" : scoreScale.name);
/** A stored score in its scale, or the size of an amount, such as half of an interval. */
const inScale = (value) => (isNumber(value) ? scaleFactor() * value : null);
const amountInScale = (value) => (isNumber(value) ? Math.abs(scaleFactor()) * value : null);
const scoreText = (value) => fixed(inScale(value), scaleDigits());
const amountText = (value) => fixed(amountInScale(value), scaleDigits());
const differenceText = (value) => (isNumber(value) && inScale(value) > 0 ? "+" : "") + scoreText(value);
/** Two ends of an interval, the lower first. */
const intervalInScale = (low, high) => [inScale(low), inScale(high)].sort((a, b) => a - b);
/** About three digits. */
const short = (value) => (isNumber(value) ? fixed(value, Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2) : NONE);
const count = (value) => String(value ?? 0).replace(/\B(?=(\d{3})+$)/g, "\u2009");
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
function duration(seconds) {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 120) return `${short(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${fixed(seconds / 3600, 1)} h`;
}
/** Of a p value. */
const probability = (p) => (!isNumber(p) ? NONE : p < 0.001 ? "< 0.001" : fixed(p, 3));

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const extent = (values) => values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);

/** The value below which this share of the values lies. */
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))];
/** Where most values lie: within five times the middle half's width around it. What is outside would squeeze the rest together. */
function bulk(values) {
  const [a, b] = [quantile(values, 0.25), quantile(values, 0.75)];
  const reach = 5 * (b - a);
  return b > a ? values.filter((value) => value >= a - reach && value <= b + reach) : values;
}

/** Rows of an object of columns (columns that hold nothing are absent). */
const lengthOf = (columns) => Math.max(0, ...Object.values(columns).map((column) => column.length));

/** RFC 4180. A text that is no formula of ours and that a spreadsheet would compute gets an apostrophe. */
function csvCell(value, trusted) {
  if (value === null || value === undefined) return "";
  const text = String(value);
  const safe = !isNumber(value) && !trusted && /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll("\"", "\"\"")}"` : safe;
}
/** `columns`: pairs of a name and what makes a row's value. A formula that was typeset is trusted. */
function csvText(columns, rows) {
  const line = (row) => columns.map(([, value]) => csvCell(value(row), row.typeset)).join(",");
  return [columns.map(([name]) => name).join(","), ...rows.map(line)].join("\n") + "\n";
}
function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], {type: "text/csv"}));
  const link = el("a", {href: address, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
const csvButton = (name, make) => el(
    "button", {type: "button", class: "quiet", "aria-label": `Download ${name} as CSV`, on: {click: () => download(`${name}.csv`, make())}},
    "CSV");

/** The node with these children alone. */
const put = (node, ...children) =>
    node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""));

/** A section's heading with what stands at its right. */
const heading = (id, text, ...tools) =>
    el("div", {class: "heading"}, el("h2", {id: `h-${id}`}, text), el("div", {class: "tools"}, ...tools));

/** Buttons of which one is pressed. */
function choice(label, options, chosen, choose) {
  const button = ([value, text]) =>
      el("button", {type: "button", "aria-pressed": String(value === chosen), on: {click: () => choose(value)}}, text);
  return el("div", {class: "choice", role: "group", "aria-label": label}, options.map(button));
}
