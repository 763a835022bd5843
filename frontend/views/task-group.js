/** @import { Card, Message } from "../types.js" */

import { label, make, Rows, setText, tool } from "../lib/dom.js";
import { heading, isRunning, shortHeading } from "../state/message.js";
import { actions } from "../state/page.js";
import { far, setBar } from "./progress-bar.js";
import { formatNumber, formatPercent, t } from "../lib/strings.js";

/** One running task of the card they share. */
class TaskRow {
  /** @type {Message} */
  message = /** @type {any} */ (null);
  #title = make("span", { part: "title", dir: "auto" });
  #bar = make("progress", { part: "progress", max: 100 });
  #state = make("span", { class: "meta", dir: "auto" });
  #cancel = tool("cancel", async () => {
    this.#cancel.disabled = true;
    this.#cancel.disabled = !!(await actions.cancel(this.message.id));
  });
  node = make("li", {}, this.#title, this.#bar, this.#state, this.#cancel);

  /** @param {Message} message */
  fill(message) {
    this.message = message;
    this.node.dataset.id = `${message.id}`;
    const { state, percent, text, cancel } = message.job ?? {};
    setText(this.#title, heading(message));
    setBar(this.#bar, message);
    this.node.className = percent == null ? "task words" : "task";
    setText(this.#state, state === "started" && percent != null
      ? formatPercent(percent) : text || t(`state_${state}`));
    this.#cancel.hidden = !cancel;
    label(this.#cancel, t("cancel"), shortHeading(message));
  }
}

/** From the third running task on: one card for all of them. */
export class TaskGroup {
  message = null;
  #isOpen = true;
  #title = make("span", { part: "title" });
  #sum = make("span", { class: "meta" });
  #fold = tool("fold", () => this.#setOpen(!this.#isOpen));
  #list = make("ul", { role: "list" });
  #rows = new Rows(this.#list, () => new TaskRow());
  node = make("li", { class: "item tasks running info", part: "toast tasks" },
    make("div", { class: "head" },
      make("span", { part: "icon" }), this.#title, this.#sum, this.#fold),
    this.#list);

  constructor() {
    this.#setOpen(true);
  }

  /** @param {{ messages: Message[] }} card */
  fill({ messages }) {
    const title = t("tasks", { n: formatNumber(messages.length) });
    setText(this.#title, title);
    label(this.#fold, title);
    const jobs = messages.flatMap(({ job }) => job ?? []);
    const known = jobs.flatMap(({ percent }) => percent ?? []);
    const etas = jobs.flatMap(({ eta }) => eta ?? []);
    setText(this.#sum, far({
      state: "started",
      percent: known.length ? known.reduce((sum, percent) => sum + percent, 0) / jobs.length : null,
      eta: etas.length ? Math.max(...etas) : null,
    }));
    this.#rows.update(messages);
  }

  /** @param {boolean} open */
  #setOpen(open) {
    this.#isOpen = open;
    this.#list.hidden = !open;
    this.#fold.ariaExpanded = `${open}`;
  }
}

/**
 * Several messages as one: running tasks, or successes with what they have in common.
 * @param {Message[]} messages
 * @returns {Card}
 */
export function asCard(messages) {
  const [first] = messages;
  if (messages.length === 1) return first;
  if (isRunning(first)) return { id: "tasks", messages };
  const title = t("finished", { n: formatNumber(messages.length) });
  const body = messages.map(heading).join("\n");
  return { ...first, id: "finished", messages, title, body, job: null, level: "success" };
}
