import { button, make, setText } from "../lib/dom.js";
import { MonitioElement } from "./element.js";
import { load, retry } from "../lib/files.js";
import { icon } from "../lib/icons.js";
import { MOST } from "../views/badges.js";
import { connection, popups, store } from "../state/page.js";
import { formatNumber, t } from "../lib/strings.js";
import { styles } from "../lib/styles.js";

/** `<monitio-bell>`: the number of unread messages; its panel is in a script of its own. */
export class MonitioBell extends MonitioElement {
  #badge = make("span", { part: "badge", "aria-hidden": "true" });
  #button = button("bell", () => this.#toggle(),
    make("slot", { name: "icon" }, icon("bell")), this.#badge);
  /**
   * Undefined until it is asked for, null while it is being loaded.
   * @type {import("../inbox/inbox.js").Inbox | null | undefined}
   */
  #inbox;

  constructor() {
    super(styles.bell);
    this.#button.ariaHasPopup = "dialog";
    for (const type of ["pointerenter", "focus"])
      this.#button.addEventListener(type, () => this.#load().catch(() => {}));
    this.root.append(this.#button);
  }

  open() {
    this.#toggle(true);
  }

  close() {
    if (this.#inbox !== undefined) this.#toggle(false);
  }

  connect() {
    const unread = +(this.getAttribute("unread") ?? 0);
    if (unread && connection.state !== "open") store.setUnread(unread);
    this.listen(store, "unread", () => this.#count());
    this.#button.ariaExpanded = "false";
    this.#count();
    this.#inbox?.listen();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    popups.hold("inbox", false);
  }

  /** The number as it is shown. */
  get count() {
    const { unread } = store;
    return unread > MOST ? `${formatNumber(MOST)}+` : formatNumber(unread);
  }

  /** Without monitio-cards.js tasks have no bar. */
  async #load() {
    this.#inbox ??= null;
    const cards = this.loadCards().catch(() => {});
    const { css, Inbox } = await load("inbox");
    await cards;
    if (!this.#inbox) {
      this.addStyle(css);
      this.#inbox = new Inbox(this, this.#button);
      this.root.append(this.#inbox.node);
    }
    return this.#inbox;
  }

  /** @param {boolean} [open] */
  async #toggle(open) {
    retry();
    try {
      (await this.#load()).toggle(open);
    } catch {
      store.emit("failed");
    }
  }

  #count() {
    const { unread } = store;
    this.#badge.hidden = !unread;
    setText(this.#badge, this.count);
    // The name contains what is to be seen (WCAG 2.5.3).
    this.#button.ariaLabel = t("bell") + (unread ? `, ${t("unread_count", { n: this.count })}` : "");
    this.state("unread", unread > 0);
  }
}
