import { isLocal } from "./message.js";

const SEEN_DELAY = 300;

export class Actions {
  url = "";
  csrf = "";
  /** For whom the page was made. */
  page = "";
  #store;
  #onForeign;
  #inFlight = 0;
  #seen = new Set();
  #seenTimer = 0;

  constructor(store, onForeign) {
    this.#store = store;
    this.#onForeign = onForeign;
    addEventListener("pagehide", () => this.#reportSeen());
  }

  markRead(which) {
    return this.#act(`mark_read/${which}/`, which, { read: true });
  }

  remove(which) {
    return this.#act(which === "all" ? "delete/all/" : `delete/message/${which}/`, which, "gone");
  }

  /** Shown or closed: it shall not pop up on the next page. */
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

  async refresh() {
    const snapshot = await this.#get("json/");
    if (snapshot) this.#store.replace(snapshot);
  }

  async loadOlder(lowest = Infinity) {
    let before;
    do {
      before = this.#store.older;
      const page = before && (await this.#get(`json/?before=${before}`));
      if (!page) return;
      this.#store.addOlder(page.messages, before, page.more);
    } while (this.#store.older > lowest);
  }

  async #act(path, which, changes) {
    const ids = which === "all" ? [...this.#store.messages.keys()] : [which];
    const settle = this.#store.assume(ids, changes);
    if (which === "all") this.#store.setUnread(0);
    if (which < 0) return settle(true);
    this.#inFlight++;
    try {
      const { unread } = await this.#post(path);
      settle(true);
      if (this.#inFlight === 1 && unread != null) this.#store.setUnread(unread);
    } catch {
      this.#store.tell("failed");
      settle(false);
    } finally {
      this.#inFlight--;
    }
  }

  #reportSeen() {
    clearTimeout(this.#seenTimer);
    this.#seenTimer = 0;
    if (!this.#seen.size) return;
    const ids = [...this.#seen].map((id) => ["ids", id]);
    this.#seen.clear();
    this.#post("seen/", ids).catch(() => {});
  }

  async #post(path, fields) {
    if (!this.url) return {};
    let response = this.csrf && (await this.#send(path, fields));
    if (!response || response.status === 403) {
      // The token is old, or left out for the cache.
      await this.#get("json/");
      response = await this.#send(path, fields);
    }
    return answer(response);
  }

  #send(path, fields) {
    return fetch(this.url + path, {
      method: "POST",
      // A click on a link leaves the page at once.
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
    const data = await answer(response);
    this.csrf = data.csrf ?? this.csrf;
    return data;
  }
}

function answer(response) {
  if (!response.ok) throw new Error(`${response.url}: HTTP ${response.status}`);
  return response.json();
}
