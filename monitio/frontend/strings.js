/** @type {Record<string, string>} */
let strings = {};

export function loadStrings() {
  strings = JSON.parse(document.querySelector("script[data-strings]")?.textContent ?? "{}");
}

/**
 * A text of templatetags/strings.py, its {names} filled in.
 * @param {string} key
 * @param {Record<string, string>} values
 */
export const say = (key, values = {}) =>
  (strings[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

const language = () => document.documentElement.lang || undefined;

/**
 * @param {number} number
 * @param {Intl.NumberFormatOptions} [options]
 */
export const formatNumber = (number, options) =>
  new Intl.NumberFormat(language(), options).format(number);

/** @param {number} percent */
export const formatPercent = (percent) =>
  formatNumber(Math.floor(percent) / 100, { style: "percent" });

/**
 * "5 minutes ago"
 * @param {Date} date
 */
export function formatAge(date) {
  const minutes = Math.min(0, (+date - Date.now()) / 60000);
  const age = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  if (minutes > -60) return age.format(Math.round(minutes), "minute");
  if (minutes > -1440) return age.format(Math.round(minutes / 60), "hour");
  return age.format(Math.round(minutes / 1440), "day");
}
