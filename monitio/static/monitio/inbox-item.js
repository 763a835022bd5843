import { make, setText } from "./dom.js";
import { heading, isLocal } from "./message.js";
import { MessageView } from "./message-view.js";
import { actions } from "./page.js";
import { formatAge, say } from "./strings.js";


/** One row of the inbox. */
export class InboxItem extends MessageView {
  #time = make("time", { class: "meta" });
  #markRead = this.#button("mark_read", () => actions.markRead(this.message.id));
  #reply = make("a", {}, say("reply"));
  #remove;

  constructor(onRemove) {
    super();
    this.#remove = this.#button("delete", () => onRemove(this.message));
    this.actions.append(this.#markRead, this.#reply, this.#remove);
    this.body.after(this.#time);
  }

  fill(message) {
    super.fill(message);
    const unread = !message.read && !isLocal(message);
    this.node.className = message.level + (unread ? " unread" : "");
    this.node.setAttribute("part", `item ${message.level}`);
    if (unread) setText(this.word, `${say("unread_mark")}, ${this.word.textContent}`);
    this.#markRead.hidden = !unread;
    this.#reply.hidden = !message.from || isLocal(message);
    this.#reply.href = `${actions.url}reply/${message.id}/`;
    this.link.onclick = () => void actions.markRead(message.id);
    this.#fillTime(new Date(message.created));
    for (const button of [this.#markRead, this.#remove])
      setText(button.lastChild, ` ${heading(message).slice(0, 60)}`);
  }

  #fillTime(created) {
    if (isNaN(Number(created))) return;
    const from = this.message.from ? `${this.message.from} · ` : "";
    setText(this.#time, from + formatAge(created));
    this.#time.dateTime = this.message.created;
    this.#time.title = created.toLocaleString(document.documentElement.lang || undefined);
  }

  /** A button whose spoken name tells of which message. */
  #button(key, click) {
    return make("button", { type: "button", part: key.replace("_", "-"), click },
      say(key), make("span", { class: "unseen" }));
  }
}
