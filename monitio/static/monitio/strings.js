/** The page's language: texts from the server (`<script data-strings>`), numbers by Intl. */

let strings = {};
let source = null;

export function loadStrings() {
  const script = document.querySelector("script[data-strings]");
  if (!script || script === source) return;
  source = script;
  strings = JSON.parse(script.textContent);
}

export const say = (key, values = {}) =>
  (strings[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

const language = () => document.documentElement.lang || undefined;

export const formatNumber = (number) => new Intl.NumberFormat(language()).format(number);

export const formatPercent = (percent) =>
  new Intl.NumberFormat(language(), { style: "percent" }).format(Math.floor(percent) / 100);

export const formatDate = (date) => date.toLocaleString(language());

export function formatAge(date) {
  const minutes = Math.min(0, (date - Date.now()) / 60000);
  const [divisor, unit] =
    minutes > -60 ? [1, "minute"] : minutes > -1440 ? [60, "hour"] : [1440, "day"];
  const format = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  return format.format(Math.round(minutes / divisor), unit);
}
