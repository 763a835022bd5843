/** @import { Message } from "../types.js" */

import { make, setText } from "../lib/page-core.js";
import { formatDay } from "./dates.js";

/** The head of the entries of one day. */
export class Day {
  message = null;
  #title = make("h3");
  node = make("li", { class: "day" }, this.#title);

  /** @param {{ title: string }} day */
  fill({ title }) {
    setText(this.#title, title);
  }
}

/**
 * The messages, newest first, with a head before those of each day.
 * @param {Message[]} messages
 */
export function withDays(messages) {
  let last = "";
  return messages.flatMap((message) => {
    const title = formatDay(new Date(message.at));
    if (title === last) return message;
    last = title;
    return [{ id: `day ${title}`, title }, message];
  });
}
