/** The page's language: texts from the server (`<script data-strings>`), numbers by Intl. */

let strings = {};

export function loadStrings() {
  strings = JSON.parse(document.querySelector("script[data-strings]")?.textContent ?? "{}");
}

export const say = (key, values = {}) =>
  (strings[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

const language = () => document.documentElement.lang || undefined;

export const formatNumber = (number) => new Intl.NumberFormat(language()).format(number);

export const formatPercent = (percent) =>
  new Intl.NumberFormat(language(), { style: "percent" }).format(Math.floor(percent) / 100);

export function formatAge(date) {
  const minutes = Math.min(0, (date - Date.now()) / 60000);
  const [divisor, unit] =
    minutes > -60 ? [1, "minute"] : minutes > -1440 ? [60, "hour"] : [1440, "day"];
  const format = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  return format.format(Math.round(minutes / divisor), unit);
}
