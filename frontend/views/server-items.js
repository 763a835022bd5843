import { store } from "../state/page.js";

const taken = new WeakMap();

/**
 * The messages that the server wrote into the page.
 * @param {Element} element
 */
export function takeServerItems(element) {
  // Newest first in the page, but the newest is to arrive last.
  for (const item of [...element.querySelectorAll("li[data-message]")].reverse()) {
    const message = item.getAttribute("data-message");
    if (message && taken.get(item) !== message) store.seed(JSON.parse(message));
    taken.set(item, message);
  }
}
