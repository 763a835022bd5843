/** @import { Message } from "../types.js" */

import { actions, heading, isLocal, label, make, MessageView, setText, shortHeading, t, tool } from "../lib/page-core.js";
import { formatAge, formatDate } from "./dates.js";

/** An entry of the inbox. */
export class Entry extends MessageView {
  #face = make("span", { class: "face", "aria-hidden": "true" });
  /** In front of the initials, which stay when it cannot be loaded. */
  #photo = make("img", { alt: "", hidden: true });
  #time = make("time");
  #from = make("span", { class: "from", dir: "auto" });
  #reply = tool("reply", () => this.toggleForm());
  #markRead = tool("mark-read", () => (this.message.read ? this.markUnread() : this.markRead()));
  #delete;
  /** For fingers, in place of the others. */
  #menu = tool("menu", () => this.#toggleTools());
  #field = make("textarea",
    { rows: 3, maxlength: 10000, required: true, dir: "auto", "aria-label": t("answer") });
  #send = make("button", { part: "send" }, t("send"));
  #form = make("form", { hidden: true, part: "reply-form" }, this.#field, this.#send);
  #onSent;

  /**
   * @param {(message: Message) => void} onDelete
   * @param {() => void} onSent
   */
  constructor(onDelete, onSent) {
    super();
    this.#onSent = onSent;
    this.remove = () => onDelete(this.message);
    this.#delete = tool("delete", this.remove);
    // For the keys: without one the focus could not move from entry to entry.
    this.node.tabIndex = -1;
    this.node.addEventListener("contentvisibilityautostatechange", () => this.measure());
    this.link.addEventListener("click", () => this.markRead());
    this.node.addEventListener("click", (event) => {
      const inside = /** @type {HTMLElement} */ (event.target).closest("button, a, form");
      if (!inside && !getSelection()?.toString()) this.open();
    });
    this.tile.append(this.#face, this.#photo);
    this.#photo.addEventListener("load", () => (this.#photo.hidden = false));
    this.#photo.addEventListener("error", () => (this.#photo.hidden = true));
    this.text.append(this.#form);
    this.text.prepend(make("div", { class: "when" }, this.#from, this.#time));
    this.tools.append(this.#reply, this.#markRead, this.#delete, this.#menu);
    this.node.append(this.tools);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#answer();
    });
  }

  /** @param {Node} bar */
  addBar(bar) {
    this.actions.before(bar);
  }

  /** @param {Message} message */
  fill(message) {
    const { from, created, avatar } = message;
    const unread = !message.read && !isLocal(message);
    super.fill(message, unread ? "entry unread" : "entry");
    if (unread) this.word.prepend(`${t("unread")}, `);
    this.node.classList.toggle("person", !!from && !message.icon);
    setText(this.#face, from ? initials(from) : "");
    this.#show(avatar ?? "");
    setText(this.#from, from ?? "");
    this.#from.hidden = !from || from === heading(message);
    this.#markRead.hidden = isLocal(message);
    this.#reply.hidden = !from || isLocal(message);
    const name = shortHeading(message);
    label(this.#markRead, t(unread ? "mark_read" : "mark_unread"), name);
    label(this.#reply, t("reply"), name);
    label(this.#delete, t("delete"), name);
    label(this.#menu, t("actions"), name);
    this.#time.dateTime = created;
    this.#time.title = formatDate(new Date(message.at), { dateStyle: "full", timeStyle: "short" });
    this.tick();
  }

  /** @param {string} avatar */
  #show(avatar) {
    if ((this.#photo.getAttribute("src") ?? "") === avatar) return;
    this.#photo.hidden = true;
    this.#photo.setAttribute("src", avatar);
  }

  /** Not of entries far away: the browser has not laid them out. */
  measure() {
    if (this.node.checkVisibility({ contentVisibilityAuto: true })) super.measure();
  }

  tick() {
    setText(this.#time, formatAge(new Date(this.message.at)));
  }

  open() {
    this.markRead();
    if (!this.link.hidden) this.link.click();
  }

  markRead() {
    if (!this.message.read) actions.markRead(this.message.id);
  }

  markUnread() {
    if (this.message.read) actions.markUnread(this.message.id);
  }

  #toggleTools() {
    this.#menu.ariaExpanded = `${this.tools.classList.toggle("opened")}`;
  }

  toggleForm() {
    if (this.#reply.hidden) return;
    this.#form.hidden = !this.#form.hidden;
    this.#reply.ariaExpanded = `${!this.#form.hidden}`;
    if (this.#form.hidden) return this.#reply.focus();
    this.#field.focus();
    this.#form.scrollIntoView({ block: "nearest" });
  }

  async #answer() {
    this.#send.disabled = true;
    if (await actions.reply(this.message.id, this.#field.value)) {
      this.#form.reset();
      this.toggleForm();
      this.#onSent();
    }
    this.#send.disabled = false;
  }
}

/** @param {Message} message @param {string} words in lower case */
export const contains = (message, words) =>
  `${heading(message)} ${message.body} ${message.from ?? ""}`.toLowerCase().includes(words);

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/);
  const ends = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return ends.map((word) => [...word][0] ?? "").join("").toUpperCase();
}
