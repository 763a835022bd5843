/** No HTML is parsed: strict CSP and Trusted Types hold. */

/** @import { Message, View } from "../types.js" */

/**
 * An element with attributes (false and null: none, true: empty), listeners and children. What has a
 * part has the class of this name, too.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  node.className = attributes.part ?? "";
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/**
 * @param {string} part
 * @param {() => void} click
 * @param {(Node | string)[]} children
 */
export const button = (part, click, ...children) =>
  make("button", { type: "button", part, click }, ...children);

/**
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * One call for a burst. (Background tabs stall requestAnimationFrame.)
 * @param {() => void} work
 */
export function batched(work) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, 30);
  };
}

/**
 * `setTimeout` takes 24.8 days at most: a longer delay would fire at once, so it is cut.
 * @param {() => void} act
 * @param {number} delay
 */
export const later = (act, delay) => setTimeout(act, Math.min(2 ** 31 - 1, delay));

/**
 * False when a listener said no.
 * @param {EventTarget} target
 * @param {string} type
 * @param {unknown} [detail]
 */
export const dispatch = (target, type, detail) =>
  target.dispatchEvent(
    new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true }));

/** Views by message id: nodes stay, messages change. */
export class Rows {
  /** @type {Map<number, View>} */
  #views = new Map();
  #list;
  #build;

  /**
   * @param {HTMLElement} list
   * @param {() => View} build
   */
  constructor(list, build) {
    this.#list = list;
    this.#build = build;
  }

  /**
   * If the row with the focus went away: the row in its place, or null.
   * @param {Message[]} messages
   */
  update(messages) {
    const views = new Map(messages.map(({ id }) => [id, this.#views.get(id) ?? this.#build()]));
    const focused = /** @type {ShadowRoot} */ (this.#list.getRootNode()).activeElement;
    const { children } = this.#list;
    const at = [...children].findIndex((node) => node.contains(focused));
    for (const [id, { node }] of this.#views) if (!views.has(id)) node.remove();
    this.#views = views;
    [...views.values()].forEach((view, index) => {
      view.fill(messages[index]);
      if (children[index] !== view.node) this.#list.insertBefore(view.node, children[index] ?? null);
    });
    if (at < 0 || focused?.isConnected) return undefined;
    return children[Math.min(at, children.length - 1)] ?? null;
  }
}
