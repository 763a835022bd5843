import { make, setText } from "./dom.js";
import { icon, setIcon } from "./icons.js";
import { heading, isRunning, safeUrl } from "./message.js";
import { ProgressBar } from "./progress-bar.js";
import { say } from "./strings.js";


/** What a pop-up and a row of the inbox share: icon, level word, title, body, bar, link. */
export class MessageView {
  message = {};
  icon = icon("info");
  word = make("span", { class: "unseen" });
  title = make("div", { class: "title", part: "title", dir: "auto" });
  body = make("div", { class: "body", part: "body", dir: "auto" });
  progress = new ProgressBar();
  link = make("a", { part: "action", hidden: true });
  actions = make("div", { class: "actions", part: "actions" }, this.link);
  text = make("div", { class: "text" },
    this.word, this.title, this.body, this.progress.node, this.actions);
  node;

  constructor(tag = "li") {
    this.node = make(tag, {}, this.icon, this.text);
  }

  fill(message) {
    this.message = message;
    setIcon(this.icon, isRunning(message) ? "running" : message.level);
    setText(this.word, `${say(`level_${message.level}`)}: `);
    setText(this.title, heading(message));
    setText(this.body, message.title ? message.body : "");
    this.body.hidden = !this.body.textContent;
    this.progress.fill(message);
    this.#fillLink(safeUrl(message.url));
  }

  #fillLink(url) {
    this.link.hidden = !url;
    if (!url) return;
    if (this.link.href !== url) this.link.href = url;
    setText(this.link, this.message.url_label || say("open"));
  }
}
