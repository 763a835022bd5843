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
export function format(kind, options) {
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
export const formatPercent = (percent) => t("percent", { n: formatNumber(Math.floor(percent)) });
