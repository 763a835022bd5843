/** Start here: defines the elements. `monitio` is for a page's own script. */

/** @import { Addition, PartialMessage, Which } from "./types.js" */

// First, so that the style sheets stand apart from the code: both pack better.
import "./lib/styles.js";
import { core } from "./core.js";
import { actions, begin, connection, popups, store } from "./state/page.js";
import { MonitioBell } from "./elements/bell.js";
import { MonitioMessages } from "./elements/toasts.js";
import { MonitioProgress } from "./elements/progress.js";

/** @type {any} */
const page = globalThis;

/** Whoever loads this module a second time, from a hashed address, gets what the first one made. */
export const monitio = (page.monitioPage ??= {
  /** @param {Addition} addition */
  add: ({ timeout, ...message }) =>
    store.addLocal(timeout == null ? message : { ...message, close_timeout: timeout / 1000 }),
  /** @param {number} id @param {PartialMessage} changes */
  update: (id, changes) => store.change(id, changes),
  /** @param {number} id */
  close: (id) => popups.close(id),
  closeAll: () => popups.closeAll(),
  /** @param {Which} which */
  markRead: (which) => actions.markRead(which),
  /** @param {Which} which */
  remove: (which) => actions.remove(which),
  /** @param {number} id */
  cancel: async (id) => !!(await actions.cancel(id)),
  /** @param {number} id @param {string} text */
  reply: async (id, text) => !!(await actions.reply(id, text)),
  /**
   * Another class than EventSource, and what it and every request takes beside the address; `url`:
   * where a site is that has not rendered this page.
   */
  async configure({ EventSourceClass = undefined, url = "", ...options } = {}) {
    actions.options = options;
    connection.configure(EventSourceClass, options);
    if (url) await begin(url);
  },
  get unread() {
    return store.unread;
  },
  get messages() {
    return store.list().flatMap((message) => (message.notice ? [] : { ...message }));
  },
  get connection() {
    return connection.state;
  },
});

page.monitioCore ??= core;

if (!customElements.get("monitio-bell")) {
  customElements.define("monitio-messages", MonitioMessages);
  customElements.define("monitio-bell", MonitioBell);
  customElements.define("monitio-progress", MonitioProgress);
}
