/** @import { Message } from "../types.js" */

import { button, label, make, setText, tool } from "../lib/dom.js";
import { icon, setIcon } from "../lib/icons.js";
import { heading, isRunning, safeUrl, shortHeading } from "../state/message.js";
import { actions } from "../state/page.js";
import { ProgressBar } from "./progress-bar.js";
import { formatSize, t } from "../lib/strings.js";

/** Below this many characters a text fits into the two lines that are shown. */
const SHORT = 45;

/** What a toast, an entry of the inbox and an inline bar have in common. */
export class MessageView {
  /** @type {Message} */
  message = /** @type {any} */ (null);
  #svg = icon("info");
  tile = make("span", { part: "icon" }, this.#svg);
  word = make("span", { class: "unseen" });
  title = make("div", { part: "title", dir: "auto" });
  body = make("div", { part: "body", dir: "auto" });
  #more = button("show-more", () => this.#unfold(), t("show_more"));
  bar = new ProgressBar();
  link = make("a", { part: "action" });
  cancel = tool("cancel", () => this.#cancelJob());
  #retry = button("retry", () => this.#retryJob(), icon("retry"), t("retry"));
  #shownFiles = "";
  #files = make("span", { class: "files" });
  actions = make("div", { part: "actions" }, this.#retry, this.link, this.#files);
  text = make("div", { class: "text" },
    this.word, this.title, this.body, this.#more, this.actions);
  node;

  /** @param {"li" | "div"} tag */
  constructor(tag = "li") {
    this.node = make(tag, {}, this.tile, this.text, this.bar.node);
  }

  /**
   * @param {Message} message
   * @param {string} part
   */
  fill(message, part) {
    const { level, title, body, url_label } = message;
    const running = isRunning(message);
    this.message = message;
    this.node.className = `item ${part} ${level}${running ? " running" : ""}`;
    this.node.part.value = `${part} ${level}`;
    setIcon(this.#svg, level);
    setText(this.word, `${t(running ? "running" : `level_${level}`)}: `);
    setText(this.title, heading(message));
    setText(this.body, title ? body : "");
    this.body.hidden = running || !title || !body;
    this.bar.fill(message);
    const url = safeUrl(message.url);
    this.link.hidden = !url;
    this.actions.hidden = !url && !message.job?.files?.length && !message.job?.retry;
    this.link.href = url ?? "";
    setText(this.link, url_label || t("open"));
    this.#fillFiles(message);
    this.cancel.hidden = !(running && message.job?.cancel);
    label(this.cancel, t("cancel"), shortHeading(message));
    this.#retry.hidden = !message.job?.retry;
    this.#more.hidden = true;
  }

  measure() {
    const parts = [this.title, this.body];
    if (parts.every(({ textContent }) => textContent.length < SHORT && !textContent.includes("\n"))) return;
    this.#more.hidden = !this.text.classList.contains("unfolded") && !parts.some((part) =>
      part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth);
  }

  #unfold() {
    setText(this.#more, t(this.text.classList.toggle("unfolded") ? "show_less" : "show_more"));
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

  async #retryJob() {
    this.#retry.disabled = true;
    await actions.retry(this.message.id);
    this.#retry.disabled = false;
  }

  async #cancelJob() {
    this.cancel.disabled = true;
    this.cancel.disabled = !!(await actions.cancel(this.message.id));
  }
}
