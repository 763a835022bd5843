/** The cookie by which a page sees that its browser has become a visitor's. */
export class VisitorCookie {
  /** Of a stranger's page: until this cookie is there, nothing is to be shown. */
  name = "";
  #requests;
  #act;
  /** @type {BroadcastChannel | null} */
  #tabs = null;

  /** @param {() => void} act when the cookie may have come */
  constructor(act) {
    this.#act = act;
    // The answer to one of the page's own requests may bring it.
    this.#requests = new PerformanceObserver(act);
  }

  get isMissing() {
    try {
      const cookies = this.name && document.cookie.split("; ");
      return !!cookies && !cookies.some((cookie) => cookie.startsWith(`${this.name}=`));
    } catch {
      // A sandboxed frame may not look.
      return true;
    }
  }

  /** @param {string} channel where other tabs speak up as soon as they have it */
  watch(channel) {
    if (this.#tabs) return;
    this.#requests.observe({ type: "resource" });
    this.#tabs = new BroadcastChannel(channel);
    this.#tabs.onmessage = this.#act;
  }

  close() {
    this.#requests.disconnect();
    this.#tabs?.close();
    this.#tabs = null;
  }
}
