/** No HTML is parsed: strict CSP and Trusted Types hold. */

import { icon } from "./icons.js";

/** @import { View } from "../types.js" */

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
 * A button with an icon alone, named here or by `label`.
 * @param {string} part
 * @param {() => void} click
 * @param {string} [name]
 */
export function tool(part, click, name) {
  const node = button(part, click, icon(part));
  if (name) label(node, name);
  node.classList.add("tool");
  return node;
}

/**
 * What the button does, and to what.
 * @param {HTMLButtonElement} node
 * @param {string} action
 * @param {string} [object]
 */
export function label(node, action, object) {
  node.title = action;
  node.ariaLabel = object ? `${action}: ${object}` : action;
}

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

/** Views by id: nodes stay, what they show changes. */
export class Rows {
  /** @type {Map<unknown, View>} */
  #views = new Map();
  #list;
  #build;
  #remove;

  /**
   * @param {HTMLElement} list
   * @param {(item: any) => View} build
   * @param {(node: HTMLElement) => void} [remove]
   */
  constructor(list, build, remove = (node) => node.remove()) {
    this.#list = list;
    this.#build = build;
    this.#remove = remove;
  }

  get views() {
    return this.#views.values();
  }

  /**
   * If the row with the focus went away: the row in its place, or null.
   * @param {{ id: unknown }[]} items
   */
  update(items) {
    const views = new Map(items.map((item) => [item.id, this.#views.get(item.id) ?? this.#build(item)]));
    const focused = /** @type {ShadowRoot} */ (this.#list.getRootNode()).activeElement;
    const { children } = this.#list;
    const at = [...children].findIndex((node) => node.contains(focused));
    for (const [id, { node }] of this.#views) if (!views.has(id)) this.#remove(node);
    this.#views = views;
    const filled = [];
    let index = 0;
    for (const view of views.values()) {
      const item = items[index];
      if (view.message !== item) filled.push(view);
      if (view.message !== item) view.fill(item);
      if (children[index] !== view.node) this.#list.insertBefore(view.node, children[index] ?? null);
      index++;
    }
    // Each of these reads the layout: after all that was written.
    for (const view of filled) view.measure?.();
    if (at < 0 || this.#list.contains(focused)) return undefined;
    return children[Math.min(at, children.length - 1)] ?? null;
  }
}
