/** @import { Message } from "../types.js" */
/** @import { MonitioBell } from "../elements/bell.js" */

import { actions, batched, button, connection, icon, isLocal, isRunning, make, popups, Rows,
  setText, shortHeading, store, t, tool } from "../lib/page-core.js";
import { Day, withDays } from "./day.js";
import { contains, Entry } from "./entry.js";
import { holdInPlace, place, watchEdges } from "./place.js";
import { keysHelp, moveFocus, watchKeys } from "./keys.js";
import { Settings } from "./settings.js";
import { Tabs } from "./tabs.js";
import { UndoBar } from "../cards/undo-bar.js";

/** How many entries are in the page at most, and by how many the window moves. */
const WINDOW = 200;
const STEP = 50;
/** Between two looks at the ages, in ms. */
const TICK = 20_000;

/** The panel of the bell. */
export class Inbox {
  #bell;
  #anchor;
  #words = "";
  #start = 0;
  #shown = 0;
  #hadFocus = false;
  #timer = 0;
  #renderSoon = batched(() => this.#render());
  #heading = make("h2", { tabindex: -1 }, t("bell"));
  #markAll = tool("mark-all", () => this.#undoable(t("all_marked"), actions.beginRead("all")),
    t("mark_all"));
  #close = tool("panel-close", () => this.toggle(false), t("close", { title: t("bell") }));
  #settings = new Settings(() => this.#bell.fire("deleteall")
    && this.#undoable(t("all_deleted"), actions.beginRemove("all")));
  #tabs = new Tabs(() => {
    this.#start = this.#scroll.scrollTop = 0;
    this.#render();
  });
  #find = tool("search", () => this.#openSearch(), t("search"));
  #field = make("input", { type: "search", part: "search-field", "aria-label": t("search"),
    placeholder: t("search"), hidden: true, input: () => this.#search(this.#field.value) });
  #failed = make("p", { class: "note bad", part: "failed", hidden: true });
  #offline = make("p", { class: "note", part: "offline" }, icon("offline"), t("offline"));
  #list = make("ul", { part: "inbox", role: "list", "aria-label": t("bell") });
  #emptyTitle = make("strong");
  #emptyText = make("p", {}, t("empty_body"));
  #empty = make("slot", { name: "empty" },
    make("div", { class: "nothing", part: "empty" }, icon("mark-all"), this.#emptyTitle, this.#emptyText));
  #newer = make("div", { class: "edge" });
  #older = button("older", () => this.#loadOlder(), t("older"));
  #scroll = make("div", { class: "scroll" }, this.#newer, this.#list, this.#empty, this.#older);
  #undo = new UndoBar();
  #all = make("a", { part: "all" }, t("see_all"), icon("out"));
  #keys = keysHelp();
  #status = make("div", { class: "unseen", role: "status" });
  node = make("div",
    { part: "panel", popover: "auto", role: "dialog", "aria-label": t("bell") },
    this.#offline, this.#failed,
    make("div", { class: "head" }, this.#heading, this.#markAll, this.#settings.gear, this.#close),
    this.#settings.node,
    make("div", { class: "bar" }, this.#tabs.node, this.#field, this.#find),
    this.#scroll, this.#undo.node,
    make("div", { class: "foot" }, this.#keys, make("slot", { name: "footer" }), this.#all),
    this.#status);
  #rows = new Rows(this.#list, ({ title, at }) => title && !at ? new Day() : new Entry(
    (message) => this.#remove(message), () => setText(this.#status, t("sent"))));

  /**
   * @param {MonitioBell} bell
   * @param {HTMLElement} anchor
   */
  constructor(bell, anchor) {
    this.#bell = bell;
    this.#anchor = anchor;
    this.node.addEventListener("beforetoggle", () => {
      this.#hadFocus = bell.hasFocus(this.node);
    });
    this.node.addEventListener("toggle", () => this.#toggled());
    watchEdges(this.#scroll, (edge) => this.#scrolledTo(edge), [this.#newer, this.#older]);
    this.#watchKeys();
    this.listen();
  }

  /** Until the bell leaves the page. */
  listen() {
    const bell = this.#bell;
    for (const type of ["put", "drop", "connection", "unread"]) bell.listen(store, type, this.#renderSoon);
    bell.listen(store, "failed", () => this.#fail("failed"));
    bell.listen(store, "unloaded", () => this.#fail("failed_load"));
    bell.listen(store, "succeeded", () => (this.#failed.hidden = true));
    bell.listen(window, "resize", () => this.isOpen && this.#place());
  }

  get isOpen() {
    return this.node.matches(":popover-open");
  }

  /** @param {boolean} [open] */
  toggle(open) {
    this.node.togglePopover(open);
  }

  #toggled() {
    const open = this.isOpen;
    this.#anchor.ariaExpanded = `${open}`;
    popups.hold("inbox", open);
    this.#bell.fire(open ? "open" : "closed");
    clearInterval(this.#timer);
    if (open) this.#opened();
    // Chromium does not do it inside a shadow root.
    else if (this.#hadFocus) this.#anchor.focus();
  }

  #opened() {
    this.#failed.hidden = true;
    if (connection.state !== "open") actions.refresh();
    this.#settings.fill();
    this.#all.href = this.#bell.querySelector("a")?.href ?? actions.url;
    this.#start = 0;
    this.#place();
    this.#render();
    this.#timer = setInterval(() => {
      for (const view of this.#rows.views) if (view instanceof Entry) view.tick();
    }, TICK);
    this.#heading.focus({ preventScroll: true });
  }

  #place() {
    place(this.node, this.#anchor, this.#bell.matches(":dir(rtl)"));
  }

  #render() {
    if (!this.isOpen) return;
    const inbox = store.list().filter((message) =>
      (isLocal(message) ? !message.notice : message.persistent));
    const messages = inbox.filter((message) =>
      this.#tabs.has(message) && (!this.#words || contains(message, this.#words)));
    this.#shown = messages.length;
    this.#start = Math.max(0, Math.min(this.#start, messages.length - STEP));
    const rows = withDays(messages.slice(this.#start, this.#start + WINDOW));
    const instead = holdInPlace(this.#scroll, () => this.#rows.update(rows));
    this.#describe(inbox, messages.length);
    if (instead === undefined) return;
    const next = instead?.matches(".day") ? instead.nextElementSibling : instead;
    const focusable = next?.querySelector(".tools button:not([hidden])");
    (/** @type {HTMLElement} */ (focusable ?? this.#heading)).focus();
  }

  /**
   * What stands around the entries.
   * @param {Message[]} inbox
   * @param {number} shown
   */
  #describe(inbox, shown) {
    this.#tabs.count(store.unread ? this.#bell.count : "", inbox.filter(isRunning).length);
    this.#markAll.disabled = !store.unread;
    this.#offline.hidden = connection.state !== "offline";
    if (!this.#offline.hidden && this.#failed.textContent === t("failed_load")) this.#failed.hidden = true;
    this.#list.hidden = !shown;
    this.#empty.hidden = !!shown;
    setText(this.#emptyTitle, t(this.#words ? "empty_search" : this.#tabs.empty));
    this.#emptyText.hidden = !!this.#words || this.#tabs.empty !== "empty";
    this.#older.hidden = !store.older && this.#start + WINDOW >= shown;
  }

  /** @param {Element} edge that came near while the user scrolls */
  #scrolledTo(edge) {
    if (!this.#scroll.scrollTop) return;
    if (edge === this.#older) this.#loadOlder();
    else this.#moveWindow(-STEP);
  }

  /** @param {number} by */
  #moveWindow(by) {
    if (by > 0 ? this.#start + WINDOW >= this.#shown : !this.#start) return false;
    this.#start = Math.max(0, this.#start + by);
    this.#render();
    return true;
  }

  async #loadOlder() {
    if (this.#moveWindow(STEP) || !store.older || this.#older.disabled) return;
    this.#older.disabled = true;
    await actions.loadOlder().catch(() => store.emit("failed"));
    this.#older.disabled = false;
    this.#render();
    this.#moveWindow(STEP);
  }

  /** @param {Message} message */
  #remove(message) {
    if (!this.#bell.fire("delete", { message: { ...message } })) return;
    this.#undoable(t("deleted_one", { title: shortHeading(message) }), actions.beginRemove(message.id));
  }

  /**
   * @param {string} text
   * @param {(done: boolean) => void} act
   */
  #undoable(text, act) {
    setText(this.#status, text);
    this.#undo.offer(text, (done) => {
      act(done);
      if (done) return;
      setText(this.#status, "");
      // What came for it meanwhile was taken for late.
      actions.refresh();
      this.#heading.focus();
    });
  }

  /** @param {string} key */
  #fail(key) {
    setText(this.#failed, t(key));
    this.#failed.hidden = false;
    this.#renderSoon();
  }

  #openSearch() {
    this.#field.hidden = !this.#field.hidden;
    this.#tabs.node.hidden = !this.#field.hidden;
    this.#search(this.#field.hidden ? "" : this.#field.value);
    if (!this.#field.hidden) this.#field.focus();
  }

  /** @param {string} words */
  #search(words) {
    this.#words = words.trim().toLowerCase();
    this.#start = 0;
    this.#render();
  }

  #watchKeys() {
    const at = () => /** @type {HTMLElement | null | undefined} */ (
      this.#bell.root.activeElement?.closest("li.entry"));
    const on = (/** @type {(entry: Entry) => void} */ act) => () => {
      for (const view of this.#rows.views) if (view instanceof Entry && view.node === at()) act(view);
    };
    watchKeys(this.node, {
      move: (by) => moveFocus(this.#list, at(), by),
      Enter: on((entry) => entry.open()),
      e: on((entry) => entry.markRead()),
      "#": on((entry) => entry.remove()),
      u: on((entry) => entry.markUnread()),
      "/": () => this.#openSearch(),
      "?": () => this.#keys.classList.toggle("all"),
    });
  }
}
