/** @type {Record<string, string>} */
let strings = {};

export function loadStrings() {
  const script = document.querySelector("script[data-strings]");
  if (script) setStrings(JSON.parse(script.textContent));
}

/** @param {Record<string, string>} texts */
export const setStrings = (texts) => (strings = texts);

/**
 * A text of templatetags/strings.py, its {names} filled in.
 * @param {string} key
 * @param {Record<string, string>} values
 */
export const t = (key, values = {}) =>
  (strings[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

/** Each takes much longer to make than to use. @type {Map<string, any>} */
const formats = new Map();

/**
 * @param {"NumberFormat" | "DateTimeFormat" | "RelativeTimeFormat"} kind
 * @param {object} [options]
 */
function format(kind, options) {
  const { lang } = document.documentElement;
  const key = `${kind} ${lang} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new /** @type {any} */ (Intl)[kind](lang || undefined, options));
  return formats.get(key);
}

/**
 * @param {number} number
 * @param {Intl.NumberFormatOptions} [options]
 */
export const formatNumber = (number, options) =>
  format("NumberFormat", options).format(number);

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

/** @param {Date} date @param {Intl.DateTimeFormatOptions} options */
export const formatDate = (date, options) =>
  format("DateTimeFormat", options).format(date);

/** @param {string} text */
const capitalized = (text) => text.charAt(0).toLocaleUpperCase(document.documentElement.lang || undefined) + text.slice(1);

/** @param {Date} date */
const daysAgo = (date) =>
  Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 864e5);

/** "Today", "Yesterday", "Wednesday", "12 November" @param {Date} date */
export function formatDay(date) {
  const days = daysAgo(date);
  if (days < 2) return capitalized(
    format("RelativeTimeFormat", { numeric: "auto" }).format(-Math.max(0, days), "day"));
  if (days < 7) return capitalized(formatDate(date, { weekday: "long" }));
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return formatDate(date, { day: "numeric", month: "long", year });
}

/** "now", "3 min", "2 hr", and of other days the time @param {Date} date */
export function formatAge(date) {
  const seconds = (Date.now() - +date) / 1000;
  if (daysAgo(date) > 0) return formatDate(date, { hour: "numeric", minute: "2-digit" });
  if (seconds >= 60) return formatDuration(seconds);
  return format("RelativeTimeFormat", { numeric: "auto" }).format(0, "second");
}
