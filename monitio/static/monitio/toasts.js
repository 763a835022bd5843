/** `<monitio-messages>`: the pop-ups, the live regions, and the page's connection. */

import { Announcer } from "./announcer.js";
import { batched, make, Rows, setText } from "./dom.js";
import { MonitioElement } from "./element.js";
import { isRunning } from "./message.js";
import { actions, configure, popups, store, stream } from "./page.js";
import { takeServerItems } from "./server-items.js";
import { formatNumber, say } from "./strings.js";
import { TOASTS } from "./style-toasts.js";
import { Toast } from "./toast.js";


const PHONE = "(max-width: 30rem)";

export class MonitioMessages extends MonitioElement {
  static css = TOASTS;
  static observedAttributes = ["placement", "max", "duration", "auto-close", "announce-every"];

  #announcer = new Announcer();
  /** Where the focus was before it came to us. */
  #cameFrom = null;
  #loading = false;
  /** Items may come later, too: swapped in or morphed by htmx and Turbo. */
  #observer = new MutationObserver(() => this.#takeServerItems());
  #renderSoon = batched(() => this.#render());
  #list = make("ol", { part: "list" });
  #more = make("button", { type: "button", part: "more", click: () => this.#openInbox() });
  #closeAll = make("button", { type: "button", part: "close-all", click: () => this.closeAll() });
  #footer = make("div", { class: "footer", hidden: true }, this.#more, this.#closeAll);
  #stack = make("section",
    { class: "stack", part: "stack", popover: "manual", role: "region", tabindex: -1 },
    this.#list, this.#footer);
  #rows = new Rows(this.#list, () => new Toast(
    (message) => this.close(message), (message, event) => this.#follow(message, event)));

