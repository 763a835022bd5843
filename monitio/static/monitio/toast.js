import { make } from "./dom.js";
import { icon } from "./icons.js";
import { heading } from "./message.js";
import { MessageView } from "./message-view.js";
import { say } from "./strings.js";


/** One pop-up. A job's pop-up is the same node from start to end. */
export class Toast extends MessageView {
  constructor(onClose, onFollow) {
    super();
    this.close = make("button",
      { type: "button", part: "close", click: () => onClose(this.message) }, icon("close"));
    this.link.addEventListener("click", (event) => onFollow(this.message, event));
    this.node.append(this.close);
  }

  fill(message) {
    super.fill(message);
    this.node.className = `toast ${message.level}`;
    this.node.setAttribute("part", `toast ${message.level}`);
    this.node.dataset.id = String(message.id);
    this.close.setAttribute("aria-label", say("close", { title: heading(message).slice(0, 60) }));
  }
}
