import { button, make, setText } from "./dom.js";
import { heading, isLocal } from "./message.js";
import { MessageView } from "./message-view.js";
import { actions } from "./page.js";
import { formatAge, say } from "./strings.js";

const labelled = (key, click) =>
  button(key.replace("_", "-"), click, say(key), make("span", { class: "unseen" }));

export class InboxItem extends MessageView {
  #time = make("time", { class: "meta" });
  #markRead = labelled("mark_read", () => actions.markRead(this.message.id));
  #reply = make("a", {}, say("reply"));
  #remove;

  constructor(onRemove) {
    super();
    this.#remove = labelled("delete", () => onRemove(this.message));
    this.link.addEventListener("click", () => actions.markRead(this.message.id));
    this.actions.append(this.#markRead, this.#reply, this.#remove);
    this.bar.node.after(this.#time);
  }

  fill(message) {
    const unread = !message.read && !isLocal(message);
    super.fill(message, unread ? "entry unread" : "entry");
    if (unread) this.word.prepend(`${say("unread")}, `);
    this.#markRead.hidden = !unread;
    this.#reply.hidden = !message.from || isLocal(message);
    this.#reply.href = `${actions.url}reply/${message.id}/`;
    for (const { lastChild } of [this.#markRead, this.#remove])
      setText(lastChild, ` ${heading(message).slice(0, 60)}`);
    const created = new Date(message.created);
    setText(this.#time, [message.from, formatAge(created)].filter(Boolean).join(" · "));
    this.#time.dateTime = message.created;
  }
}
