/** @import { Change, Message } from "../types.js" */

import { Announcer } from "../views/announcer.js";
import { showBadges } from "../views/badges.js";
import { Dialogs } from "../views/dialogs.js";
import { batched, button, make, Rows, setText } from "../lib/dom.js";
import { MonitioElement } from "./element.js";
import { isRunning } from "../state/message.js";
import { notify, watchSight } from "../views/notifications.js";
import { actions, configure, connection, popups, store } from "../state/page.js";
import { formatNumber, t } from "../lib/strings.js";
import { styles } from "../lib/styles.js";

import { Toast } from "../views/toast.js";

/** `<monitio-messages>`: the pop-ups, and what is said of them. */
export class MonitioMessages extends MonitioElement {
  static observedAttributes = ["placement", "max", "duration", "auto-close", "announce-every"];

  #announcer = new Announcer();
  #loading = false;
  #taken = new WeakMap();
  /** @type {HTMLElement | null} */
  #cameFrom = null;
  #renderSoon = batched(() => this.#render());
  /** htmx and Turbo swap items in or morph them. */
  #observer = new MutationObserver(() => this.#takeServerItems());
  #dialogs = new Dialogs(this, () => this.#rise());
  #list = make("ol", { part: "list" });
  #more = button("more", () => this.#openInbox());
  #closeAll = button("close-all", () => this.closeAll(), t("close_all"));
  #footer = make("div", { class: "footer" }, this.#more, this.#closeAll);
  #stack = make("section",
    { part: "stack", popover: "manual", role: "region", tabindex: -1 },
    this.#list, this.#footer);
  #rows = new Rows(this.#list, () => new Toast(
    (message) => this.close(message), (message, event) => this.#follow(message, event)));

