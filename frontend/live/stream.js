/**
 * One live connection that comes back by itself. EventSource gives up for good on any answer but
 * 200, so every reconnect is ours. A server that answers with a snapshot and an end is polled.
 */

/** @import { Bye, ConnectionState, Events, RequestOptions } from "../types.js" */

import { later } from "../lib/dom.js";

const EVENTS = /** @type {const} */ (["snapshot", "message", "gone", "resync"]);
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 60_000;
/** A silence of so many heartbeats: two were missed, and the third is a little late. */
const MISSED = 2.5;

/**
 * Who is told what becomes of it; `refresh`: a snapshot is wanted, by another way.
 * @typedef {{
 *   deliver: (type: keyof Events, data: any) => void,
 *   change: (state: ConnectionState) => void,
 *   opened: () => void,
 *   refresh: () => void,
 * }} Owner
 */

export class Stream {
  /** @type {any} A class like EventSource. */
  Source = globalThis.EventSource;
  /**
   * What the class takes beside the address.
   * @type {RequestOptions}
   */
  options = {};
  /** @type {EventSource | null} */
  #source = null;
  #failures = 0;
  #timer = 0;
  #silence = 0;
  /** Seconds; a guess until the first snapshot. */
  #heartbeat = 30;
  #url = "";
  /** Names the last snapshot, while no event has come after it. */
  #has = "";
  #owner;

  /** @param {Owner} owner */
  constructor(owner) {
    this.#owner = owner;
  }

  /** @param {string} url */
  open(url) {
    this.#url = url;
    this.#has = "";
    this.#failures = 0;
    this.#connect();
  }

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#timer = 0;
    this.#source?.close();
    this.#source = null;
  }

  /**
   * How often a living stream sends something, in seconds; 0: nobody knows.
   * @param {number} heartbeat
   */
  expect(heartbeat) {
    this.#heartbeat = heartbeat;
    if (this.#source) this.#watch();
  }

  /** Not later, but now. */
  reconnectNow() {
    if (this.#timer) this.#connect();
  }

  #connect() {
    this.close();
    let opened = false;
    const source = (this.#source = new this.Source(`${this.#url}&has=${this.#has}`, this.options));
    this.#watch();
    /** @param {string} type @param {(data: any) => void} act */
    const on = (type, act) =>
      source.addEventListener(type, (/** @type {MessageEvent} */ { data }) => {
        if (source !== this.#source) return;
        this.#watch();
        act(data && JSON.parse(data));
      });
    for (const type of EVENTS)
      on(type, (data) => {
        this.#has = data.mark ?? "";
        this.#owner.change("open");
        this.#owner.deliver(type, data);
      });
    on("open", () => {
      opened = true;
      this.#failures = 0;
      this.#owner.opened();
    });
    on("beat", () => this.#owner.change("open"));
    on("bye", (bye) => this.#bye(bye));
    on("error", () => this.#lost(opened));
  }

  /** A line that dies without a word (a network that changed, a proxy that forgot) raises no error. */
  #watch() {
    clearTimeout(this.#silence);
    if (!this.#heartbeat) return;
    this.#silence = later(() => {
      this.#owner.change("offline");
      this.#connect();
    }, MISSED * 1000 * this.#heartbeat);
  }

  /** @param {Bye} bye */
  #bye({ reason, retry }) {
    this.close();
    // A function may have another token by now; if not, the next request is refused.
    if (reason === "signed-out" && typeof this.options.headers !== "function") this.#owner.change("stopped");
    else this.#retry(retry);
  }

  /** @param {boolean} opened */
  #lost(opened) {
    this.close();
    if (++this.#failures > 1) this.#owner.change("offline");
    this.#retry(Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#failures - 1)));
    if (!opened) this.#owner.refresh();
  }

  /**
   * With jitter, lest all pages come back at once.
   * @param {number} delay
   */
  #retry(delay) {
    this.#timer = later(() => this.#connect(), delay * (0.5 + Math.random()));
  }
}
