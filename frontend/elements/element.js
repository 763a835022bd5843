import { dispatch } from "../lib/dom.js";
import { attach, detach } from "../state/page.js";
import { load } from "../lib/files.js";
import { loadStrings } from "../lib/strings.js";
import { styles } from "../lib/styles.js";

/** What the elements have in common. Everything that must survive a swap is in page.js. */
export class MonitioElement extends HTMLElement {
  root = this.attachShadow({ mode: "open" });
  #internals = this.attachInternals();
  #isStyled = false;
  #left = new AbortController();

  constructor(css = "") {
    super();
    loadStrings();
    this.addStyle(styles.base + css);
  }

  /** @param {string} css */
  addStyle(css) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    this.root.adoptedStyleSheets.push(sheet);
  }

  /** monitio-cards.js, and in this element its style. */
  async loadCards() {
    const file = await load("cards");
    if (!this.#isStyled) this.addStyle(file.css);
    this.#isStyled = true;
    return file;
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

  /**
   * Until the element leaves the page.
   * @param {EventTarget} target
   * @param {string} type
   * @param {(event: any) => void} listener
   */
  listen(target, type, listener) {
    target.addEventListener(type, listener, { signal: this.#left.signal });
  }

  /** @param {string} type */
  fire(type, detail = {}) {
    return dispatch(this, `monitio:${type}`, detail);
  }

  /**
   * A morph keeps no attributes, so it is no attribute.
   * @param {string} name
   * @param {boolean} on
   */
  state(name, on) {
    this.#internals.states[on ? "add" : "delete"](name);
  }

  /** @param {Node} node */
  hasFocus(node) {
    return node.contains(this.root.activeElement);
  }
}
