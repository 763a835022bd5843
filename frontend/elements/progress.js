/** @import { Change, Message } from "../types.js" */

import { make } from "../lib/dom.js";
import { MonitioElement } from "./element.js";
import { MessageView } from "../views/message-view.js";
import { store } from "../state/page.js";

/** `<monitio-progress task="ID">`: one task, anywhere in the page. */
export class MonitioProgress extends MonitioElement {
  static observedAttributes = ["task"];

  #waiting = make("slot");
  #view = new MessageView("div");
  #state = "";

  constructor() {
    super();
    this.#view.tile.remove();
    this.root.append(this.#waiting, this.#view.node);
  }

  connect() {
    this.listen(store, "put", (/** @type {CustomEvent<Change>} */ { detail }) =>
      this.#take(detail.message));
    this.attributeChangedCallback();
  }

  attributeChangedCallback() {
    this.#view.node.hidden = true;
    this.#waiting.hidden = false;
    store.list().forEach((message) => this.#take(message));
  }

  /** @param {Message} message */
  async #take(message) {
    const { job } = message;
    const isIts = () => job?.task === this.getAttribute("task");
    if (isIts()) await this.loadCards().catch(() => {});
    if (!job || !isIts()) return;
    this.#view.fill(message, "task");
    this.#view.node.hidden = false;
    this.#waiting.hidden = true;
    if (this.#state) this.state(this.#state, false);
    this.state((this.#state = job.state), true);
  }
}
