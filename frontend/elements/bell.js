/** @import { Message } from "../types.js" */

import { batched, button, make, Rows, setText } from "../lib/dom.js";
import { MonitioElement } from "./element.js";
import { icon } from "../lib/icons.js";
import { InboxItem } from "../views/inbox-item.js";
import { isLocal } from "../state/message.js";
import { MOST } from "../views/badges.js";
import { canNotify, notifies, setNotifies } from "../views/notifications.js";
import { actions, connection, popups, store } from "../state/page.js";
import { isOn, KEEP_OPEN } from "../state/preferences.js";
import { formatNumber, t } from "../lib/strings.js";
import { styles } from "../lib/styles.js";

const GAP = 8;

/** @param {(Node | string)[]} children */
const row = (...children) => make("div", { class: "row" }, ...children);

/** `<monitio-bell>`: the number of unread messages, and the inbox. */
export class MonitioBell extends MonitioElement {
  #unreadOnly = false;
  #hadFocus = false;
  #renderSoon = batched(() => this.#render());
  #badge = make("span", { part: "badge", "aria-hidden": "true" });
  #button = button("bell", () => this.#panel.togglePopover(),
    make("slot", { name: "icon" }, icon("bell")), this.#badge);
  #heading = make("h2", { tabindex: -1 }, t("bell"));
  #close = button("panel-close", () => this.close(), icon("close"));
  #tabs = make("div", { role: "group", "aria-label": t("bell") },
    this.#tab("all", false), this.#tab("unread", true));
  #markAll = button("mark-all", () => actions.markRead("all"), t("mark_all"));
  #offline = make("p", { class: "note", part: "offline" }, t("offline"));
  #list = make("ul", { part: "inbox", role: "list", tabindex: 0, "aria-label": t("bell") });
  #empty = make("slot", { name: "empty" }, make("p", { class: "note", part: "empty" }, t("empty")));
  #older = button("older", () => this.#loadOlder(), t("older"));
  #keep = make("input", { type: "checkbox", change: () => popups.setKeepOpen(this.#keep.checked) });
  #notify = make("input", { type: "checkbox", change: () => this.#setNotifies() });
  #notifyLabel = make("label", {}, this.#notify, t("notify"));
  #undo = make("div", { class: "row undo", hidden: true },
    t("deleted"), button("undo", () => this.#takeBack(), t("undo")));
  #all = make("a", { part: "all" }, t("see_all"));
  #status = make("div", { class: "unseen", role: "status" });
  #panel = make("div",
    { part: "panel", popover: "auto", role: "dialog", "aria-label": t("bell") },
    row(this.#heading, this.#close),
    row(this.#tabs, this.#markAll),
    this.#offline,
    make("div", { class: "scroll" }, this.#list, this.#empty, this.#older),
    this.#undo,
    row(make("label", {}, this.#keep, t("keep_open")), this.#notifyLabel, this.#all),
    this.#status);
  #rows = new Rows(this.#list, () => new InboxItem(
    (message) => this.#remove(message), () => setText(this.#status, t("sent"))));

  constructor() {
    super(styles.bell);
    this.#button.ariaHasPopup = "dialog";
    this.#close.ariaLabel = t("close", { title: t("bell") });
    this.#panel.addEventListener("beforetoggle", () => {
      this.#hadFocus = this.hasFocus(this.#panel);
    });
    this.#panel.addEventListener("toggle", () => this.#toggled());
    this.root.append(this.#button, this.#panel);
  }

  open() {
    this.#panel.togglePopover(true);
  }

  close() {
    this.#panel.togglePopover(false);
  }

  connect() {
    const unread = +(this.getAttribute("unread") ?? 0);
    if (unread && connection.state !== "open") store.setUnread(unread);
    for (const type of ["put", "drop", "connection"]) this.listen(store, type, this.#renderSoon);
    this.listen(store, "unread", () => this.#count());
    this.listen(store, "discarded", ({ detail }) => (this.#undo.hidden = !detail));
    this.listen(window, "resize", () => this.#place());
    this.#button.ariaExpanded = "false";
    this.#count();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    popups.hold("inbox", false);
  }

  get #isOpen() {
    return this.#panel.matches(":popover-open");
  }

  /**
   * @param {string} key
   * @param {boolean} unreadOnly
   */
  #tab(key, unreadOnly) {
    const tab = button("tab", () => {
      this.#unreadOnly = unreadOnly;
      for (const other of this.#tabs.children) other.ariaPressed = `${other === tab}`;
      this.#render();
    }, t(key));
    tab.ariaPressed = `${!unreadOnly}`;
    return tab;
  }

  #toggled() {
    const open = this.#isOpen;
    this.#button.ariaExpanded = `${open}`;
    popups.hold("inbox", open);
    this.fire(open ? "open" : "closed");
    if (open) this.#opened();
    // Chromium does not do it inside a shadow root.
    else if (this.#hadFocus) this.#button.focus();
  }

  #opened() {
    if (connection.state !== "open") actions.refresh();
    this.#keep.checked = isOn(KEEP_OPEN);
    this.#notifyLabel.hidden = !canNotify();
    this.#notify.checked = canNotify() && notifies();
    this.#all.href = this.querySelector("a")?.href ?? actions.url;
    this.#place();
    this.#render();
    this.#heading.focus({ preventScroll: true });
  }

  #place() {
    if (!this.#isOpen) return;
    const { left, right, bottom } = this.#button.getBoundingClientRect();
    const { style, offsetWidth } = this.#panel;
    const wished = this.matches(":dir(rtl)") ? left : right - offsetWidth;
    const rightmost = document.documentElement.clientWidth - offsetWidth - GAP;
    style.left = `${Math.max(GAP, Math.min(rightmost, wished))}px`;
    style.top = `${bottom + GAP / 2}px`;
  }

  #count() {
    const { unread } = store;
    const n = unread > MOST ? `${formatNumber(MOST)}+` : formatNumber(unread);
    this.#badge.hidden = this.#markAll.disabled = !unread;
    setText(this.#badge, n);
    // The name contains what is to be seen (WCAG 2.5.3).
    this.#button.ariaLabel = t("bell") + (unread ? `, ${t("unread_count", { n })}` : "");
    this.state("unread", unread > 0);
  }

  #render() {
    if (!this.#isOpen) return;
    const messages = store.list().filter((message) => this.#belongs(message));
    const instead = this.#rows.update(messages);
    this.#offline.hidden = connection.state !== "offline";
    this.#list.hidden = !messages.length;
    this.#empty.hidden = !this.#list.hidden;
    this.#older.hidden = !store.older;
    if (instead === undefined) return;
    /** @type {HTMLElement | null | undefined} */
    const next = instead?.querySelector("button:not([hidden])");
    (next ?? this.#heading).focus();
  }

  /** @param {Message} message */
  #belongs(message) {
    if (isLocal(message)) return !this.#unreadOnly;
    return message.persistent && !(this.#unreadOnly && message.read);
  }

  /** @param {Message} message */
  #remove(message) {
    if (!this.fire("delete", { message: { ...message } })) return;
    if (isLocal(message)) actions.remove(message.id);
    else actions.discard(message.id);
    setText(this.#status, t("deleted"));
  }

  #takeBack() {
    setText(this.#status, "");
    actions.undo();
    this.#heading.focus();
  }

  async #setNotifies() {
    this.#notify.checked = await setNotifies(this.#notify.checked);
  }

  async #loadOlder() {
    this.#older.disabled = true;
    await actions.loadOlder().catch(() => store.emit("failed"));
    this.#older.disabled = false;
    this.#render();
  }
}
