import { popups } from "../lib/page-core.js";

/** The focus in the pop-ups: how it comes, and where it goes back to. */
export class Focus {
  #stack;
  #onBack;
  /** @type {HTMLElement | null} */
  #cameFrom = null;

  /**
   * @param {HTMLElement} stack
   * @param {() => void} onBack
   */
  constructor(stack, onBack) {
    this.#stack = stack;
    this.#onBack = onBack;
    stack.addEventListener("focusin", ({ relatedTarget }) => {
      if (relatedTarget instanceof HTMLElement && !stack.contains(relatedTarget))
        this.#cameFrom = relatedTarget;
    });
    stack.addEventListener("keydown", (event) => event.key === "Escape" && this.#escape(event));
  }

  get #focused() {
    return /** @type {HTMLElement | null} */ (
      /** @type {ShadowRoot} */ (this.#stack.getRootNode()).activeElement);
  }

  /** @param {Event} event */
  toggle(event) {
    event.preventDefault();
    if (this.#stack.contains(this.#focused)) this.goBack();
    else this.#stack.focus({ preventScroll: true });
  }

  goBack() {
    const target = this.#cameFrom;
    this.#cameFrom = null;
    this.#focused?.blur();
    popups.hold("focus", false);
    this.#onBack();
    if (target?.isConnected) target.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  #escape(event) {
    event.preventDefault();
    event.stopPropagation();
    /** @type {HTMLElement | null | undefined} */
    const close = /** @type {HTMLElement} */ (event.target).closest("li")?.querySelector("[part=close]");
    if (close) close.click();
    else this.goBack();
  }
}
