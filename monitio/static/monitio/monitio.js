/** Start here: defines the elements. `monitio` is for a page's own script. */

import { MonitioBell } from "./bell.js";
import { actions, popups, store, stream } from "./page.js";
import { MonitioProgress } from "./progress.js";
import { MonitioMessages } from "./toasts.js";

export const monitio = {
  add: ({ timeout, ...message }) =>
    store.addLocal(timeout == null ? message : { ...message, close_timeout: timeout / 1000 }),
  update: (id, changes) => store.change(id, changes),
  close: (id) => popups.close(id),
  closeAll: () => popups.closeAll(),
  markRead: (which) => actions.markRead(which),
  remove: (which) => actions.remove(which),
  reply: (id, text) => actions.reply(id, text),
  get unread() {
    return store.unread;
  },
  get messages() {
    return store.list().map((message) => ({ ...message }));
  },
  get connection() {
    return stream.state;
  },
};

function define(name, element) {
  // Not again when the module comes from a second, hashed address.
  if (!customElements.get(name)) customElements.define(name, element);
}

define("monitio-messages", MonitioMessages);
define("monitio-bell", MonitioBell);
define("monitio-progress", MonitioProgress);
