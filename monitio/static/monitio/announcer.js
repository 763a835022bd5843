import { make } from "./dom.js";
import { heading, isRunning } from "./message.js";
import { formatPercent, say } from "./strings.js";

const GATHER = 150;
const KEEP = 7000;
const AT_ONCE = 4;

const region = (role) => make("div", { class: "unseen", role, "aria-atomic": "false" });

export class Announcer {
  status = region("status");
  alert = region("alert");
  every = 30;
  #lastSaid = new Map();
  #queue = [];
  #timer = 0;

  message(message, previous) {
    const now = performance.now();
    const news = !previous || previous.job?.state !== message.job?.state
      || heading(previous) !== heading(message);
    const due = this.every && now - (this.#lastSaid.get(message.id) ?? 0) >= this.every * 1000;
    if (!news && !(due && isRunning(message))) return;
    this.#lastSaid.set(message.id, now);
    this.say(wording(message), message.level === "error");
  }

  say(text, urgent = false) {
    this.#queue.push({ text, urgent });
    this.#timer ||= setTimeout(() => this.#speak(), GATHER);
  }

  #speak() {
    this.#timer = 0;
    const queue = this.#queue.splice(0).sort((a, b) => b.urgent - a.urgent);
    if (queue.length > AT_ONCE)
      queue.push({ text: say("more_said", { n: queue.splice(AT_ONCE - 1).length }) });
    for (const { text, urgent } of queue) {
      const line = make("p", {}, text.slice(0, 300));
      (urgent ? this.alert : this.status).append(line);
      setTimeout(() => line.remove(), KEEP);
    }
  }
}

function wording(message) {
  const { job, level, title, body } = message;
  const percent = isRunning(message) && job.percent != null ? formatPercent(job.percent) : "";
  const parts = [title, isRunning(message) ? percent : body];
  return `${say(job ? `state_${job.state}` : `level_${level}`)}: ${parts.filter(Boolean).join(". ")}`;
}
