/** @import { ConnectionState, Events } from "../types.js" */

import { Stream } from "../live/stream.js";

/** `Connection` where there are no tabs that could share a stream: on a phone, in a script. */
export class SingleConnection {
  /** @type {ConnectionState} */
  state = "idle";
  fetchesSnapshot = false;
  #url = "";
  #isOpen = false;
  #stream = new Stream(this);
  #page;

  /** @param {import("../live/connection.js").Page} page */
  constructor(page) {
    this.#page = page;
  }

  /** @param {string} url */
  use(url) {
    this.#url = url;
  }

  /** @param {unknown} Source @param {object} options */
  configure(Source, options) {
    this.#stream.Source = Source ?? this.#stream.Source;
    this.#stream.options = options;
    if (this.state === "stopped") this.state = "idle";
  }

  /** @param {number} heartbeat */
  expect(heartbeat) {
    this.#stream.expect(heartbeat);
  }

  open() {
    if (this.#isOpen || !this.#url || this.state === "stopped") return;
    this.#isOpen = true;
    this.#stream.open(this.#url);
  }

  close() {
    this.#isOpen = false;
    this.#stream.close();
  }

  stop() {
    this.change("stopped");
  }

  // What the stream says.

  /** @param {keyof Events} event @param {any} [data] */
  deliver(event, data) {
    this.#page.deliver(event, data);
  }

  /** @param {ConnectionState} state */
  change(state) {
    if (state === this.state) return;
    this.state = state;
    if (state === "stopped") this.close();
    this.#page.onState(state);
  }

  opened() {
    if (!this.fetchesSnapshot) return;
    this.change("open");
    this.#page.refresh();
  }

  refresh() {
    this.#page.refresh();
  }
}
