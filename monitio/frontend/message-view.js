/** @import { Message } from "./types.js" */

import { make, setText } from "./dom.js";
import { icon, setIcon } from "./icons.js";
import { heading, isRunning, safeUrl } from "./message.js";
import { ProgressBar } from "./progress-bar.js";
import { say } from "./strings.js";

/** What a toast, an entry of the inbox and an inline bar have in common. */
export class MessageView {
  /** @type {Message} */
  message = /** @type {any} */ (null);
  icon = icon("info");
  word = make("span", { class: "unseen" });
  title = make("div", { class: "title", part: "title", dir: "auto" });
  body = make("div", { class: "body", part: "body", dir: "auto" });
  bar = new ProgressBar();
  link = make("a", { part: "action" });
  actions = make("div", { class: "actions", part: "actions" }, this.link);
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
    this.node.setAttribute("part", `${part} ${level}`);
    setIcon(this.icon, isRunning(message) ? "running" : level);
    setText(this.word, `${say(`level_${level}`)}: `);
    setText(this.title, heading(message));
    setText(this.body, title ? body : "");
    this.body.hidden = !title || !body;
    this.bar.fill(message);
    const url = safeUrl(message.url);
    this.link.hidden = !url;
    this.link.href = url ?? "";
    setText(this.link, url_label || say("open"));
  }
}
