import { formatNumber, t } from "../lib/page-core.js";

/** Up to so many seconds a unit is used. @type {[number, number, string][]} */
const UNITS = [[60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [Infinity, 86400, "day"]];

/**
 * "3 min": in the largest unit of which there is one.
 * @param {number} seconds
 */
export function formatDuration(seconds) {
  const [, length, unit] = UNITS.find(([below]) => seconds < below) ?? UNITS[3];
  return formatNumber(Math.round(seconds / length), { style: "unit", unit });
}

/**
 * "412.0 KB", as Django writes it
 * @param {number} bytes
 */
export function formatSize(bytes) {
  const power = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  if (!(power > 0)) return formatNumber(bytes, { style: "unit", unit: "byte", unitDisplay: "long" });
  const n = formatNumber(bytes / 1024 ** power, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return t(`size_${power}`, { n });
}
