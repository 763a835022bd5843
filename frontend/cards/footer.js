/** @import { Message } from "../types.js" */

import { actions, button, formatNumber, make, popups, rank, setText, t } from "../lib/page-core.js";

export function openInbox() {
  const bell = document.querySelector("monitio-bell");
  if (bell) bell.open();
  else location.assign(actions.url);
}

/** The line below the cards: how many more there are, and what can be done with all of them. */
export class Footer {
  #count = make("span", { part: "count" });
  #more;
  #closeAll;
  node;

  /**
   * @param {() => void} onMore
   * @param {() => void} onCloseAll
   */
  constructor(onMore, onCloseAll) {
    this.#more = button("more", onMore);
    this.#closeAll = button("close-all", onCloseAll, t("close_all"));
    this.node = make("div", { class: "footer", hidden: true }, this.#count, this.#more, this.#closeAll);
  }

  /** @param {{ resting: boolean, expanded: boolean, onScreen: Message[] }} state */
  fill({ resting, expanded, onScreen }) {
    const open = popups.messages;
    const more = open.filter((message) => !onScreen.includes(message));
    const errors = more.filter((message) => rank(message) === 0).length;
    const key = errors ? (errors > 1 ? "more_errors" : "more_error") : "more";
    const texts = { n: formatNumber(more.length), errors: formatNumber(errors) };
    setText(this.#count, more.length ? t(key, texts) : expanded ? t("stays") : "");
    setText(this.#more, t(resting ? "show_all" : "open_inbox"));
    // Not from under the focus.
    this.#more.hidden = !more.length && !this.#more.matches(":focus");
    this.#closeAll.hidden = resting;
    this.node.hidden = open.length < 2;
  }
}
