/** @import { Message } from "../types.js" */

import { button, make, setText } from "../lib/dom.js";
import { icon, setIcon } from "../lib/icons.js";
import { heading, isRunning, safeUrl, shortHeading } from "../state/message.js";
import { actions } from "../state/page.js";
import { ProgressBar } from "./progress-bar.js";
import { formatSize, t } from "../lib/strings.js";

/**
 * A button whose name also says, unseen, of which message.
 * @param {string} key
 * @param {() => void} click
 */
export function labelled(key, click) {
  const of = make("span", { class: "unseen" });
  const node = button(key.replace("_", "-"), click, t(key), of);
  return { node, of };
}

/** What a toast, an entry of the inbox and an inline bar have in common. */
export class MessageView {
  /** @type {Message} */
  message = /** @type {any} */ (null);
  icon = icon("info");
  word = make("span", { class: "unseen" });
  title = make("div", { part: "title", dir: "auto" });
  body = make("div", { part: "body", dir: "auto" });
  bar = new ProgressBar();
  link = make("a", { part: "action" });
  #cancel = labelled("cancel", () => this.#cancelJob());
  #shownFiles = "";
  #files = make("span", { class: "files" });
  actions = make("div", { part: "actions" }, this.link, this.#files, this.#cancel.node);
  text = make("div", { class: "text" },
    this.word, this.title, this.body, this.bar.node, this.actions);
  node;

  /** @param {"li" | "div"} tag */
  constructor(tag = "li") {
    this.node = make(tag, {}, this.icon, this.text);
  }

  /**
   * @param {Message} message
   * @param {string} part
   */
  fill(message, part) {
    const { level, title, body, url_label } = message;
    this.message = message;
    this.node.className = `item ${part} ${level}`;
    this.node.part.value = `${part} ${level}`;
    setIcon(this.icon, isRunning(message) ? "running" : level);
    setText(this.word, `${t(`level_${level}`)}: `);
    setText(this.title, heading(message));
    setText(this.body, title ? body : "");
    this.body.hidden = !title || !body;
    this.bar.fill(message);
    const url = safeUrl(message.url);
    this.link.hidden = !url;
    this.link.href = url ?? "";
    setText(this.link, url_label || t("open"));
    this.#fillFiles(message);
    this.#cancel.node.hidden = !(isRunning(message) && message.job?.cancel);
    setText(this.#cancel.of, ` ${shortHeading(message)}`);
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
      return make("a", { part: "action", href, download: true, dir: "auto" }, text);
    }));
  }

  async #cancelJob() {
    const { node } = this.#cancel;
    node.disabled = true;
    node.disabled = !!(await actions.cancel(this.message.id));
  }
}
