/** The page's part in the one stream of this browser. */

/** @import { ConnectionState, Events } from "../types.js" */

import { Stream } from "./stream.js";
import { Tabs } from "./tabs.js";
import { VisitorCookie } from "./visitor.js";

/**
 * `refresh`: fetch a snapshot.
 * @typedef {{
 *   deliver: (type: keyof Events, data: any) => void,
 *   onState: (state: ConnectionState) => void,
 *   refresh: () => void,
 * }} Page
 */

export class Connection {
  /** @type {ConnectionState} */
  state = "idle";
  /** Streams of a hub begin without a snapshot. */
  fetchesSnapshot = false;
  #url = "";
  #wanted = false;
  /** @type {Tabs | null} */
  #tabs = null;
  #stream = new Stream(this);
  #visitor = new VisitorCookie(() => this.#wake());
  #page;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    // In the back/forward cache a connection stays open, and deaf.
    addEventListener("pagehide", () => this.#sleep());
    document.addEventListener("freeze", () => this.#sleep());
    addEventListener("pageshow", () => this.#wake());
    document.addEventListener("resume", () => this.#wake());
    document.addEventListener("visibilitychange", () => {
      // A page that is left becomes hidden once more after it went to sleep.
      if (!navigator.locks || !document.hidden) this.#wake();
    });
    addEventListener("online", () => this.#stream.reconnectNow());
  }

  /** Whether this page tells the others. */
  get leads() {
    return !!this.#tabs?.leads;
  }

  /**
   * The address holds the page's token, so tabs of different users never meet.
   * @param {string} url
   * @param {string} cookie that a stranger's page waits for
   */
  use(url, cookie) {
    this.#visitor.name = cookie;
    if (url === this.#url) return;
    this.close();
    this.#url = url;
    this.#set("idle");
  }

  /**
   * @param {unknown} Source
   * @param {object} options
   */
  configure(Source, options) {
    this.#stream.Source = Source ?? this.#stream.Source;
    this.#stream.options = options;
    // Somebody may have signed in, or has another token.
    if (this.state === "stopped") this.#set("idle");
    this.#sleep();
    this.#wake();
  }

  /** @param {number} heartbeat */
  expect(heartbeat) {
    this.#stream.expect(heartbeat);
  }

  open() {
    this.#wanted = true;
    this.#wake();
  }

  close() {
    this.#wanted = false;
    this.#sleep();
  }

  /** The page was made for somebody else; or a visitor's session, and so the cookie, has ended. */
  stop() {
    this.#set(this.#visitor.isMissing ? "idle" : "stopped");
    this.#sleep();
    this.#wake();
  }

  #sleep() {
    this.#visitor.close();
    this.#stream.close();
    this.#tabs?.close();
    this.#tabs = null;
  }

  #wake() {
    // Without locks each tab has a stream of its own: only those in sight.
    if (document.hidden && !navigator.locks) return this.#sleep();
    if (!this.#wanted || !this.#url || this.#tabs || this.state === "stopped") return;
    const name = `monitio ${this.#url}`;
    if (this.#visitor.isMissing) return this.#visitor.watch(name);
    this.#visitor.close();
    if (this.state === "idle") this.#set("connecting");
    this.#tabs = new Tabs(name, this);
  }

  /** @param {ConnectionState} state */
  #set(state) {
    if (state === this.state) return;
    this.state = state;
    // From now on it is a visitor's page as any other.
    if (state === "open") this.#visitor.name = "";
    this.#tabs?.broadcast();
    this.#page.onState(state);
  }

  // What the stream says.

  /**
   * @param {keyof Events} event
   * @param {any} [data]
   */
  deliver(event, data) {
    this.#page.deliver(event, data);
    this.#tabs?.broadcast(event, data);
  }

  /** @param {ConnectionState} state */
  change(state) {
    if (state === "stopped") this.stop();
    else this.#set(state);
  }

  opened() {
    if (!this.fetchesSnapshot) return;
    this.#set("open");
    // Of every tab: none of them knows what the stream has missed.
    this.deliver("resync");
  }

  /** The answer also says whether the page was made for somebody else. */
  refresh() {
    this.#page.refresh();
  }

  // What the other tabs say.

  lead() {
    this.#stream.open(this.#url);
  }

  follow() {
    this.#stream.close();
  }

  /** @param {{ state: ConnectionState, event?: keyof Events, data?: any }} told */
  hear({ state, event, data }) {
    this.change(state);
    if (event) this.#page.deliver(event, data);
  }
}
