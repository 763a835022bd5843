/** @import { Change, Message } from "../types.js" */

import { asCard } from "../views/cards.js";
import { Announcer } from "../views/announcer.js";
import { showBadges } from "../views/badges.js";
import { Dialogs } from "../views/dialogs.js";
import { batched, make, Rows } from "../lib/dom.js";
import { MonitioElement } from "./element.js";
import { isRunning } from "../state/message.js";
import { leave, remember, swipe } from "../views/motion.js";
import { actions, configure, connection, popups, store } from "../state/page.js";
import { avoid, placeBelowBell } from "../views/placement.js";
import { StackFocus } from "../views/stack-focus.js";
import { openInbox, StackFooter } from "../views/stack-footer.js";
import { second } from "../lib/second-file.js";
import { takeServerItems } from "../views/server-items.js";
import { t } from "../lib/strings.js";
import { styles } from "../lib/styles.js";
import { Toast } from "../views/toast.js";

/** `<monitio-messages>`: the pop-ups, and what is said of them. */
export class MonitioMessages extends MonitioElement {
  static observedAttributes = ["placement", "max", "duration", "auto-close", "announce-every"];

  #announcer = new Announcer();
  #loading = false;
  #renderSoon = batched(() => this.#prepare());
  /** htmx and Turbo swap items in or morph them. */
  #observer = new MutationObserver(() => this.#takeServerItems());
  #dialogs = new Dialogs(this, () => this.#rise());
  #list = make("ol", { part: "list" });
  #ghosts = make("ul", { class: "ghosts", "aria-hidden": "true" });
  /** Opened by "Show all" or a tap, until the user does something elsewhere. */
  #pinned = false;
  #arrangement = "";
  /** @type {import("../inbox/undo-bar.js").UndoBar | null} */
  #undo = null;
  #footer = new StackFooter(() => this.#showMore(), () => this.closeAll());
  #stack = make("section",
    { part: "stack", popover: "manual", role: "region", tabindex: -1 },
    this.#list, this.#ghosts, this.#footer.node);
  #focus = new StackFocus(this.#stack, () => this.#pin(false));
  #rows = new Rows(this.#list, ({ id }) => id === "tasks" && second ? new second.TaskGroup() : new Toast(
    (message) => this.close(message), (message, event) => this.#follow(message, event)),
    (node) => leave(node, this.#ghosts));

  constructor() {
    super(styles.toasts);
    /** @param {string} type @param {(event: any) => void} act */
    const on = (type, act) => this.#stack.addEventListener(type, act);
    // A finger that leaves the screen leaves the card, too: it opens the stack by a tap.
    on("pointerenter", ({ pointerType }) => pointerType === "touch" || popups.hold("pointer", true));
    on("pointerleave", () => popups.hold("pointer", false));
    on("click", ({ target }) => target.closest("button, a") || this.#pin(true));
    swipe(this.#list, (card) =>
      /** @type {HTMLElement | null} */ (card.querySelector("[part=close]"))?.click());
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
    this.listen(store, "failed", () => this.#actionFailed());
    this.listen(store, "connection", () => this.#connection());
    this.listen(document, "pointerdown", (event) =>
      event.composedPath().includes(this.#stack) || this.#pin(false));
    this.listen(document, "keydown", (event) => {
      if (event.key === this.hotkey && this.#isOpen) this.#focus.toggle(event);
    });
    this.listen(document, "focusin", ({ target }) =>
      target !== this && this.#isOpen && avoid(this.#stack, target));
    this.#observer.observe(this, { childList: true, subtree: true, attributeFilter: ["data-message"] });
    this.#dialogs.watch();
    this.attributeChangedCallback();
    this.#takeServerItems();
    this.#unread();
    this.#withSystem(({ watchSight }) => watchSight());
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

  /** @param {Message & { messages?: Message[] }} card */
  close(card) {
    for (const message of card.messages ?? [card])
      if (this.fire("close", { message: { ...message } })) popups.close(message.id);
  }

  async closeAll() {
    if (!this.fire("closeall")) return;
    const hadFocus = this.hasFocus(this.#stack);
    const reopen = popups.closeAll();
    const undo = (this.#undo ??= await this.second().then(({ UndoBar }) => new UndoBar(), () => null));
    if (!undo) return;
    this.#stack.append(undo.node);
    undo.offer(t("all_closed"), (/** @type {boolean} */ done) => {
      if (!done) reopen();
      this.#renderSoon();
    });
    this.#render();
    if (hadFocus) undo.focus();
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
   * @param {(file: import("../lib/second-file.js").SecondFile) => void} act
   */
  #withSystem(act) {
    if (this.hasAttribute("system-notifications")) this.second().then(act, () => {});
  }

  /** A task's card needs the second file; without it, or if it takes too long, it has no bar. */
  async #prepare() {
    if (popups.haveTasks)
      await Promise.race([this.second().catch(() => {}), new Promise((late) => setTimeout(late, 3000))]);
    this.#render();
  }

  #render() {
    const most = +(this.getAttribute("max") ?? (matchMedia("(max-width: 30rem)").matches ? 3 : 5));
    const cards = popups.show(popups.holds.has("inbox") ? 0 : most);
    const resting = cards.length > 1 && !this.#isExpanded;
    const arrangement = `${resting} ${cards.map(([{ id }]) => id)}`;
    const animate = this.#isOpen && arrangement !== this.#arrangement ? remember(this.#list) : () => {};
    this.#arrangement = arrangement;
    this.#stack.classList.toggle("resting", resting);
    const instead = this.#rows.update(cards.map(asCard));
    const onScreen = (resting ? cards.slice(0, 1) : cards).flat();
    this.#footer.fill({ resting, expanded: this.#isExpanded, ...popups.more(onScreen) });
    this.#footer.node.hidden = popups.size < 2;
    this.#toggle(cards.length > 0 || this.#undo?.node.hidden === false);
    animate();
    /** @type {HTMLElement | null | undefined} */
    const next = instead?.querySelector("[part=close], [part=fold]");
    if (next) next.focus();
    else if (instead === null) this.#focus.goBack();
  }

  get #isExpanded() {
    return this.#pinned || popups.holds.has("pointer") || popups.holds.has("focus");
  }

  #showMore() {
    if (!this.#stack.classList.contains("resting")) return openInbox();
    this.#pin(true);
    // The button goes.
    this.#stack.focus({ preventScroll: true });
  }

  /** @param {boolean} on */
  #pin(on) {
    if (on === this.#pinned) return;
    this.#pinned = on;
    this.#renderSoon();
  }

  /** @param {boolean} open */
  #toggle(open) {
    if (open === this.#isOpen || !this.isConnected) return;
    this.#stack.togglePopover(open);
    placeBelowBell(this.#stack);
    if (!open) popups.hold("pointer", false);
  }

  /** Above a dialog that opened later. */
  #rise() {
    if (!this.#isOpen) return this.#renderSoon();
    this.#stack.hidePopover();
    this.#stack.showPopover();
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
