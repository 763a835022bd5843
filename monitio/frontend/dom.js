/** No HTML is parsed: strict CSP and Trusted Types hold. */

/** @import { Message, View } from "./types.js" */

/**
 * An element with attributes (false and null: none, true: empty), listeners and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
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
    const wanted = new Set(messages.map(({ id }) => id));
    const focused = /** @type {ShadowRoot} */ (this.#list.getRootNode()).activeElement;
    const { children } = this.#list;
    let lost = -1;
    for (const [id, { node }] of this.#views) {
      if (wanted.has(id)) continue;
      if (node.contains(focused)) lost = [...children].indexOf(node);
      node.remove();
      this.#views.delete(id);
    }
    messages.forEach((message, index) => {
      const view = this.#views.get(message.id) ?? this.#build();
      this.#views.set(message.id, view);
      view.fill(message);
      if (children[index] !== view.node) this.#list.insertBefore(view.node, children[index] ?? null);
    });
    return lost < 0 ? undefined : (children[Math.min(lost, children.length - 1)] ?? null);
  }
}
