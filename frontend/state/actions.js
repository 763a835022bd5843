/** @import { Events, Message, Snapshot, Which } from "../types.js" */
/** @import { Store } from "./store.js" */

import { isLocal } from "./message.js";
import { Requests } from "./requests.js";

const SEEN_DELAY = 300;
const UNDO_TIME = 10_000;

/** What the user does: it shows at once, and is taken back when the server does not agree. */
export class Actions extends Requests {
  #store;
  #owner;
  /** @type {Set<number>} */
  #seen = new Set();
  /** Of the last snapshot, while nothing has come after it. @type {string | undefined} */
  #mark;
  #seenTimer = 0;
  /**
   * Done on the page, and not yet sent to the server.
   * @type {{ settle: (ok: boolean) => void, send: () => void } | null}
   */
  #deferred = null;
  #undoTimer = 0;

  /**
   * @param {Store} store
   * @param {{ onForeign: () => void, onSnapshot: (snapshot: Snapshot) => void }} owner
   */
  constructor(store, owner) {
    super(owner);
    this.#store = store;
    this.#owner = owner;
    // A server that only renders has no such thing.
    globalThis.addEventListener?.("pagehide", () => {
      this.#reportSeen();
      this.commit();
    });
  }

  /**
   * What a stream says.
   * @param {keyof Events} type
   * @param {any} data
   */
  deliver(type, data) {
    if (type === "snapshot") return this.reconcile(data);
    // A page may show something else than its stream has brought, and other tabs too.
    if (data?.mark && data.mark === this.#mark) return;
    this.#mark = "";
    if (type === "message") this.#store.receive(data);
    else if (type === "gone") this.#store.forget(data.ids);
    else this.refresh();
  }

  /** @param {Which} which */
  markRead(which) {
    return this.#act(`mark_read/${which}/`, which, this.#store.applyOptimistically(which, { read: true }));
  }

  /** @param {number} id */
  markUnread(id) {
    return this.#act(`mark_unread/${id}/`, id, this.#store.applyOptimistically(id, { read: false }));
  }

  /** @param {Which} which */
  remove(which) {
    return this.#remove(which, this.#store.applyOptimistically(which, "gone"));
  }

  /**
   * Delete one in a way that `undo` can take back for a while.
   * @param {number} id
   */
  discard(id) {
    const settle = this.#store.applyOptimistically(id, "gone");
    this.#defer({ settle, send: () => this.#remove(id, settle) });
  }

  /** @param {{ settle: (ok: boolean) => void, send: () => void } | null} next */
  #defer(next) {
    this.#deferred?.send();
    this.#deferred = next;
    this.pauseUndo(!next);
    this.#store.emit("deferred", !!next);
  }

  /** Send now what waits to be taken back. */
  commit() {
    if (this.#deferred) this.#defer(null);
  }

  /** @param {boolean} paused as long as the pointer or the focus is there */
  pauseUndo(paused) {
    clearTimeout(this.#undoTimer);
    if (!paused && this.#deferred) this.#undoTimer = setTimeout(() => this.commit(), UNDO_TIME);
  }

  undo() {
    this.#deferred?.settle(false);
    this.#deferred = null;
    this.#defer(null);
    // What came for it meanwhile was taken for late.
    this.refresh();
  }

  /** @param {number} id */
  cancel(id) {
    return this.#try(`cancel/${id}/`);
  }

  /** @param {number} id */
  retry(id) {
    return this.#try(`retry/${id}/`);
  }

  /** @param {number} id @param {number} file */
  fileUrl(id, file) {
    return `${this.url}file/${id}/${file}/`;
  }

  /** @param {number} id @param {string} message */
  reply(id, message) {
    return this.#try(`reply/${id}/`, { message });
  }

  /**
   * Shown or closed: it shall not pop up on the next page.
   * @param {Message} message
   */
  seen(message) {
    if (message.seen || isLocal(message)) return;
    message.seen = true;
    this.#seen.add(message.id);
    this.#seenTimer ||= setTimeout(() => this.#reportSeen(), SEEN_DELAY);
  }

  async refresh() {
    const asked = performance.now();
    const snapshot = await this.get("json/").catch(() => this.#store.emit("unloaded"));
    if (snapshot) this.reconcile(snapshot, asked);
  }

  /**
   * A snapshot says nothing of what was loaded below its floor.
   * @param {Snapshot} snapshot
   * @param {number} [asked]
   */
  reconcile(snapshot, asked) {
    const { floor, older } = this.#store;
    this.#owner.onSnapshot(snapshot);
    this.#store.replace(snapshot, asked);
    this.#mark = snapshot.mark;
    if (older < floor) this.loadOlder(older).catch(() => {});
  }

  async loadOlder(lowest = Infinity) {
    let before;
    this.#mark = "";
    do {
      before = this.#store.older;
      const page = before && (await this.get(`json/?before=${before}`));
      if (!page) return;
      this.#store.addOlder(page.messages, before, page.more);
    } while (this.#store.older > lowest);
  }

  /** @param {Which} which @param {(ok: boolean) => void} settle */
  #remove(which, settle) {
    return this.#act(which === "all" ? "delete/all/" : `delete/message/${which}/`, which, settle);
  }

  /**
   * @param {string} path
   * @param {Which} which
   * @param {(ok: boolean) => void} settle
   */
  async #act(path, which, settle) {
    if (Number(which) < 0) return settle(true);
    settle(!!(await this.#try(path)));
  }

  #reportSeen() {
    clearTimeout(this.#seenTimer);
    this.#seenTimer = 0;
    if (!this.#seen.size) return;
    const ids = [...this.#seen].map((id) => ["ids", `${id}`]);
    this.#seen.clear();
    this.post("seen/", ids).catch(() => {});
  }

  /**
   * The answer, or null after saying that it did not work.
   * @param {string} path
   * @param {Record<string, string>} [fields]
   */
  async #try(path, fields) {
    try {
      const answer = await this.post(path, fields);
      this.#store.emit("succeeded");
      return answer;
    } catch {
      this.#store.emit("failed");
      return null;
    }
  }
}