  build() {
    setText(this.#closeAll, say("close_all"));
    const holdFor = (reason, on) =>
      () => popups.hold(reason, on);
    this.#stack.addEventListener("pointerenter", holdFor("pointer", true));
    this.#stack.addEventListener("pointerleave", holdFor("pointer", false));
    this.#stack.addEventListener("focusin", (event) => this.#focusCame(event));
    this.#stack.addEventListener("focusout", holdFor("focus", false));
    this.#stack.addEventListener("keydown", (event) => this.#escape(event));
    this.root.append(this.#announcer.status, this.#announcer.alert, this.#stack);
  }

  connect() {
    configure(this);
    this.attributeChangedCallback();
    const label = this.#hotkey ? say("region", { hotkey: this.#hotkey }) : say("bell");
    this.#stack.setAttribute("aria-label", label);
    this.listen(popups, "incoming", (event) => this.#incoming(event));
    this.listen(popups, "update", (event) => this.#update(event.detail));
    this.listen(popups, "change", () => this.#renderSoon());
    this.listen(store, "unread", () => this.#unread());
    this.listen(store, "failed", () => this.#announcer.say(say("failed"), true));
    this.listen(store, "connection", () => this.#connection());
    this.listen(document, "keydown", (event) => this.#hotkeyPressed(event));
    this.listen(document, "focusin", (event) => this.#dodge(event.target));
    this.listen(document, "visibilitychange", () => this.#renderSoon());
    this.#observer.observe(this, { childList: true, subtree: true, characterData: true });
    this.#takeServerItems();
    this.#unread();
    this.#renderSoon();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#observer.disconnect();
  }

  attributeChangedCallback() {
    const placement = (this.getAttribute("placement") ?? "bottom-end").split("-");
    for (const side of ["bottom", "start", "center"])
      this.#stack.classList.toggle(side, placement.includes(side));
    popups.duration = Number(this.getAttribute("duration") ?? 8000);
    popups.autoClose = this.getAttribute("auto-close") !== "off";
    this.#announcer.every = Number(this.getAttribute("announce-every") ?? 30);
    this.#renderSoon();
  }

  close(message) {
    if (this.fire("close", { message: { ...message } }, true)) popups.close(message.id);
  }

  closeAll() {
    if (!this.fire("closeall", {}, true)) return;
    for (const { id } of popups.list()) popups.close(id);
  }

  get #hotkey() {
    return this.getAttribute("hotkey") ?? "F8";
  }

  /** A job that was running when the page was made is no news. */
  #takeServerItems() {
    this.#loading = true;
    takeServerItems(this);
    this.#loading = false;
  }

  #openInbox() {
    const bell = document.querySelector("monitio-bell");
    if (bell) bell.open();
    else location.assign(actions.url);
  }

  #incoming(event) {
    const { message, previous } = event.detail;
    if (this.fire("message", { message: { ...message }, isNew: !previous }, true))
      this.#update(event.detail);
    else event.preventDefault();
  }

  #update({ message, previous }) {
    if (!this.#loading || !isRunning(message)) this.#announcer.message(message, previous);
    const state = message.job?.state;
    if (state && state !== previous?.job?.state)
      this.fire("task", { message: { ...message }, state });
  }

  #follow(message, event) {
    if (!this.fire("action", { message: { ...message } }, true)) return event.preventDefault();
    if (isRunning(message)) return;
    actions.markRead(message.id);
  }

  #render() {
    const all = popups.list();
    const max = Number(this.getAttribute("max") || (matchMedia(PHONE).matches ? 3 : 5));
    const visible = popups.inboxOpen ? [] : all.slice(0, max);
    popups.show(visible);
    const instead = this.#rows.update(visible);
    const extra = all.length - visible.length;
    this.#footer.hidden = all.length < 2;
    this.#more.hidden = extra <= 0;
    setText(this.#more, say("more", { n: formatNumber(extra) }));
    this.#toggle(visible.length > 0);
    if (instead) instead.querySelector("button").focus();
    else if (instead === null) this.#goBack();
  }

  #toggle(open) {
    if (open === this.#stack.matches(":popover-open") || !this.isConnected) return;
    if (open) this.#placeBelowBell();
    this.#stack.togglePopover(open);
    if (!open) popups.hold("pointer", false);
  }

  /** At the top the stack starts under the bell, never over it. */
  #placeBelowBell() {
    const bell = document.querySelector("monitio-bell")?.getBoundingClientRect();
    const top = !this.#stack.classList.contains("bottom") && bell && bell.height && bell.bottom > 0;
    this.#stack.style.insetBlockStart = top ? `${bell.bottom + 8}px` : "";
  }

  /** Hop to the other end of the screen rather than cover what has the focus (WCAG 2.4.11). */
  #dodge(focused) {
    if (focused === this || !this.#stack.matches(":popover-open")) return;
    const a = focused.getBoundingClientRect();
    const b = this.#stack.getBoundingClientRect();
    const apart = a.right <= b.left || a.left >= b.right || a.bottom <= b.top || a.top >= b.bottom;
    if (apart || !a.width) return;
    this.#stack.classList.toggle("bottom");
    this.#placeBelowBell();
  }

  #hotkeyPressed(event) {
    const modifiers = this.#hotkey.split("+");
    const key = modifiers.pop();
    const held = modifiers.every((name) => event.getModifierState(name === "Ctrl" ? "Control" : name));
    if (!key || !held || event.defaultPrevented || event.key.toLowerCase() !== key.toLowerCase()) return;
    if (!this.#stack.matches(":popover-open")) return;
    event.preventDefault();
    if (this.hasFocus(this.#stack)) this.#goBack();
    else this.#stack.focus({ preventScroll: true });
  }

  /** Closes the pop-up that has the focus; outside of ours Escape is none of our business. */
  #escape(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    const item = event.target.closest("li");
    const message = popups.list().find(({ id }) => String(id) === item?.dataset.id);
    if (message) this.close(message);
    else this.#goBack();
  }

  #focusCame(event) {
    popups.hold("focus", true);
    const from = event.relatedTarget;
    if (from && !this.#stack.contains(from)) this.#cameFrom = from;
  }

  #goBack() {
    const target = this.#cameFrom;
    this.#cameFrom = null;
    this.root.activeElement?.blur();
    popups.hold("focus", false);
    if (target?.isConnected) target.focus({ preventScroll: true });
  }

  #connection() {
    this.state("offline", stream.state === "offline" || stream.state === "stopped");
    this.fire("connection", { state: stream.state });
  }

  #unread() {
    const { unread } = store;
    this.fire("unread", { count: unread });
    if (this.hasAttribute("title-badge"))
      document.title = (unread ? `(${unread}) ` : "") + document.title.replace(/^\(\d+\) /, "");
    if (this.hasAttribute("app-badge")) navigator.setAppBadge?.(unread).catch(() => {});
  }
}
