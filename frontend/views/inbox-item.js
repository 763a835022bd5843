/** @import { Message } from "../types.js" */

import { make, setText } from "../lib/dom.js";
import { isLocal, shortHeading } from "../state/message.js";
import { labelled, MessageView } from "./message-view.js";
import { actions } from "../state/page.js";
import { formatAge, t } from "../lib/strings.js";

/** An entry of the inbox. */
export class InboxItem extends MessageView {
  #time = make("time", { class: "meta" });
  #markRead = labelled("mark_read", () => actions.markRead(this.message.id));
  #reply = labelled("reply", () => this.#toggleForm());
  #remove;
  #field = make("textarea",
    { rows: 3, maxlength: 10000, required: true, dir: "auto", "aria-label": t("answer") });
  #send = make("button", { part: "send" }, t("send"));
  #form = make("form", { hidden: true, part: "reply-form" }, this.#field, this.#send);
  #onSent;

  /**
   * @param {(message: Message) => void} onRemove
   * @param {() => void} onSent
   */
  constructor(onRemove, onSent) {
    super();
    this.#onSent = onSent;
    this.#remove = labelled("delete", () => onRemove(this.message));
    this.link.addEventListener("click", () => actions.markRead(this.message.id));
    this.actions.append(this.#markRead.node, this.#reply.node, this.#remove.node);
    this.bar.node.after(this.#time);
    this.text.append(this.#form);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#answer();
    });
  }

  /** @param {Message} message */
  fill(message) {
    const unread = !message.read && !isLocal(message);
    super.fill(message, unread ? "entry unread" : "entry");
    if (unread) this.word.prepend(`${t("unread")}, `);
    this.#markRead.node.hidden = !unread;
    this.#reply.node.hidden = !message.from || isLocal(message);
    for (const { of } of [this.#markRead, this.#reply, this.#remove])
      setText(of, ` ${shortHeading(message)}`);
    setText(this.#time,
      [message.from, formatAge(new Date(message.created))].filter(Boolean).join(" · "));
    this.#time.dateTime = message.created;
  }

  #toggleForm() {
    this.#form.hidden = !this.#form.hidden;
    this.#reply.node.ariaExpanded = `${!this.#form.hidden}`;
    this.#field.focus();
  }

  async #answer() {
    this.#send.disabled = true;
    if (await actions.reply(this.message.id, this.#field.value)) {
      this.#form.reset();
      this.#toggleForm();
      this.#reply.node.focus();
      this.#onSent();
    }
    this.#send.disabled = false;
  }
}
