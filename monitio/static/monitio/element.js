import { sheet } from "./dom.js";
import { attach, detach } from "./page.js";
import { loadStrings } from "./strings.js";
import { BASE } from "./style-base.js";

const base = sheet(BASE);

/** What the three elements share: a shadow root with our styles, listeners that leave with us. */
export class MonitioElement extends HTMLElement {
  static css = "";
  #left = new AbortController();
  #built = false;
  root;
  internals;

  constructor() {
    super();
    this.root = this.attachShadow({ mode: "open" });
    const css = this.constructor.css;
    this.root.adoptedStyleSheets = [base, sheet(css)];
    this.internals = this.attachInternals();
  }

  connectedCallback() {
    loadStrings();
    if (!this.#built) this.build();
    this.#built = true;
    this.connect();
    attach(this);
  }

  disconnectedCallback() {
    this.#left.abort();
    this.#left = new AbortController();
    detach(this);
  }

  /** moveBefore() moves us without a disconnect: nothing to do. */
  connectedMoveCallback() {}

  /** Make the shadow tree, once. */
  build() {}

  /** Start listening, each time the element enters a page. */
  connect() {}

  listen(target, type, listener, options) {
    target.addEventListener(type, listener, { signal: this.#left.signal, ...options });
  }

  /** Returns false: a listener said no */
  fire(type, detail, cancelable = false) {
    return this.dispatchEvent(
      new CustomEvent(`monitio:${type}`, { bubbles: true, composed: true, cancelable, detail }));
  }

  /** `:state(name)` for the page's CSS; attributes would be lost in a morph. */
  state(name, on) {
    this.internals.states[on ? "add" : "delete"](name);
  }

  hasFocus(node) {
    return node.contains(this.root.activeElement);
  }
}
