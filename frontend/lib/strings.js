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
export const t = (key, values = {}) =>
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
 * The largest unit of which there is one, and how many.
 * @param {number} seconds
 * @returns {[number, Intl.RelativeTimeFormatUnitSingular]}
 */
function scale(seconds) {
  if (seconds < 60) return [Math.round(seconds), "second"];
  if (seconds < 3600) return [Math.round(seconds / 60), "minute"];
  if (seconds < 86400) return [Math.round(seconds / 3600), "hour"];
  return [Math.round(seconds / 86400), "day"];
}

/**
 * "3 min"
 * @param {number} seconds
 */
export function formatDuration(seconds) {
  const [n, unit] = scale(seconds);
  return formatNumber(n, { style: "unit", unit });
}

/**
 * "412 kB"
 * @param {number} bytes
 */
export function formatSize(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const at = Math.min(3, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return formatNumber(bytes / 1024 ** at, {
    style: "unit", unit: units[at], maximumFractionDigits: 1,
  });
}

/**
 * "5 minutes ago"
 * @param {Date} date
 */
export function formatAge(date) {
  const [n, unit] = scale(Math.max(0, (Date.now() - +date) / 1000));
  return new Intl.RelativeTimeFormat(language(), { numeric: "auto" }).format(-n, unit);
}
