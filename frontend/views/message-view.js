/** @import { Message } from "../types.js" */

import { button, make, setText } from "../lib/dom.js";
import { icon, setIcon } from "../lib/icons.js";
import { files } from "../lib/files.js";
import { heading, isRunning, safeUrl } from "../state/message.js";
import { t } from "../lib/strings.js";

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
  #more = button("show-more", () =>
    setText(this.#more, t(this.text.classList.toggle("unfolded") ? "show_less" : "show_more")), t("show_more"));
  link = make("a", { part: "action" });
  actions = make("div", { part: "actions" }, this.link);
  text = make("div", { class: "text" },
    this.word, this.title, this.body, this.#more, this.actions);
  tools = make("div", { class: "tools" });
  /** @type {import("../tasks/job-view.js").JobView | undefined} */
  #job;
  node;

  /** @param {"li" | "div"} tag */
  constructor(tag = "li") {
    this.node = make(tag, {}, this.tile, this.text);
  }

  /** @param {Node} bar */
  addBar(bar) {
    this.text.after(bar);
  }

  /**
   * @param {Message} message
   * @param {string} part
   */
  fill(message, part) {
    const { level, title, body, job, url_label } = message;
    const running = isRunning(message);
    this.message = message;
    this.node.className = `item ${part} ${level}${running ? " running" : ""}`;
    this.node.part.value = `${part} ${level}`;
    setIcon(this.#svg, level, message.icon);
    setText(this.word, `${t(running ? "running" : `level_${level}`)}: `);
    setText(this.title, heading(message));
    setText(this.body, title ? body : "");
    this.body.hidden = running || !title || !body;
    const url = safeUrl(message.url);
    this.link.hidden = this.actions.hidden = !url;
    this.link.href = url ?? "";
    setText(this.link, url_label || t("open"));
    this.#more.hidden = true;
    if (files.cards && job) this.#job ??= new files.cards.JobView(this);
    this.#job?.fill(message);
  }

  measure() {
    const parts = [this.title, this.body];
    if (parts.every(({ textContent }) => textContent.length < SHORT && !textContent.includes("\n"))) return;
    this.#more.hidden = !this.text.classList.contains("unfolded") && !parts.some((part) =>
      part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth);
  }
}
