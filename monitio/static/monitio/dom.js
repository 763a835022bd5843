/** No HTML is parsed: strict CSP and Trusted Types hold. */

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

export const button = (part, click, ...children) =>
  make("button", { type: "button", part, click }, ...children);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** One call for a burst. (Background tabs stall requestAnimationFrame.) */
export function batched(work) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, 30);
  };
}

/** False when a listener said no. */
export const dispatch = (target, type, detail) =>
  target.dispatchEvent(
    new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true }));

/** Views by message id: nodes stay, messages change. */
export class Rows {
  #views = new Map();
  #list;
  #build;

  constructor(list, build) {
    this.#list = list;
    this.#build = build;
  }

  /** If the row with the focus went away: the row in its place, or null. */
  update(messages) {
    const wanted = new Set(messages.map(({ id }) => id));
    const focused = this.#list.getRootNode().activeElement;
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
