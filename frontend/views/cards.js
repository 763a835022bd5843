/** @import { Message } from "../types.js" */

import { formatNumber, t } from "../lib/strings.js";
import { heading, isRunning } from "../state/message.js";

/**
 * Several messages as one: running tasks, or successes with what they have in common.
 * @param {Message[]} messages
 * @returns {import("../types.js").Card}
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
