import { button, make, setText, t, tool } from "../lib/page-core.js";

const UNDO_TIME = 10_000;

/** What was done, and how to take it back; time stands still under the pointer and the focus. */
export class UndoBar {
  #text = make("span");
  #undo = button("undo", () => this.#finish(false), t("undo"));
  node = make("div", {
    class: "undo", hidden: true,
    pointerenter: () => this.#wait(false), focusin: () => this.#wait(false),
    pointerleave: () => this.#wait(true), focusout: () => this.#wait(true),
  }, this.#text, this.#undo, tool("dismiss", () => this.commit(), t("close", { title: t("undo") })));
  /** @type {((done: boolean) => void) | null} */
  #act = null;
  #timer = 0;
  #onLeave = () => this.commit();

  /**
   * @param {string} text
   * @param {(done: boolean) => void} act with false: take it back; with true: it can be sent
   */
  offer(text, act) {
    this.commit();
    this.#act = act;
    setText(this.#text, text);
    this.node.hidden = false;
    addEventListener("pagehide", this.#onLeave);
    this.#wait(true);
  }

  /** It stays done. */
  commit() {
    this.#finish(true);
  }

  focus() {
    this.#undo.focus();
  }

  /** @param {boolean} done */
  #finish(done) {
    const act = this.#act;
    this.#act = null;
    this.#wait(false);
    this.node.hidden = true;
    removeEventListener("pagehide", this.#onLeave);
    act?.(done);
  }

  /** @param {boolean} on */
  #wait(on) {
    clearTimeout(this.#timer);
    if (on && this.#act) this.#timer = setTimeout(() => this.commit(), UNDO_TIME);
  }
}
