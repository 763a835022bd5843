/** @import { MonitioMessages } from "../elements/toasts.js" */
/** @import { Message } from "../types.js" */

import { make, popups, t } from "../lib/page-core.js";
import { Dialogs } from "./dialogs.js";
import { Focus } from "./focus.js";
import { Footer, openInbox } from "./footer.js";
import { leave, remember, swipe } from "./motion.js";
import { avoid, placeBelowBell } from "./placement.js";
import { UndoBar } from "./undo-bar.js";

/** Several pop-ups: one card at rest, all of them when the user turns to them. */
export class Stack {
  #element;
  #stack;
  #list;
  /** Opened by "Show all" or a tap, until the user does something elsewhere. */
  #pinned = false;
  #arrangement = "";
  #ghosts = make("ul", { class: "ghosts", "aria-hidden": "true" });
  #footer = new Footer(() => this.#showMore(), () => this.#closeAll());
  #undo = new UndoBar();
  #focus;
  #dialogs;

  /**
   * @param {MonitioMessages} element
   * @param {HTMLElement} stack
   * @param {HTMLElement} list of the cards, in the stack
   */
  constructor(element, stack, list) {
    this.#element = element;
    this.#stack = stack;
    this.#list = list;
    this.#focus = new Focus(stack, () => this.#pin(false));
    this.#dialogs = new Dialogs(element, () => this.#rise());
    stack.append(this.#ghosts, this.#footer.node);
    stack.addEventListener("click", ({ target }) =>
      /** @type {HTMLElement} */ (target).closest("button, a") || this.#pin(true));
    swipe(list, (card) => /** @type {HTMLElement | null} */ (card.querySelector("[part=close]"))?.click());
    this.attach();
  }

  /** Until the element leaves the page. */
  attach() {
    const { listen, hotkey } = this.#element;
    const on = listen.bind(this.#element, document);
    on("pointerdown", (event) => event.composedPath().includes(this.#stack) || this.#pin(false));
    on("keydown", (event) => {
      if (event.key === hotkey && this.#isOpen) this.#focus.toggle(event);
    });
    on("focusin", ({ target }) =>
      target !== this.#element && this.#isOpen && avoid(this.#stack, target));
    this.#dialogs.watch();
  }

  detach() {
    this.#dialogs.rescue();
  }

  /** Something else than cards is to be seen. */
  get isBusy() {
    return !this.#undo.node.hidden;
  }

  get #isOpen() {
    return this.#stack.matches(":popover-open");
  }

  get #isExpanded() {
    return this.#pinned || popups.holds.has("pointer") || popups.holds.has("focus");
  }

  /**
   * Before the cards change; call what it returns when they have, with the card in whose place the
   * focus was.
   * @param {Message[][]} cards
   */
  arrange(cards) {
    const expanded = this.#isExpanded;
    const resting = cards.length > 1 && !expanded;
    const arrangement = `${resting} ${cards.map(([{ id }]) => id)}`;
    const animate = this.#isOpen && arrangement !== this.#arrangement ? remember(this.#list) : () => {};
    this.#arrangement = arrangement;
    this.#stack.classList.toggle("resting", resting);
    return (/** @type {Element | null | undefined} */ instead) => {
      const onScreen = (resting ? cards.slice(0, 1) : cards).flat();
      this.#footer.fill({ resting, expanded, onScreen });
      placeBelowBell(this.#stack);
      animate();
      /** @type {HTMLElement | null | undefined} */
      const next = instead?.querySelector("[part=close], [part=fold]");
      if (next) next.focus();
      else if (instead === null) this.#focus.goBack();
    };
  }

  /** @param {HTMLElement} card */
  remove(card) {
    leave(card, this.#ghosts);
  }

  #closeAll() {
    if (!this.#element.fire("closeall")) return;
    const hadFocus = this.#element.hasFocus(this.#stack);
    const reopen = popups.closeAll();
    this.#stack.append(this.#undo.node);
    this.#undo.offer(t("all_closed"), (done) => {
      if (!done) reopen();
      this.#element.render();
    });
    this.#element.render();
    if (hadFocus) this.#undo.focus();
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
    this.#element.render();
  }

  /** Above a dialog that opened later. */
  #rise() {
    if (!this.#isOpen) return this.#element.render();
    this.#stack.hidePopover();
    this.#stack.showPopover();
  }
}
