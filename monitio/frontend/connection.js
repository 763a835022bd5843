/** The page's part in the one stream of this browser. */

/** @import { ConnectionState, Events } from "./types.js" */

import { Stream } from "./stream.js";
import { Alone, Tabs } from "./tabs.js";

/**
 * `refresh`: fetch a snapshot.
 * @typedef {{
 *   deliver: <Type extends keyof Events>(type: Type, data: Events[Type]) => void,
 *   onState: (state: ConnectionState) => void,
 *   refresh: () => void,
 * }} Hooks
 */

export class Connection {
  /** @type {ConnectionState} */
  state = "idle";
  /** Streams of a hub begin without a snapshot. */
  fetchesSnapshot = false;
  #url = "";
  #wanted = false;
  /** @type {Tabs | Alone | null} */
  #tabs = null;
  #stream;
  #hooks;

  /** @param {Hooks} hooks */
  constructor(hooks) {
    this.#hooks = hooks;
    this.#stream = new Stream({
      deliver: (event, data) => {
        hooks.deliver(event, data);
        this.#tabs?.tell({ state: this.state, event, data });
      },
      onState: (state) => (state === "stopped" ? this.stop() : this.#set(state)),
      onOpen: () => this.#opened(),
      // Its answer also says whether the page was made for somebody else.
      onRefused: () => hooks.refresh(),
    });
    // In the back/forward cache a connection stays open, and deaf.
    addEventListener("pagehide", () => this.#sleep());
    document.addEventListener("freeze", () => this.#sleep());
    addEventListener("pageshow", () => this.#wake());
    document.addEventListener("resume", () => this.#wake());
    addEventListener("online", () => this.#stream.hurry());
  }

  /** Whether this page tells the others. */
  get leads() {
    return !!this.#tabs?.leads;
  }

  /**
   * The address holds the page's token, so tabs of different users never meet.
   * @param {string} url
   */
  use(url) {
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
    this.#sleep();
    this.#wake();
  }

  open() {
    this.#wanted = true;
    this.#wake();
  }

  close() {
    this.#wanted = false;
    this.#sleep();
  }

  /** The page was made for somebody else. */
  stop() {
    this.#set("stopped");
    this.#sleep();
  }

  #sleep() {
    this.#stream.close();
    this.#tabs?.close();
    this.#tabs = null;
  }

  #wake() {
    if (!this.#wanted || !this.#url || this.#tabs || this.state === "stopped") return;
    if (this.state === "idle") this.#set("connecting");
    const Sharing = navigator.locks ? Tabs : Alone;
    this.#tabs = new Sharing(`monitio ${this.#url}`, {
      lead: () => this.#stream.open(this.#url),
      follow: () => this.#stream.close(),
      hear: (told) => this.#hear(told),
      answer: () => ({ state: this.state }),
      joined: () => this.#hooks.refresh(),
    });
  }

  #opened() {
    if (!this.fetchesSnapshot) return;
    this.#set("open");
    this.#hooks.refresh();
  }

  /** @param {{ state: ConnectionState, event?: keyof Events, data?: any }} told */
  #hear({ state, event, data }) {
    if (state === "stopped") return this.stop();
    this.#set(state);
    if (event) this.#hooks.deliver(event, data);
  }

  /** @param {ConnectionState} state */
  #set(state) {
    if (state === this.state) return;
    this.state = state;
    if (this.leads) this.#tabs?.tell({ state });
    this.#hooks.onState(state);
  }
}
