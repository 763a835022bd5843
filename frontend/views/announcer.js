/** @import { Message } from "../types.js" */

import { make } from "../lib/dom.js";
import { heading, isRunning } from "../state/message.js";
import { formatPercent, t } from "../lib/strings.js";

const GATHER = 150;
const KEEP = 7000;
const AT_ONCE = 4;

/** @param {"status" | "alert"} role */
const region = (role) => make("div", { class: "unseen", role, "aria-atomic": "false" });

/** What a screen reader says: each message once, errors first, a burst summed up. */
export class Announcer {
  status = region("status");
  alert = region("alert");
  /** Seconds between two words on one progress, 0 = none. */
  every = 30;
  /** @type {Map<number, number>} */
  #lastSaid = new Map();
  /** @type {{ text: string, urgent: boolean }[]} */
  #queue = [];

  /**
   * @param {Message} message
   * @param {Message} [previous]
   */
  message(message, previous) {
    const now = performance.now();
    const news = !previous || previous.job?.state !== message.job?.state
      || heading(previous) !== heading(message);
    const due = this.every && now - (this.#lastSaid.get(message.id) ?? 0) >= this.every * 1000;
    if (!news && !(due && isRunning(message))) return;
    this.#lastSaid.set(message.id, now);
    this.t(wording(message), message.level === "error");
  }

  /** @param {string} text */
  t(text, urgent = false) {
    // In a flood the next words wait until the last ones have gone; an error does not.
    const talks = !urgent && this.status.childElementCount >= AT_ONCE;
    if (urgent || !this.#queue.length) setTimeout(() => this.#speak(), talks ? KEEP : GATHER);
    this.#queue.push({ text, urgent });
  }

  #speak() {
    const queue = this.#queue.splice(0).sort((a, b) => +b.urgent - +a.urgent);
    if (queue.length > AT_ONCE) {
      const n = `${queue.splice(AT_ONCE - 1).length}`;
      queue.push({ text: t("more_said", { n }), urgent: false });
    }
    for (const { text, urgent } of queue) {
      const line = make("p", {}, text);
      (urgent ? this.alert : this.status).append(line);
      setTimeout(() => line.remove(), KEEP);
    }
  }
}

/** @param {Message} message */
function wording(message) {
  const { job, level, title, body } = message;
  const percent = job && isRunning(message) && job.percent != null ? formatPercent(job.percent) : "";
  const parts = [title, isRunning(message) ? percent : body];
  return `${t(job ? `state_${job.state}` : `level_${level}`)}: ${parts.filter(Boolean).join(". ")}`;
}
