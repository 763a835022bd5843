/** `<monitio-bell>`: the unread count, and the inbox in a popover. */

import { batched, make, Rows, setText } from "./dom.js";
import { MonitioElement } from "./element.js";
import { icon } from "./icons.js";
import { InboxItem } from "./inbox-item.js";
import { isLocal } from "./message.js";
import { actions, popups, store, stream } from "./page.js";
import { keepOpen } from "./preferences.js";
import { formatNumber, say } from "./strings.js";
import { BELL } from "./style-bell.js";


const GAP = 8;
const MOST = 99;

export class MonitioBell extends MonitioElement {
  static css = BELL;

  #unreadOnly = false;
  #focusWasInside = false;
  #renderSoon = batched(() => this.#render());
  #badge = make("span", { class: "badge", part: "badge", "aria-hidden": "true" });
  #button = make("button",
    { type: "button", class: "bell", part: "bell", "aria-haspopup": "dialog", "aria-expanded": "false",
      click: () => (this.#isOpen ? this.close() : this.open()) },
    make("slot", { name: "icon" }, icon("bell")), this.#badge);
  #heading = make("h2", { tabindex: -1 });
  #tabs = make("div", { class: "tabs", role: "group" });
  #markAll = make("button",
    { type: "button", part: "mark-all", click: () => actions.markRead("all") });
  #offline = make("p", { class: "note", part: "offline", hidden: true });
  #list = make("ul", { part: "inbox", role: "list", tabindex: 0 });
  #empty = make("slot", { name: "empty" });
  #older = make("button", { type: "button", part: "older", click: () => this.#loadOlder() });
  #keep = make("input",
    { type: "checkbox", change: () => popups.setKeepOpen(this.#keep.checked) });
  #all = make("a", { part: "all" });
  #status = make("div", { class: "unseen", role: "status" });
  #panel = make("div", { class: "panel", part: "panel", popover: "auto", role: "dialog" });
  #rows = new Rows(this.#list, () => new InboxItem((message) => this.#remove(message)));

  open() {
    if (!this.#isOpen) this.#panel.showPopover();
  }

  close() {
    if (this.#isOpen) this.#panel.hidePopover();
  }

  build() {
    const name = say("bell");
    for (const node of [this.#tabs, this.#list, this.#panel]) node.setAttribute("aria-label", name);
    this.#heading.append(name);
    this.#tabs.append(this.#tab("all", false), this.#tab("unread", true));
    this.#markAll.append(say("mark_all"));
    this.#offline.append(say("offline"));
    this.#empty.append(make("p", { class: "note", part: "empty" }, say("empty")));
    this.#older.append(say("older"));
    this.#all.append(say("see_all"));
    this.#panel.append(
      make("div", { class: "head" }, this.#heading,
        make("button", { type: "button", part: "panel-close", click: () => this.close(),
          "aria-label": say("close", { title: name }) }, icon("close")),
        make("div", { class: "row" }, this.#tabs, this.#markAll)),
      this.#offline,
      make("div", { class: "scroll" }, this.#list, this.#empty, this.#older),
      make("div", { class: "foot" }, make("label", {}, this.#keep, say("keep_open")), this.#all),
      this.#status);
    this.#panel.addEventListener("beforetoggle", () =>
      (this.#focusWasInside = this.hasFocus(this.#panel)));
    this.#panel.addEventListener("toggle", () => this.#toggled());
    this.root.append(this.#button, this.#panel);
  }

  connect() {
    const unread = Number(this.getAttribute("unread"));
    if (unread && stream.state !== "open") store.setUnread(unread);
    for (const type of ["put", "drop", "connection"])
      this.listen(store, type, () => this.#renderSoon());
    this.listen(store, "unread", () => this.#count());
    this.listen(window, "resize", () => this.#place());
    this.#count();
    this.#render();
  }

  get #isOpen() {
    return this.#panel.matches(":popover-open");
  }

  #tab(key, unreadOnly) {
    const choose = () => {
      this.#unreadOnly = unreadOnly;
      for (const tab of this.#tabs.children)
        tab.setAttribute("aria-pressed", String(tab === button));
      this.#render();
    };
    const button = make("button",
      { type: "button", "aria-pressed": String(!unreadOnly), click: choose }, say(key));
    return button;
  }

  #toggled() {
    const open = this.#isOpen;
    this.#button.setAttribute("aria-expanded", String(open));
    popups.setInboxOpen(open);
    this.fire(open ? "open" : "closed", {});
    if (open) this.#opened();
    // Chromium does not bring the focus back by itself from inside a shadow root.
    else if (this.#focusWasInside) this.#button.focus();
  }

  #opened() {
    if (stream.state !== "open") actions.refresh().catch(() => {});
    this.#keep.checked = keepOpen.get();
    this.#all.href = this.querySelector("a")?.href ?? actions.url;
    this.#place();
    this.#render();
    this.#heading.focus({ preventScroll: true });
  }

  /** Under the button, inside the window. On phones the style sheet fills the screen instead. */
  #place() {
    if (!this.#isOpen) return;
    const button = this.#button.getBoundingClientRect();
    const width = this.#panel.offsetWidth;
    const rtl = getComputedStyle(this).direction === "rtl";
    const left = rtl ? button.left : button.right - width;
    const rightmost = document.documentElement.clientWidth - width - GAP;
    this.#panel.style.left = `${Math.max(GAP, Math.min(rightmost, left))}px`;
    this.#panel.style.top = `${button.bottom + GAP / 2}px`;
  }

  #count() {
    const { unread } = store;
    const text = unread > MOST ? `${formatNumber(MOST)}+` : formatNumber(unread);
    this.#badge.hidden = !unread;
    setText(this.#badge, text);
    // The name contains what is to be seen (WCAG 2.5.3).
    this.#button.setAttribute("aria-label",
      unread ? `${say("bell")}, ${say("unread_count", { n: text })}` : say("bell"));
    this.state("unread", unread > 0);
    this.#markAll.disabled = !unread;
  }

  #render() {
    if (!this.#isOpen) return;
    const messages = store.list().filter((message) => this.#belongs(message));
    const instead = this.#rows.update(messages);
    this.#offline.hidden = stream.state !== "offline" && stream.state !== "stopped";
    this.#list.hidden = !messages.length;
    this.#empty.hidden = messages.length > 0;
    this.#older.hidden = !store.older;
    const next = instead?.querySelector("button:not([hidden])") ?? this.#heading;
    if (instead !== undefined) next.focus();
  }

  #belongs(message) {
    if (isLocal(message)) return !this.#unreadOnly;
    return message.persistent && !(this.#unreadOnly && message.read);
  }

  #remove(message) {
    if (!this.fire("delete", { message: { ...message } }, true)) return;
    actions.remove(message.id);
    setText(this.#status, say("deleted"));
  }

  async #loadOlder() {
    this.#older.disabled = true;
    await actions.loadOlder().catch(() => store.tell("failed"));
    this.#older.disabled = false;
    this.#render();
  }
}
