/** What the user does to messages: shown at once, sent by POST with CSRF, rolled back on failure. */

import { isLocal } from "./message.js";


const SEEN_DELAY = 300;

export class Actions {
  /** Address of the message list; the others are relative to it. Empty: nothing is ever sent. */
  url = "";
  csrf = "";
  /** The page's token, so that another user's session cannot answer for this page. */
  page = "";
  #store;
  #onForeign;
  #pending = 0;
  #seen = new Set();
  #seenTimer = 0;

  constructor(store, onForeign) {
    this.#store = store;
    this.#onForeign = onForeign;
    addEventListener("pagehide", () => this.#reportSeen());
  }

  markRead(which) {
    const ids = this.#ids(which).filter((id) => !this.#store.messages.get(id)?.read);
    return this.#act("mark_read/", which, ids, { read: true });
  }

  remove(which) {
    return this.#act(which === "all" ? "delete/" : "delete/message/", which, this.#ids(which), "gone");
  }

  /** Its pop-up was shown or closed: it shall not pop up on the next page. */
  seen(message) {
    if (message.seen || isLocal(message)) return;
    message.seen = true;
    this.#seen.add(message.id);
    this.#seenTimer ||= setTimeout(() => this.#reportSeen(), SEEN_DELAY);
  }

  async reply(id, text) {
    try {
      await this.#post(`reply/${id}/`, { message: text });
      return true;
    } catch {
      this.#store.tell("failed");
      return false;
    }
  }

  /** A snapshot without a stream. */
  async refresh() {
    const snapshot = await this.#get("json/");
    if (snapshot) this.#store.replace(snapshot);
  }

  /** The next page of older messages. */
  async loadOlder() {
    const before = this.#store.older;
    if (!before) return;
    const page = await this.#get(`json/?before=${before}`);
    if (page) this.#store.addOlder(page.messages, before, page.more);
  }

  /** After a snapshot: fetch again what was loaded below it. */
  async reloadOlder(lowest) {
    for (let last = 0; this.#store.older > lowest && this.#store.older !== last; ) {
      last = this.#store.older;
      await this.loadOlder();
    }
  }

  #ids(which) {
    return which === "all" ? [...this.#store.messages.keys()] : [which];
  }

  async #act(path, which, ids, changes) {
    const settle = this.#store.assume(ids, changes);
    if (which === "all") this.#store.setUnread(0);
    else if (!ids.length || which < 0) return settle(true);
    this.#pending++;
    try {
      const { unread } = await this.#post(`${path}${which}/`);
      settle(true);
      if (this.#pending === 1) this.#store.setUnread(unread ?? this.#store.unread);
    } catch {
      settle(false);
      this.#store.tell("failed");
    } finally {
      this.#pending--;
    }
  }

  #reportSeen() {
    clearTimeout(this.#seenTimer);
    this.#seenTimer = 0;
    if (!this.#seen.size) return;
    const ids = [...this.#seen].map((id) => ["ids", String(id)]);
    this.#seen.clear();
    this.#post("seen/", ids).catch(() => {});
  }

  /** Returns the answer; rejects unless it is an ok */
  async #post(path, fields = {}) {
    if (!this.url) return {};
    if (!this.csrf) await this.#get("json/");
    let response = await this.#send(path, fields);
    if (response.status === 403) {
      // The token may have changed since the page was made: ask for the new one, once.
      await this.#get("json/");
      response = await this.#send(path, fields);
    }
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
    return response.json();
  }

  #send(path, fields) {
    return fetch(this.url + path, {
      method: "POST",
      // A click on a link leaves the page at once; the request goes out all the same.
      keepalive: true,
      headers: { Accept: "application/json", "X-CSRFToken": this.csrf },
      body: new URLSearchParams(fields),
    });
  }

  async #get(path) {
    const url = new URL(this.url + path, document.baseURI);
    url.searchParams.set("page", this.page);
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (response.status === 204) return this.#onForeign(), null;
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
    const data = await response.json();
    if (data.csrf) this.csrf = data.csrf;
    return data;
  }
}
