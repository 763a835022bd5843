/** @import { Change, Message } from "../types.js" */
/** @import { Store } from "./store.js" */

import { dispatch, later } from "../lib/dom.js";
import { heading, isExpired, isRunning } from "./message.js";
import { rank, wantsToPopUp } from "./popup-rules.js";
import { isAway, onPresence } from "./presence.js";
import { closedElsewhere, isOn, KEEP_OPEN, setClosed, tellTabs, turn } from "./preferences.js";

const MS_PER_WORD = 500;
/** How many of its own lives one waits for room on the screen. */
const QUEUE_FACTOR = 3;

/**
 * `left`: ms on the screen, or to wait for it; `shown`: was on the screen.
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
  #messages;
  duration = 8000;
  autoClose = true;

  /**
   * @param {Store} store
   * @param {(message: Message) => void} onSeen
   */
  constructor(store, onSeen) {
    super();
    this.#onSeen = onSeen;
    this.#messages = store.messages;
    /** @param {string} type @param {(change: Change) => void} act */
    const on = (type, act) =>
      store.addEventListener(type, (event) => act(/** @type {CustomEvent} */ (event).detail));
    on("put", ({ message, previous }) => this.#put(message, previous));
    on("drop", ({ message, force }) => this.#drop(message, force));
    onPresence(() => this.#changed());
    addEventListener("storage", (event) => this.#remove(closedElsewhere(event)));
  }

  get size() {
    return this.#open.size;
  }

  get messages() {
    return [...this.#open.values()].map(({ message }) => message);
  }

  /**
   * The cards on the screen from now on: errors, running tasks, warnings, the rest, the newest first
   * within each. What closes by itself has its time before others of its kind come, so that a flood
   * does not flicker past.
   * @param {number} most
   * @param {(popups: Popup[]) => Popup[][]} share which share a card
   */
  show(most, share = (popups) => popups.map((popup) => [popup])) {
    this.#charge();
    const all = [...this.#open.values()].reverse()
      .sort((a, b) => rank(a.message) - rank(b.message));
    const cards = share(all);
    const closes = (/** @type {Popup[]} */ [{ left }]) => left < Infinity;
    const stays = cards.filter((card) => closes(card) && this.#visible.includes(card[0]));
    let room = most - stays.length;
    const visible = cards
      .filter((card) => !closes(card) || stays.includes(card) || room-- > 0)
      .slice(0, most);
    this.#visible = visible.flat();
    for (const popup of isAway() ? [] : this.#visible) {
      const { message, shown } = popup;
      if (shown) continue;
      popup.shown = true;
      popup.left = this.#lifetime(message);
      // Not of a running job: the report could overtake its end.
      if (!isRunning(message)) this.#onSeen(message);
    }
    this.#wait();
    return visible.map((card) => card.map(({ message }) => message));
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
    if (isRunning(popup.message)) setClosed(id, true);
    else this.#onSeen(popup.message);
    tellTabs(id);
    this.#remove(id);
  }

  /** What it returns opens them again. */
  closeAll() {
    const closed = [...this.#open];
    for (const [id] of closed) this.close(id);
    return () => {
      for (const [id, popup] of closed) {
        const message = this.#messages.get(id);
        if (isRunning(popup.message)) setClosed(id, false);
        if (message && !message.read) this.#open.set(id, { ...popup, message });
      }
      this.#changed();
    };
  }

  /** @param {boolean} on */
  setKeepOpen(on) {
    turn(KEEP_OPEN, on);
    for (const popup of this.#open.values()) popup.left = this.#lifetime(popup.message);
    this.#changed();
  }

  /** @param {Message} message @param {Message} [previous] */
  #put(message, previous) {
    const popup = this.#open.get(message.id);
    if (popup) this.#update(popup, message, previous);
    else if (wantsToPopUp(message, previous) && this.#emit("incoming", message, previous)) {
      this.#open.set(message.id, { message, left: QUEUE_FACTOR * this.#lifetime(message), shown: false });
      this.#changed();
    }
  }

  /** @param {Popup} popup @param {Message} message @param {Message} [previous] */
  #update(popup, message, previous) {
    const running = isRunning(message);
    const ended = !running && isRunning(popup.message);
    popup.message = message;
    if (running || ended) popup.left = QUEUE_FACTOR * this.#lifetime(message);
    if (ended) popup.shown = false;
    // Seen elsewhere; a tab in sight shows it, too.
    const over = message.seen && !popup.shown && !running && isAway();
    if (over || message.read || isExpired(message) || !this.#emit(ended ? "incoming" : "update", message, previous))
      this.#remove(message.id);
    else this.#changed();
  }

  /** @param {Message} message */
  #drop(message, force = false) {
    // Non-persistent ones are removed once shown: let them be read.
    if (force || message.persistent || !this.#open.get(message.id)?.shown) this.#remove(message.id);
  }

  /** @param {string} type @param {Message} message @param {Message} [previous] */
  #emit(type, message, previous) {
    return dispatch(this, type, { message, previous });
  }

  /** @param {number} id */
  #remove(id) {
    if (this.#open.delete(id)) this.#changed();
  }

  /** @param {Message} message */
  #lifetime(message) {
    const { level, url, body, close_timeout: seconds } = message;
    if (isRunning(message) || isOn(KEEP_OPEN)) return Infinity;
    if (seconds != null) return seconds * 1000 || Infinity;
    if (!this.autoClose || level === "error" || level === "warning" || url) return Infinity;
    const words = `${heading(message)} ${body}`.split(/\s+/).length;
    return Math.max(this.duration, words * MS_PER_WORD);
  }

  #changed() {
    dispatch(this, "change");
  }

  /** Take the time that has passed; what has none left closes. */
  #charge() {
    const now = performance.now();
    for (const popup of this.#timer ? [...this.#open.values()] : []) {
      popup.left -= now - this.#since;
      if (popup.left > 0) continue;
      // What nobody has had on the screen is not reported as seen.
      if (popup.shown) this.close(popup.message.id);
      else this.#remove(popup.message.id);
    }
    this.#since = now;
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const next = Math.min(...[...this.#open.values()].map(({ left }) => left));
    if (next < Infinity && !isAway() && !this.holds.size)
      this.#timer = later(() => this.#changed(), next);
  }
}
