/** What pops up, and in which order. */

/** @import { Message } from "../types.js" */

import { isExpired, isRunning } from "./message.js";
import { wasClosed } from "./preferences.js";

/** @param {Message} message */
export function rank(message) {
  if (isRunning(message)) return 1;
  return { error: 0, warning: 2 }[/** @type {string} */ (message.level)] ?? 3;
}

/** @param {Message} message @param {Message} [previous] */
export function wantsToPopUp(message, previous) {
  const { id, version, read, seen } = message;
  if (read || isExpired(message)) return false;
  if (isRunning(message)) return !wasClosed(id);
  if (seen) return false;
  // A known one was closed, unless the server made it unseen anew.
  return !previous || isRunning(previous) || (previous.seen && version > previous.version);
}
