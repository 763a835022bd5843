/**
 * What a screen reader hears: two text-only live regions, apart from the pop-ups, so that nothing
 * is spoken twice and no button label is ever announced.
 */

import { make } from "./dom.js";
import { heading, isRunning } from "./message.js";
import { formatPercent, say } from "./strings.js";


const GATHER = 150;
const KEEP = 7000;
const AT_ONCE = 4;

export class Announcer {
  status = make("div", { class: "unseen", role: "status" });
  alert = make("div", { class: "unseen", role: "alert" });
  /** Seconds between two words on the progress of one message; 0 = none. */
  every = 30;
  #lastSaid = new Map();
  #queue = [];
  #timer = 0;

  constructor() {
    for (const region of [this.status, this.alert]) {
      region.setAttribute("aria-atomic", "false");
      region.setAttribute("aria-relevant", "additions");
    }
  }

  /** The start, the end, other news; progress now and then. */
  message(message, previous) {
    const news = !previous || previous.job?.state !== message.job?.state
      || heading(previous) !== heading(message);
    if (!news && !this.#progressIsDue(message, previous)) return;
    this.#lastSaid.set(message.id, performance.now());
    this.say(wording(message), message.level === "error");
  }

  say(text, urgent = false) {
    this.#queue.push({ text, urgent });
    this.#timer ||= setTimeout(() => this.#speak(), GATHER);
  }

  #progressIsDue(message, previous) {
    const last = this.#lastSaid.get(message.id) ?? 0;
    return isRunning(message) && previous.job?.percent !== message.job?.percent
      && this.every > 0 && performance.now() - last >= this.every * 1000;
  }

  /** Errors first; of a flood the first few and a summary. */
  #speak() {
    this.#timer = 0;
    const queue = this.#queue.sort((a, b) => Number(b.urgent) - Number(a.urgent));
    this.#queue = [];
    if (queue.length > AT_ONCE) {
      const n = queue.splice(AT_ONCE - 1).length;
      queue.push({ text: say("more_said", { n }), urgent: false });
    }
    for (const { text, urgent } of queue) {
      const line = make("p", {}, text.slice(0, 300));
      (urgent ? this.alert : this.status).append(line);
      setTimeout(() => line.remove(), KEEP);
    }
  }
}

function wording(message) {
  const { job } = message;
  const parts = [message.title, isRunning(message) ? "" : message.body];
  if (isRunning(message) && job?.percent != null) parts.push(formatPercent(job.percent));
  const start = job ? say(`state_${job.state}`) : say(`level_${message.level}`);
  return `${start}: ${parts.filter(Boolean).join(". ")}`;
}
