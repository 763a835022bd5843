/**
 * A modal dialog makes the rest of the page inert, pop-ups and live regions with it: the element
 * moves into the topmost one, and home again.
 */
export class Dialogs {
  #element;
  #moved;
  /**
   * Where the element belongs.
   * @type {Comment | null}
   */
  #home = null;
  /** @type {Node | undefined} */
  #top;
  #observer = new MutationObserver((records) => this.#look(records.at(-1)?.target));

  /**
   * @param {HTMLElement} element
   * @param {() => void} moved
   */
  constructor(element, moved) {
    this.#element = element;
    this.#moved = moved;
  }

  watch() {
    this.#observer.observe(document, { subtree: true, attributeFilter: ["open"] });
    this.#look();
  }

  /** The element has left the page, maybe with a dialog that was removed. */
  rescue() {
    this.#observer.disconnect();
    if (!this.#home) return;
    setTimeout(() => {
      if (!this.#element.isConnected && this.#home?.isConnected) this.#goHome();
    });
  }

  /** @param {Node} [changed] */
  #look(changed) {
    const open = [...document.querySelectorAll("dialog:modal")];
    const isOpen = (/** @type {any} */ dialog) => open.includes(dialog);
    const top = (this.#top = [changed, this.#top].find(isOpen) ?? open.at(-1));
    if (!top) return this.#home?.isConnected && this.#goHome();
    if (this.#element.parentNode === top) return;
    if (!this.#home) this.#element.before((this.#home = new Comment()));
    this.#move(top, null);
  }

  #goHome() {
    const home = this.#home;
    this.#home = null;
    if (home?.parentNode) this.#move(home.parentNode, home);
    home?.remove();
  }

  /**
   * @param {any} parent
   * @param {Node | null} before
   */
  #move(parent, before) {
    if (parent.moveBefore && this.#element.isConnected) parent.moveBefore(this.#element, before);
    else parent.insertBefore(this.#element, before);
    this.#moved();
  }
}
