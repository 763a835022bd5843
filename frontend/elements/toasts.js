/** @import { Change, Message } from "../types.js" */

import { Announcer } from "../views/announcer.js";
import { showBadges } from "../views/badges.js";
import { batched, make, Rows } from "../lib/dom.js";
import { MonitioElement } from "./element.js";
import { files } from "../lib/files.js";
import { isRunning } from "../state/message.js";
import { actions, configure, connection, popups, store } from "../state/page.js";
import { takeServerItems } from "../views/server-items.js";
import { t } from "../lib/strings.js";
import { styles } from "../lib/styles.js";
import { Toast } from "../views/toast.js";

/** For how long, in ms, the first pop-up waits for monitio-cards.js. */
const PATIENCE = 2000;

/** `<monitio-messages>`: the pop-ups, and what is said of them. */
export class MonitioMessages extends MonitioElement {
  static observedAttributes = ["placement", "max", "duration", "auto-close", "announce-every"];

  #announcer = new Announcer();
  #loading = false;
  render = batched(() => this.#prepare());
  /** htmx and Turbo swap items in or morph them. */
  #observer = new MutationObserver(() => this.#takeServerItems());
  #list = make("ol", { part: "list" });
  // A finger that leaves the screen leaves the card, too: it opens the stack by a tap.
  #stack = make("section", {
    part: "stack", popover: "manual", role: "region", tabindex: -1,
    pointerenter: (/** @type {PointerEvent} */ { pointerType }) =>
      pointerType === "touch" || popups.hold("pointer", true),
    pointerleave: () => popups.hold("pointer", false),
    focusin: () => popups.hold("focus", true),
    focusout: () => popups.hold("focus", false),
  }, this.#list);
  #rows = new Rows(this.#list, ({ id }) => id === "tasks" && files.cards ? new files.cards.TaskGroup() : new Toast(
    (message) => this.close(message), (message, event) => this.#follow(message, event)),
    (node) => this.#cards ? this.#cards.remove(node) : node.remove());
  /**
   * What they do together, as soon as it is loaded.
   * @type {import("../cards/stack.js").Stack | undefined}
   */
  #cards;
  /** @type {Promise<unknown> | undefined} */
  #late;

  constructor() {
    super(styles.toasts);
    this.root.append(this.#announcer.status, this.#announcer.alert, this.#stack);
  }

  connect() {
    const { hotkey } = this;
    configure(this);
    this.#stack.ariaLabel = hotkey ? t("region", { hotkey }) : t("bell");
    this.listen(popups, "incoming", (event) => this.#incoming(event));
    this.listen(popups, "update", ({ detail }) => this.#news(detail));
    this.listen(popups, "change", this.render);
    this.listen(store, "unread", () => this.#unread());
    this.listen(store, "failed", () => this.#actionFailed());
    this.listen(store, "connection", () => this.#connection());
    this.listen(files, "load", this.render);
    this.#observer.observe(this, { childList: true, subtree: true, attributeFilter: ["data-message"] });
    this.#cards?.attach();
    this.attributeChangedCallback();
    this.#takeServerItems();
    this.#unread();
    this.#withSystem(({ watchSight }) => watchSight());
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#observer.disconnect();
    this.#cards?.detach();
  }

  attributeChangedCallback() {
    const placement = (this.getAttribute("placement") ?? "bottom-end").split("-");
    for (const side of ["bottom", "start", "center"])
      this.#stack.classList.toggle(side, placement.includes(side));
    popups.duration = +(this.getAttribute("duration") ?? 8000);
    popups.autoClose = this.getAttribute("auto-close") !== "off";
    this.#announcer.every = +(this.getAttribute("announce-every") ?? 30);
    this.render();
  }

  get hotkey() {
    return this.getAttribute("hotkey") ?? "F8";
  }

  /** @param {Message & { messages?: Message[] }} card */
  close(card) {
    for (const message of card.messages ?? [card])
      if (this.fire("close", { message: { ...message } })) popups.close(message.id);
  }

  /** The open inbox has a line of its own for it. */
  #actionFailed() {
    if (popups.holds.has("inbox")) return this.#announcer.t(t("failed"), true);
    for (const { id, notice } of store.list()) if (notice) store.forget([id]);
    store.addLocal({ level: "error", title: t("failed"), notice: true });
  }

  #takeServerItems() {
    this.#loading = true;
    takeServerItems(this);
    this.#loading = false;
  }

  /** @param {CustomEvent<Change>} event */
  #incoming(event) {
    const { message, previous } = event.detail;
    if (!this.fire("message", { message: { ...message }, isNew: !previous }))
      return event.preventDefault();
    this.#news(event.detail);
    if (connection.leads && !this.#loading) this.#withSystem(({ notify }) => notify(message));
  }

  /** @param {Change} change */
  #news({ message, previous }) {
    // A job that was running when the page was made is no news.
    if (!this.#loading || !isRunning(message)) this.#announcer.message(message, previous);
    const state = message.job?.state;
    if (state !== previous?.job?.state) this.fire("task", { message: { ...message }, state });
  }

  /**
   * @param {Message} message
   * @param {Event} event
   */
  #follow(message, event) {
    if (!this.fire("action", { message: { ...message } })) event.preventDefault();
    else if (!isRunning(message)) actions.markRead(message.id);
  }

  /**
   * On sites that offer notifications of the system.
   * @param {(file: import("../lib/files.js").Files["cards"]) => void} act
   */
  #withSystem(act) {
    if (this.hasAttribute("system-notifications")) this.loadCards().then(act, () => {});
  }

  /** Until monitio-cards.js is there pop-ups are a plain list: if it takes long, or cannot be loaded. */
  async #prepare() {
    if ((!popups.size && !files.cards) || this.#cards) return this.#render();
    this.#late ??= new Promise((resolve) => setTimeout(resolve, PATIENCE));
    await Promise.race([this.loadCards().catch(() => {}), this.#late]);
    this.#render();
  }

  #render() {
    const { cards } = files;
    if (!this.isConnected) return;
    if (cards && !this.#cards) {
      this.#cards = new cards.Stack(this, this.#stack, this.#list);
      // To be filled again.
      for (const view of this.#rows.views) view.message = null;
    }
    const most = +(this.getAttribute("max") ?? (matchMedia("(max-width: 30rem)").matches ? 3 : 5));
    const shown = popups.show(popups.holds.has("inbox") ? 0 : most, cards?.shareCards);
    const arranged = this.#cards?.arrange(shown);
    const instead = this.#rows.update(shown.map((card) => cards?.asCard(card) ?? card[0]));
    this.#toggle(shown.length > 0 || !!this.#cards?.isBusy);
    arranged?.(instead);
  }

  /** @param {boolean} open */
  #toggle(open) {
    if (open === this.#stack.matches(":popover-open")) return;
    this.#stack.togglePopover(open);
    if (!open) popups.hold("pointer", false);
  }

  #connection() {
    const { state } = connection;
    this.state("offline", state === "offline");
    this.fire("connection", { state });
  }

  #unread() {
    this.fire("unread", { count: store.unread });
    showBadges(this, store.unread);
  }
}
