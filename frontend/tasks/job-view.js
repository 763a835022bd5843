/** @import { Message } from "../types.js" */
/** @import { MessageView } from "../views/message-view.js" */

import { actions, button, icon, isRunning, label, make, shortHeading, t, tool } from "../lib/page-core.js";
import { formatSize } from "./formats.js";
import { ProgressBar } from "./progress-bar.js";

/** What the view of a message has besides when the message is about a task. */
export class JobView {
  #view;
  #bar = new ProgressBar();
  #cancel = tool("cancel", async () => {
    this.#cancel.disabled = true;
    this.#cancel.disabled = !!(await actions.cancel(this.#view.message.id));
  });
  #retry = button("retry", async () => {
    this.#retry.disabled = true;
    await actions.retry(this.#view.message.id);
    this.#retry.disabled = false;
  }, icon("retry"), t("retry"));
  #shownFiles = "";
  #files = make("span", { class: "files" });

  /** @param {MessageView} view */
  constructor(view) {
    this.#view = view;
    view.addBar(this.#bar.node);
    view.tools.prepend(this.#cancel);
    view.actions.prepend(this.#retry);
    view.actions.append(this.#files);
  }

  /** @param {Message} message */
  fill(message) {
    const { job } = message;
    this.#bar.fill(message);
    this.#cancel.hidden = !(isRunning(message) && job?.cancel);
    label(this.#cancel, t("cancel"), shortHeading(message));
    this.#retry.hidden = !job?.retry;
    this.#fillFiles(message);
    if (!this.#retry.hidden || !this.#files.hidden) this.#view.actions.hidden = false;
  }

  /** @param {Message} message */
  #fillFiles({ id, job }) {
    const files = job?.files ?? [];
    // A link with the focus stays where it is.
    const shown = JSON.stringify([id, files]);
    if (shown === this.#shownFiles) return;
    this.#shownFiles = shown;
    this.#files.hidden = !files.length;
    this.#files.replaceChildren(...files.map((file) => {
      const { name, gone } = file;
      if (gone) return make("span", { dir: "auto" }, t("gone", { name }));
      const href = actions.fileUrl(id, file.id);
      const text = t("download", { name, size: formatSize(file.size) });
      return make("a", { part: "action", href, download: true, dir: "auto" }, icon("download"), text);
    }));
  }
}
