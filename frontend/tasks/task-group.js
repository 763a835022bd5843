/** @import { Message } from "../types.js" */

import { actions, formatPercent, heading, label, make, Rows, setText, shortHeading, t, tool } from "../lib/page-core.js";
import { far, setBar } from "./progress-bar.js";

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

  /** @param {{ messages: Message[], title: string }} card */
  fill({ messages, title }) {
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
