/** @import { Change, Message } from "./types.js" */
/** @import { Store } from "./store.js" */

import { dispatch } from "./dom.js";
import { heading, isExpired, isRunning } from "./message.js";
import { keepsOpen, setClosed, setKeepsOpen, tellTabs, wasClosed } from "./preferences.js";

const MS_PER_WORD = 500;

/**
 * `left`: ms on the screen; `shown`: was on the screen.
 * @typedef {{ message: Message, left: number, shown: boolean }} Popup
 */

/** What is popped up, and for how long. */
export class Popups extends EventTarget {
  /**
   * Oldest first.
   * @type {Map<number, Popup>}
   */
  #open = new Map();
  /** @type {Popup[]} */
  #visible = [];
  /**
   * Why time stands still.
   * @type {Set<string>}
   */
  holds = new Set();
  #timer = 0;
  #since = 0;
  #onSeen;
  duration = 8000;
  autoClose = true;

  /**
   * @param {Store} store
   * @param {(message: Message) => void} onSeen
   */
  constructor(store, onSeen) {
    super();
    this.#onSeen = onSeen;
    /** @param {string} type @param {(change: Change) => void} act */
    const on = (type, act) =>
      store.addEventListener(type, (event) => act(/** @type {CustomEvent} */ (event).detail));
    on("put", ({ message, previous }) => this.#put(message, previous));
    on("drop", ({ message, force }) => this.#drop(message, force));
    document.addEventListener("visibilitychange", () => this.#changed());
    addEventListener("storage", ({ key, newValue }) =>
      key === "monitio.closed" && this.#remove(parseInt(newValue ?? "")));
  }

  list() {
    return [...this.#open.values()].map(({ message }) => message).reverse();
  }

  /**
   * These are on the screen now.
   * @param {Message[]} messages
   */
  show(messages) {
    this.#charge();
    this.#visible = messages.flatMap(({ id }) => this.#open.get(id) ?? []);
    for (const popup of document.hidden ? [] : this.#visible) {
      // Not of a running job: the report could overtake its end.
      if (!popup.shown && !isRunning(popup.message)) this.#onSeen(popup.message);
      popup.shown = true;
    }
    this.#wait();
  }

  /**
   * @param {string} reason
   * @param {boolean} on
   */
  hold(reason, on) {
    this.#charge();
    this.holds[on ? "add" : "delete"](reason);
    this.#changed();
  }

  /** @param {number} id */
  close(id) {
    const popup = this.#open.get(id);
    if (!popup) return;
    if (isRunning(popup.message)) setClosed(id);
    else this.#onSeen(popup.message);
    tellTabs(id);
    this.#remove(id);
  }

  closeAll() {
    for (const id of [...this.#open.keys()]) this.close(id);
  }

  /** @param {boolean} on */
  setKeepOpen(on) {
    setKeepsOpen(on);
    for (const popup of this.#open.values()) popup.left = this.#lifetime(popup.message);
    this.#changed();
  }

  /** @param {Message} message @param {Message} [previous] */
  #put(message, previous) {
    const popup = this.#open.get(message.id);
    if (popup) this.#update(popup, message, previous);
    else if (wantsToPopUp(message, previous) && this.#tell("incoming", message, previous)) {
      this.#open.set(message.id, { message, left: this.#lifetime(message), shown: false });
      this.#changed();
    }
  }

  /** @param {Popup} popup @param {Message} message @param {Message} [previous] */
  #update(popup, message, previous) {
    const running = isRunning(message);
    const ended = !running && isRunning(popup.message);
    popup.message = message;
    if (running || ended) popup.left = this.#lifetime(message);
    if (ended) popup.shown = false;
    // Seen elsewhere; a tab in sight shows it, too.
    const over = message.seen && !popup.shown && !running && document.hidden;
    const done = over || message.read || isExpired(message);
    if (done || !this.#tell(ended ? "incoming" : "update", message, previous))
      this.#remove(message.id);
    else this.#changed();
  }

  /** @param {Message} message */
  #drop(message, force = false) {
    // Non-persistent ones are removed once shown: let them be read.
    if (force || message.persistent || !this.#open.get(message.id)?.shown) this.#remove(message.id);
  }

  /** @param {string} type @param {Message} message @param {Message} [previous] */
  #tell(type, message, previous) {
    return dispatch(this, type, { message, previous });
  }

  /** @param {number} id */
  #remove(id) {
    if (this.#open.delete(id)) this.#changed();
  }

  /** @param {Message} message */
  #lifetime(message) {
    const { level, url, body, close_timeout: seconds } = message;
    if (isRunning(message) || keepsOpen()) return Infinity;
    if (seconds != null) return seconds * 1000 || Infinity;
    if (!this.autoClose || level === "error" || level === "warning" || url) return Infinity;
    const words = `${heading(message)} ${body}`.split(/\s+/).length;
    return Math.max(this.duration, words * MS_PER_WORD);
  }

  #changed() {
    dispatch(this, "change");
  }

  /** Take the time that has passed from what was on the screen. */
  #charge() {
    const now = performance.now();
    if (this.#timer) for (const popup of this.#visible) popup.left -= now - this.#since;
    this.#since = now;
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const next = Math.min(...this.#visible.map(({ left }) => left));
    if (next < Infinity && !document.hidden && !this.holds.size)
      this.#timer = setTimeout(() => this.#closeDue(), Math.max(0, next));
  }

  #closeDue() {
    this.#charge();
    for (const { message, left } of this.#visible) if (left <= 0) this.close(message.id);
    this.#wait();
  }
}

/** @param {Message} message @param {Message} [previous] */
function wantsToPopUp(message, previous) {
  const { id, version, read, seen } = message;
  if (read || isExpired(message)) return false;
  if (isRunning(message)) return !wasClosed(id);
  if (seen) return false;
  // A known one was closed, unless the server made it unseen anew.
  return !previous || isRunning(previous) || (previous.seen && version > previous.version);
}
