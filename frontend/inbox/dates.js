import { format } from "../lib/page-core.js";
import { formatDuration } from "../tasks/formats.js";

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

/** "now", "3 min", "2 hr", and of other days the time, in 24 hours as on the pages @param {Date} date */
export function formatAge(date) {
  const seconds = (Date.now() - +date) / 1000;
  if (daysAgo(date) > 0) return formatDate(date, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (seconds >= 60) return formatDuration(seconds);
  return format("RelativeTimeFormat", { numeric: "auto" }).format(0, "second");
}
