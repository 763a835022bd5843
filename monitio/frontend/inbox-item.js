/** @import { Message } from "./types.js" */

import { button, make, setText } from "./dom.js";
import { heading, isLocal } from "./message.js";
import { MessageView } from "./message-view.js";
import { actions } from "./page.js";
import { formatAge, say } from "./strings.js";

/**
 * A button whose name also says, unseen, of which message.
 * @param {string} key
 * @param {() => void} click
 */
function labelled(key, click) {
  const of = make("span", { class: "unseen" });
  return { of, node: button(key.replace("_", "-"), click, say(key), of) };
}

/** An entry of the inbox. */
export class InboxItem extends MessageView {
  #time = make("time", { class: "meta" });
  #markRead = labelled("mark_read", () => actions.markRead(this.message.id));
  #reply = make("a", {}, say("reply"));
  #remove;

  /** @param {(message: Message) => void} onRemove */
  constructor(onRemove) {
    super();
    this.#remove = labelled("delete", () => onRemove(this.message));
    this.link.addEventListener("click", () => actions.markRead(this.message.id));
    this.actions.append(this.#markRead.node, this.#reply, this.#remove.node);
    this.bar.node.after(this.#time);
  }

  /** @param {Message} message */
  fill(message) {
    const unread = !message.read && !isLocal(message);
    super.fill(message, unread ? "entry unread" : "entry");
    if (unread) this.word.prepend(`${say("unread")}, `);
    this.#markRead.node.hidden = !unread;
    this.#reply.hidden = !message.from || isLocal(message);
    this.#reply.href = `${actions.url}reply/${message.id}/`;
    for (const { of } of [this.#markRead, this.#remove])
      setText(of, ` ${heading(message).slice(0, 60)}`);
    setText(this.#time,
      [message.from, formatAge(new Date(message.created))].filter(Boolean).join(" · "));
    this.#time.dateTime = message.created;
  }
}
