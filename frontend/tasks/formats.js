import { formatNumber } from "../lib/page-core.js";

/** Up to so many seconds a unit is used. @type {[number, number, string][]} */
const UNITS = [[60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [Infinity, 86400, "day"]];
const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte"];

/**
 * "3 min": in the largest unit of which there is one.
 * @param {number} seconds
 */
export function formatDuration(seconds) {
  const [, length, unit] = UNITS.find(([below]) => seconds < below) ?? UNITS[3];
  return formatNumber(Math.round(seconds / length), { style: "unit", unit });
}

/**
 * "412 kB"
 * @param {number} bytes
 */
export function formatSize(bytes) {
  const at = Math.min(3, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return formatNumber(bytes / 1024 ** at, {
    style: "unit", unit: SIZES[at], maximumFractionDigits: 1,
  });
}
