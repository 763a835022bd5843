/**
 * The life of the live connection. EventSource gives up for good on any answer but 200, so every
 * reconnect is ours. `Source` could share one among tabs.
 */

const EVENTS = ["snapshot", "message", "gone"];
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 60_000;

export class Stream {
  state = "idle";
  #url = "";
  #source = null;
  #failures = 0;
  #timer = 0;
  #wanted = false;
  #options;

  constructor(options) {
    this.#options = { Source: EventSource, ...options };
    // In the back/forward cache a connection stays open, and deaf.
    addEventListener("pagehide", () => this.#sleep());
    document.addEventListener("freeze", () => this.#sleep());
    addEventListener("pageshow", () => this.#wake());
    document.addEventListener("resume", () => this.#wake());
    addEventListener("online", () => this.#wake());
  }

  use(url) {
    if (url === this.#url) return;
    this.close();
    this.#url = url;
    this.#failures = 0;
    this.#set("idle");
  }

  open() {
    this.#wanted = true;
    this.#wake();
  }

  close() {
    this.#wanted = false;
    this.#sleep();
  }

  stop() {
    this.#sleep();
    this.#set("stopped");
  }

  #sleep() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #wake() {
    if (!this.#wanted || !this.#url || this.#source || this.state === "stopped") return;
    clearTimeout(this.#timer);
    if (this.state === "idle") this.#set("connecting");
    this.#connect();
  }

  #connect() {
    let opened = false;
    const source = (this.#source = new this.#options.Source(this.#url));
    const on = (type, act) =>
      source.addEventListener(type, ({ data }) => act(data && JSON.parse(data)));
    for (const type of EVENTS)
      on(type, (data) => {
        opened = true;
        this.#failures = 0;
        this.#set("open");
        this.#options.deliver(type, data);
      });
    on("bye", (bye) => this.#bye(bye));
    on("error", () => this.#lost(opened).catch(() => {}));
  }

  #bye({ reason, retry }) {
    this.#sleep();
    if (reason === "signed-out") this.stop();
    else this.#retry(retry);
  }

  async #lost(opened) {
    this.#sleep();
    if (++this.#failures > 1) this.#set("offline");
    this.#retry(Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#failures - 1)));
    if (opened) return;
    // 204: the page was made for somebody else.
    const response = await fetch(this.#url);
    response.body?.cancel();
    if (response.status === 204) this.stop();
  }

  /** With jitter, lest all pages come back at once. */
  #retry(delay) {
    this.#timer = setTimeout(() => this.#wake(), delay * (0.5 + Math.random()));
  }

  #set(state) {
    if (state === this.state) return;
    this.state = state;
    this.#options.onState(state);
  }
}
