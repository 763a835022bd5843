/** @import { Card, Message } from "../types.js" */
/** @import { Popup } from "../state/popups.js" */

import { formatNumber, heading, isRunning, t } from "../lib/page-core.js";

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

/**
 * Several messages as one: running tasks, or successes with what they have in common.
 * @param {Message[]} messages
 * @returns {Card}
 */
export function asCard(messages) {
  const [first] = messages;
  if (messages.length === 1) return first;
  const key = isRunning(first) ? "tasks" : "finished";
  return {
    ...first, id: key, messages, job: null, level: key === "tasks" ? "info" : "success",
    title: t(key, { n: formatNumber(messages.length) }), body: messages.map(heading).join("\n"),
  };
}
