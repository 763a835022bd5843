import { actions, button, make, setText, t, tool } from "../core.js";

/** What was deleted, and how to take it back; time stands still under the pointer and the focus. */
export class UndoBar {
  #text = make("span");
  #dismiss = tool("dismiss", () => actions.commit(), t("close", { title: t("deleted") }));
  node;

  /** @param {() => void} onUndo */
  constructor(onUndo) {
    this.node = make("div", {
      class: "undo", hidden: true,
      pointerenter: () => actions.pauseUndo(true), focusin: () => actions.pauseUndo(true),
      pointerleave: () => actions.pauseUndo(false), focusout: () => actions.pauseUndo(false),
    }, this.#text, button("undo", onUndo, t("undo")), this.#dismiss);
  }

  /** @param {string} text */
  say(text) {
    setText(this.#text, text);
  }
}