  constructor() {
    super(styles.toasts);
    /** @param {string} type @param {(event: any) => void} act */
    const on = (type, act) => this.#stack.addEventListener(type, act);
    on("pointerenter", () => popups.hold("pointer", true));
    on("pointerleave", () => popups.hold("pointer", false));
    on("focusin", (event) => this.#focusCame(event));
    on("focusout", () => popups.hold("focus", false));
    on("keydown", (event) => event.key === "Escape" && this.#escape(event));
    this.root.append(this.#announcer.status, this.#announcer.alert, this.#stack);
  }

  connect() {
    const { hotkey } = this;
    configure(this);
    this.#stack.ariaLabel = hotkey ? t("region", { hotkey }) : t("bell");
    this.listen(popups, "incoming", (event) => this.#incoming(event));
    this.listen(popups, "update", ({ detail }) => this.#news(detail));
    this.listen(popups, "change", this.#renderSoon);
    this.listen(store, "unread", () => this.#unread());
    this.listen(store, "failed", () => this.#announcer.t(t("failed"), true));
    this.listen(store, "connection", () => this.#connection());
    this.listen(document, "keydown", (event) => this.#hotkeyPressed(event));
    this.listen(document, "focusin", ({ target }) => this.#avoidFocus(target));
    this.#observer.observe(this, { childList: true, subtree: true, attributeFilter: ["data-message"] });
    this.#dialogs.watch();
    this.attributeChangedCallback();
    this.#takeServerItems();
    this.#unread();
    watchSight();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#observer.disconnect();
    this.#dialogs.rescue();
  }

  attributeChangedCallback() {
    const placement = (this.getAttribute("placement") ?? "bottom-end").split("-");
    for (const side of ["bottom", "start", "center"])
      this.#stack.classList.toggle(side, placement.includes(side));
    popups.duration = +(this.getAttribute("duration") ?? 8000);
    popups.autoClose = this.getAttribute("auto-close") !== "off";
    this.#announcer.every = +(this.getAttribute("announce-every") ?? 30);
    this.#renderSoon();
  }

  get #isOpen() {
    return this.#stack.matches(":popover-open");
  }

  get hotkey() {
    return this.getAttribute("hotkey") ?? "F8";
  }

  /** @param {Message} message */
  close(message) {
    if (this.fire("close", { message: { ...message } })) popups.close(message.id);
  }

  closeAll() {
    if (this.fire("closeall")) popups.closeAll();
  }

  #openInbox() {
    const bell = document.querySelector("monitio-bell");
    if (bell) bell.open();
    else location.assign(actions.url);
  }

  #takeServerItems() {
    this.#loading = true;
    // Newest first in the page, but the newest is to arrive last.
    for (const item of [...this.querySelectorAll("li[data-message]")].reverse()) {
      const message = item.getAttribute("data-message");
      if (message && this.#taken.get(item) !== message) store.seed(JSON.parse(message));
      this.#taken.set(item, message);
    }
    this.#loading = false;
  }

  /** @param {CustomEvent<Change>} event */
  #incoming(event) {
    const { message, previous } = event.detail;
    if (this.fire("message", { message: { ...message }, isNew: !previous }))
      this.#arrived(event.detail);
    else event.preventDefault();
  }

  /** @param {Change} change */
  #arrived(change) {
    this.#news(change);
    if (connection.leads && !this.#loading) notify(change.message);
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

  #render() {
    const most = +(this.getAttribute("max") ?? (matchMedia("(max-width: 30rem)").matches ? 3 : 5));
    const visible = popups.show(popups.holds.has("inbox") ? 0 : most);
    const instead = this.#rows.update(visible);
    const extra = popups.size - visible.length;
    this.#footer.hidden = popups.size < 2;
    this.#more.hidden = !extra;
    setText(this.#more, t("more", { n: formatNumber(extra) }));
    this.#toggle(visible.length > 0);
    if (instead) /** @type {HTMLElement} */ (instead.querySelector("li > button")).focus();
    else if (instead === null) this.#goBack();
  }

  /** @param {boolean} open */
  #toggle(open) {
    if (open === this.#isOpen || !this.isConnected) return;
    this.#stack.togglePopover(open);
    this.#placeBelowBell();
    if (!open) popups.hold("pointer", false);
  }

  /** Above a dialog that opened later. */
  #rise() {
    if (!this.#isOpen) return this.#renderSoon();
    this.#stack.hidePopover();
    this.#stack.showPopover();
  }

  #placeBelowBell() {
    const bell = document.querySelector("monitio-bell")?.getBoundingClientRect();
    const below = bell && bell.bottom > 0 && !this.#stack.classList.contains("bottom");
    this.#stack.style.insetBlockStart = below ? `${bell.bottom + 8}px` : "";
  }

  /**
   * Never cover what has the focus (WCAG 2.4.11).
   * @param {Element} focused
   */
  #avoidFocus(focused) {
    if (focused === this || !this.#isOpen) return;
    const a = focused.getBoundingClientRect();
    const b = this.#stack.getBoundingClientRect();
    const apart = a.right <= b.left || a.left >= b.right || a.bottom <= b.top || a.top >= b.bottom;
    if (apart || !a.width) return;
    this.#stack.classList.toggle("bottom");
    this.#placeBelowBell();
  }

  /** @param {KeyboardEvent} event */
  #hotkeyPressed(event) {
    if (event.key !== this.hotkey || !this.#isOpen) return;
    event.preventDefault();
    if (this.hasFocus(this.#stack)) this.#goBack();
    else this.#stack.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent & { target: HTMLElement }} event */
  #escape(event) {
    event.preventDefault();
    event.stopPropagation();
    /** @type {HTMLElement | null | undefined} */
    const close = event.target.closest("li")?.querySelector("li > button");
    if (close) close.click();
    else this.#goBack();
  }

  /** @param {FocusEvent & { relatedTarget: HTMLElement | null }} event */
  #focusCame({ relatedTarget }) {
    popups.hold("focus", true);
    if (relatedTarget && !this.#stack.contains(relatedTarget)) this.#cameFrom = relatedTarget;
  }

  #goBack() {
    const target = this.#cameFrom;
    this.#cameFrom = null;
    /** @type {HTMLElement | null} */ (this.root.activeElement)?.blur();
    popups.hold("focus", false);
    if (target?.isConnected) target.focus({ preventScroll: true });
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
