import { dispatch } from "./dom.js";
import { attach, detach } from "./page.js";
import { loadStrings } from "./strings.js";
import { BASE } from "./style-base.js";

export class MonitioElement extends HTMLElement {
  root = this.attachShadow({ mode: "open" });
  #internals = this.attachInternals();
  #left = new AbortController();

  constructor(css = "") {
    super();
    loadStrings();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(BASE + css);
    this.root.adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    this.connect();
    attach(this);
  }

  disconnectedCallback() {
    this.#left.abort();
    this.#left = new AbortController();
    detach(this);
  }

  // For moveBefore().
  connectedMoveCallback() {}

  connect() {}

  listen(target, type, listener) {
    target.addEventListener(type, listener, { signal: this.#left.signal });
  }

  fire(type, detail = {}) {
    return dispatch(this, `monitio:${type}`, detail);
  }

  // A morph keeps no attributes.
  state(name, on) {
    this.#internals.states[on ? "add" : "delete"](name);
  }

  hasFocus(node) {
    return node.contains(this.root.activeElement);
  }
}
