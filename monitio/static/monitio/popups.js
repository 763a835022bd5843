/**
 * Which messages are popped up now, for how long still, and why (not). Knows no DOM.
 *
 * Dispatches: `change` (the set or a message in it); {message, previous} `incoming`, cancelable,
 * when a message wants to pop up (a job: also when it ends), and `update` for any other news.
 */

import { heading, isExpired, isLocal, isRunning } from "./message.js";
import { closedJobs, keepOpen } from "./preferences.js";


const MS_PER_WORD = 500;

export class Popups extends EventTarget {
  /** Newest first is the reverse of this order. */
  #open = new Map();
  /** Ids on the screen: only their time runs. */
  #visible = [];
  /** Why no time runs at all: "pointer", "focus", "inbox". */
  #held = new Set();
  #timer = 0;
  #since = 0;
  /** The page's wishes, set by `<monitio-messages>`. */
  duration = 8000;
  autoClose = true;
  /** Nothing is on the screen while the inbox shows it all. */
  inboxOpen = false;
  #onSeen;

  constructor(store, onSeen) {
    super();
    this.#onSeen = onSeen;
    store.addEventListener("put", (event) => this.#put(event.detail));
    store.addEventListener("drop", (event) => this.#drop(event.detail));
    document.addEventListener("visibilitychange", () => this.#changed());
  }

  /** Newest first. */
  list() {
    return [...this.#open.values()].map((popup) => popup.message).reverse();
  }

  /** These are on the screen now. */
  show(messages) {
    this.#charge();
    this.#visible = messages.map((message) => message.id);
    if (document.hidden) return;
    for (const message of messages) {
      const popup = this.#open.get(message.id);
      if (popup.shown) continue;
      popup.shown = true;
      if (!isRunning(message)) this.#onSeen(message);
    }
  }

  /** Stop the clock for a reason, or let that reason go. */
  hold(reason, on) {
    this.#charge();
    if (on) this.#held.add(reason);
    else this.#held.delete(reason);
    this.#wait();
  }

  close(id) {
    const popup = this.#open.get(id);
    if (!popup) return;
    if (isRunning(popup.message)) closedJobs.add(id);
    else this.#onSeen(popup.message);
    this.#remove(id);
  }

  setInboxOpen(open) {
    this.inboxOpen = open;
    this.hold("inbox", open);
    this.#changed();
  }

  /** Nothing closes by itself any more (or does again, from the next message on). */
  setKeepOpen(on) {
    keepOpen.set(on);
    if (on) for (const popup of this.#open.values()) popup.left = Infinity;
    this.#changed();
  }

  #put({ message, previous }) {
    const popup = this.#open.get(message.id);
    if (popup) this.#update(popup, message, previous);
    else if (this.#wantsToPopUp(message, previous)) this.#add(message, previous);
  }

  #wantsToPopUp(message, previous) {
    if (isExpired(message)) return false;
    if (isRunning(message)) return !(message.read || closedJobs.has(message.id));
    if (message.read || message.seen) return false;
    // Known and not popped up: closed here. Only what the server made unseen anew comes again.
    return !previous || (previous.seen && message.version > previous.version) || isRunning(previous);
  }

  #add(message, previous) {
    closedJobs.remove(message.id);
    if (!this.#tell("incoming", message, previous)) return;
    this.#open.set(message.id, { message, left: this.#lifetime(message), shown: false });
    this.#changed();
  }

  #update(popup, message, previous) {
    const ended = isRunning(popup.message) && !isRunning(message);
    popup.message = message;
    if (ended) Object.assign(popup, { left: this.#lifetime(message), shown: false });
    else if (isRunning(message)) popup.left = Infinity;
    // Shown or closed in another tab while nobody looked at this one; or read anywhere.
    const done = message.read || (message.seen && !popup.shown && !isRunning(message));
    if (done || isExpired(message)) return this.#remove(message.id);
    if (!this.#tell(ended ? "incoming" : "update", message, previous))
      return this.#remove(message.id);
    this.#changed();
  }

  #drop({ message, force }) {
    const popup = this.#open.get(message.id);
    // The server removes a non-persistent message as soon as it was shown: let it be read.
    if (popup && !(popup.shown && !message.persistent && !force)) this.#remove(message.id);
  }

  /** Returns false: cancelled */
  #tell(type, message, previous) {
    const detail = { message, previous };
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
  }

  #remove(id) {
    if (this.#open.delete(id)) this.#changed();
  }

  /** How long a message stays, in ms. */
  #lifetime(message) {
    if (isRunning(message) || keepOpen.get()) return Infinity;
    if (message.close_timeout != null) return message.close_timeout * 1000 || Infinity;
    const important = message.level === "error" || message.level === "warning" || message.url;
    if (important || !this.autoClose) return Infinity;
    const words = `${heading(message)} ${message.body}`.split(/\s+/).length;
    return Math.max(this.duration, words * MS_PER_WORD);
  }

  #changed() {
    this.#charge();
    this.dispatchEvent(new CustomEvent("change"));
    this.#wait();
  }

  /** Take the time since the last look off what was on the screen. */
  #charge() {
    const now = performance.now();
    if (this.#timer) for (const popup of this.#running()) popup.left -= now - this.#since;
    this.#since = now;
  }

  #running() {
    return this.#visible.flatMap((id) => this.#open.get(id) ?? []);
  }

  /** Wake when the next pop-up is due. */
  #wait() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const next = Math.min(...this.#running().map((popup) => popup.left));
    if (next === Infinity || document.hidden || this.#held.size) return;
    this.#since = performance.now();
    this.#timer = setTimeout(() => this.#closeDue(), Math.max(0, next));
  }

  #closeDue() {
    this.#charge();
    this.#timer = 0;
    for (const { message, left } of this.#running()) if (left <= 0) this.close(message.id);
    this.#wait();
  }
}
