/** @import { Events, Message, PartialMessage, Snapshot, Which } from "../types.js" */
/** @import { Store } from "./store.js" */

import { isLocal } from "./message.js";
import { Requests } from "./requests.js";

const SEEN_DELAY = 300;

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
   * @param {Store} store
   * @param {{ onForeign: () => void, onSnapshot: (snapshot: Snapshot) => void }} owner
   */
  constructor(store, owner) {
    super(owner);
    this.#store = store;
    this.#owner = owner;
    // A server that only renders has no such thing.
    globalThis.addEventListener?.("pagehide", () => this.#reportSeen());
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
    return this.beginRead(which)();
  }

  /** @param {number} id */
  markUnread(id) {
    return this.#begin(id, `mark_unread/${id}/`, { read: false })();
  }

  /** @param {Which} which */
  remove(which) {
    return this.beginRemove(which)();
  }

  /** @param {Which} which */
  beginRead(which) {
    return this.#begin(which, `mark_read/${which}/`, { read: true });
  }

  /** @param {Which} which */
  beginRemove(which) {
    return this.#begin(which, which === "all" ? "delete/all/" : `delete/message/${which}/`, "gone");
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

  /**
   * Shown at once; call what it returns to send it, or with false to take it back.
   * @param {Which} which
   * @param {string} path
   * @param {PartialMessage | "gone"} changes
   */
  #begin(which, path, changes) {
    // Not what comes in before it is sent.
    const fields = which === "all" ? { until: `${Math.max(0, ...this.#store.messages.keys())}` } : undefined;
    const settle = this.#store.applyOptimistically(which, changes);
    return async (send = true) =>
      settle(send && (Number(which) < 0 || !!(await this.#try(path, fields))));
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
