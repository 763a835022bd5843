/** @import { Message } from "../types.js" */

import { tool } from "../lib/dom.js";
import { shortHeading } from "../state/message.js";
import { MessageView } from "./message-view.js";
import { t } from "../lib/strings.js";

export class Toast extends MessageView {
  #close;

  /**
   * @param {(message: Message) => void} onClose
   * @param {(message: Message, event: Event) => void} onFollow
   */
  constructor(onClose, onFollow) {
    super();
    this.#close = tool("close", () => onClose(this.message));
    this.link.addEventListener("click", (event) => onFollow(this.message, event));
    this.tools.append(this.#close);
    this.node.append(this.tools);
  }

  /** @param {Message} message */
  fill(message) {
    super.fill(message, "toast");
    this.node.dataset.id = `${message.id}`;
    this.#close.ariaLabel = t("close", { title: shortHeading(message) });
  }
}
