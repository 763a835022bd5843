import { button, make, setText } from "../lib/dom.js";
import { formatNumber, t } from "../lib/strings.js";
import { actions } from "../state/page.js";

export function openInbox() {
  const bell = document.querySelector("monitio-bell");
  if (bell) bell.open();
  else location.assign(actions.url);
}

/** The line below the cards: how many more there are, and what can be done with all of them. */
export class StackFooter {
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
    this.node = make("div", { class: "footer" }, this.#count, this.#more, this.#closeAll);
  }

  /** @param {{ resting: boolean, expanded: boolean, n: number, errors: number }} state */
  fill({ resting, expanded, n, errors }) {
    const key = errors ? (errors > 1 ? "more_errors" : "more_error") : "more";
    const texts = { n: formatNumber(n), errors: formatNumber(errors) };
    setText(this.#count, n ? t(key, texts) : expanded ? t("stays") : "");
    setText(this.#more, t(resting ? "show_all" : "open_inbox"));
    // Not from under the focus.
    this.#more.hidden = !n && !this.#more.matches(":focus");
    this.#closeAll.hidden = resting;
  }
}
