/** @import { Message } from "../types.js" */

import { button, formatNumber, isLocal, isRunning, make, setText, t } from "../lib/page-core.js";

/** @type {Record<string, (message: Message) => boolean>} */
const TABS = {
  all: () => true,
  unread: (message) => !message.read && !isLocal(message),
  running: isRunning,
};
/** @type {Record<string, string>} */
const EMPTY = { all: "empty", unread: "empty_unread", running: "empty_running" };

/** All, Unread, Running. */
export class Tabs {
  #current = "all";
  #unread = make("b");
  #running = make("b");
  node;

  /** @param {() => void} onChange */
  constructor(onChange) {
    const tab = (/** @type {string} */ key, /** @type {HTMLElement[]} */ ...count) => {
      const node = button("tab", () => {
        this.#current = key;
        for (const other of this.node.children) other.ariaPressed = `${other === node}`;
        onChange();
      }, t(key), ...count);
      node.ariaPressed = `${key === this.#current}`;
      return node;
    };
    this.node = make("div", { role: "group", class: "tabs", "aria-label": t("bell") },
      tab("all"), tab("unread", this.#unread), tab("running", this.#running));
  }

  /** @param {Message} message */
  has(message) {
    return TABS[this.#current](message);
  }

  /** The key of the text for a tab without entries. */
  get empty() {
    return EMPTY[this.#current];
  }

  /** @param {string} unread @param {number} running */
  count(unread, running) {
    setText(this.#unread, unread);
    setText(this.#running, running ? formatNumber(running) : "");
  }
}
