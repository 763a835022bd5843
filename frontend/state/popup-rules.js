/** What pops up, in which order, and which share a card. */

/** @import { Message } from "../types.js" */
/** @import { Popup } from "./popups.js" */

import { isExpired, isRunning } from "./message.js";
import { wasClosed } from "./preferences.js";

/** From how many on running tasks, and successes of tasks, share a card. */
const SHARED = 3;

/**
 * Each has a card of its own; many running tasks share one, and so do many successes of tasks.
 * @param {Popup[]} popups in their order
 */
export function shareCards(popups) {
  /** @type {Popup[][]} */
  const cards = [];
  const shared = [isRunning, isQuietSuccess].map((belongs) =>
    popups.filter(({ message }) => belongs(message))).filter(({ length }) => length >= SHARED);
  for (const popup of popups) {
    const card = shared.find((one) => one.includes(popup)) ?? [popup];
    if (!cards.includes(card)) cards.push(card);
  }
  // What closes by itself closes together.
  for (const card of shared) {
    const left = Math.max(...card.map((popup) => popup.left));
    for (const popup of card) if (popup.shown) popup.left = left;
  }
  return cards;
}

/** @param {Message} message */
const isQuietSuccess = ({ job, level, url }) =>
  job?.state === "succeeded" && level !== "error" && level !== "warning" && !url;

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
