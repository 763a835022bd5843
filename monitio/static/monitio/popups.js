import { dispatch } from "./dom.js";
import { heading, isExpired, isRunning } from "./message.js";
import { keepsOpen, setClosed, setKeepsOpen, tellTabs, wasClosed } from "./preferences.js";

const MS_PER_WORD = 500;

export class Popups extends EventTarget {
  /** Oldest first: {message, left: ms on the screen, shown: was on the screen}. */
  #open = new Map();
  #visible = [];
  holds = new Set();
  #timer = 0;
  #since = 0;
  #onSeen;
  duration = 8000;
  autoClose = true;

  constructor(store, onSeen) {
    super();
    this.#onSeen = onSeen;
    store.addEventListener("put", ({ detail }) => this.#put(detail.message, detail.previous));
    store.addEventListener("drop", ({ detail }) => this.#drop(detail.message, detail.force));
    document.addEventListener("visibilitychange", () => this.#changed());
    addEventListener("storage", ({ key, newValue }) =>
      key === "monitio.closed" && this.#remove(parseInt(newValue)));
  }

  list() {
    return [...this.#open.values()].map(({ message }) => message).reverse();
  }

  show(messages) {
    this.#charge();
    this.#visible = messages.map(({ id }) => this.#open.get(id));
    for (const popup of document.hidden ? [] : this.#visible) {
      // Not of a running job: the report could overtake its end.
      if (!popup.shown && !isRunning(popup.message)) this.#onSeen(popup.message);
      popup.shown = true;
    }
    this.#wait();
  }

  hold(reason, on) {
    this.#charge();
    this.holds[on ? "add" : "delete"](reason);
    this.#changed();
  }

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

  setKeepOpen(on) {
    setKeepsOpen(on);
    for (const popup of this.#open.values()) popup.left = this.#lifetime(popup.message);
    this.#changed();
  }

  #put(message, previous) {
    const popup = this.#open.get(message.id);
    if (popup) this.#update(popup, message, previous);
    else if (wantsToPopUp(message, previous) && this.#tell("incoming", message, previous)) {
      this.#open.set(message.id, { message, left: this.#lifetime(message), shown: false });
      this.#changed();
    }
  }

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

  #drop(message, force) {
    // Non-persistent ones are removed once shown: let them be read.
    if (force || message.persistent || !this.#open.get(message.id)?.shown) this.#remove(message.id);
  }

  #tell(type, message, previous) {
    return dispatch(this, type, { message, previous });
  }

  #remove(id) {
    if (this.#open.delete(id)) this.#changed();
  }

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

function wantsToPopUp(message, previous) {
  const { id, version, read, seen } = message;
  if (read || isExpired(message)) return false;
  if (isRunning(message)) return !wasClosed(id);
  if (seen) return false;
  // A known one was closed, unless the server made it unseen anew.
  return !previous || isRunning(previous) || (previous.seen && version > previous.version);
}
