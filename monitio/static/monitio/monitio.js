/**
 * The browser part of monitio. Loading this module defines `<monitio-messages>`, `<monitio-bell>`
 * and `<monitio-progress>`; `import { monitio }` gives a page's own script the same reach.
 */

import { MonitioBell } from "./bell.js";
import { actions, popups, store, stream } from "./page.js";
import { MonitioProgress } from "./progress.js";
import { MonitioMessages } from "./toasts.js";

/** @typedef {import("./types").Message} Message */

export const monitio = {
  /**
   * Pop up a message that only this page knows. Plain text; `timeout` in ms, 0 = until closed.
   * @param {Partial<Message> & { timeout?: number }} message
   * @returns {number} its id
   */
  add: ({ timeout, ...message }) =>
    store.addLocal(timeout == null ? message : { ...message, close_timeout: timeout / 1000 }),
  /** @param {number} id @param {Partial<Message>} changes */
  update: (id, changes) => store.change(id, changes),
  /** @param {number} id */
  close: (id) => popups.close(id),
  closeAll: () => popups.list().forEach(({ id }) => popups.close(id)),
  /** @param {number | "all"} which */
  markRead: (which) => actions.markRead(which),
  /** @param {number | "all"} which */
  remove: (which) => actions.remove(which),
  /** @param {number} id @param {string} text @returns {Promise<boolean>} whether it was sent */
  reply: (id, text) => actions.reply(id, text),
  get unread() {
    return store.unread;
  },
  /** Newest first. */
  get messages() {
    return store.list().map((message) => ({ ...message }));
  },
  /** "idle", "connecting", "open", "offline" or "stopped". */
  get connection() {
    return stream.state;
  },
};

// A page may load the module twice, at a hashed and at a plain address: the first one wins.
for (const [name, element] of /** @type {const} */ ([
  ["monitio-messages", MonitioMessages],
  ["monitio-bell", MonitioBell],
  ["monitio-progress", MonitioProgress],
]))
  if (!customElements.get(name)) customElements.define(name, element);
