/** Helpers around the DOM. No innerHTML: strict CSP and Trusted Types hold. */

/** An element. Functions among the attributes become event listeners; false and null are left out. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

export function sheet(css) {
  const made = new CSSStyleSheet();
  made.replaceSync(css);
  return made;
}

/** Set the text only when it differs: a live region or a selection is left alone otherwise. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** One call for a burst of calls. A timer, because background tabs stall requestAnimationFrame. */
export function batched(work, delay = 30) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, delay);
  };
}


/** The rows of a list by message id: nodes stay the same while their messages change. */
export class Rows {
  #rows = new Map();
  #list;
  #build;

  constructor(list, build) {
    this.#list = list;
    this.#build = build;
  }

  /**
   * Returns undefined, or, when the row that held the focus went
   * away, the row that took its place (null when the list is empty)
   */
  update(messages) {
    const wanted = new Set(messages.map((message) => message.id));
    const focused = this.#list.getRootNode().activeElement;
    let lost = -1;
    for (const [id, { node }] of this.#rows) {
      if (wanted.has(id)) continue;
      if (node.contains(focused)) lost = [...this.#list.children].indexOf(node);
      node.remove();
      this.#rows.delete(id);
    }
    messages.forEach((message, index) => this.#place(message, index));
    if (lost < 0) return undefined;
    return this.#list.children[Math.min(lost, this.#list.children.length - 1)] ?? null;
  }

  #place(message, index) {
    let row = this.#rows.get(message.id);
    if (!row) this.#rows.set(message.id, (row = this.#build(message.id)));
    row.fill(message);
    const there = this.#list.children[index];
    if (there !== row.node) this.#list.insertBefore(row.node, there ?? null);
  }
}
