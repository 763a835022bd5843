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

/** "5 minutes ago" */
export function formatAge(date) {
  const minutes = Math.min(0, (date - Date.now()) / 60000);
  const age = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  if (minutes > -60) return age.format(Math.round(minutes), "minute");
  if (minutes > -1440) return age.format(Math.round(minutes / 60), "hour");
  return age.format(Math.round(minutes / 1440), "day");
}
