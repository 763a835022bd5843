/** The page's language: texts come from the server (`<script data-strings>`), numbers from Intl. */

let strings = {};
let source = null;

/** Read the strings of the page, again when a navigation without reload has replaced them. */
export function loadStrings() {
  const script = document.querySelector("script[type='application/json'][data-strings]");
  if (!script || script === source) return;
  source = script;
  strings = JSON.parse(script.textContent || "{}");
}

export const say = (key, values = {}) =>
  (strings[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));

const language = () => document.documentElement.lang || undefined;

export const formatNumber = (number) => new Intl.NumberFormat(language()).format(number);

export const formatPercent = (percent) =>
  new Intl.NumberFormat(language(), { style: "percent" }).format(Math.floor(percent) / 100);

/** "5 minutes ago". */
export function formatAge(date) {
  const minutes = (date.getTime() - Date.now()) / 60000;
  const format = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  if (minutes > -60) return format.format(Math.round(Math.min(0, minutes)), "minute");
  if (minutes > -1440) return format.format(Math.round(minutes / 60), "hour");
  return format.format(Math.round(minutes / 1440), "day");
}
