/**
 * The life of the live connection: open, lost, wait, open again; nothing while the page sleeps.
 *
 * `EventSource` gives up for good on any answer but 200, so every reconnect is ours. What opens
 * the connection is a parameter: sharing one among the tabs of a browser needs another `Source`
 * and nothing else.
 */


/** What a connection needs to be: EventSource, or something that looks like it. */

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
  #deliver;
  #onState;
  #Source;

  constructor({ deliver, onState, Source = EventSource }) {
    this.#deliver = deliver;
    this.#onState = onState;
    this.#Source = Source;
    // A page in the back/forward cache keeps its EventSource open, deaf: close it, come back fresh.
    for (const [target, type] of [[window, "pagehide"], [document, "freeze"]])
      target.addEventListener(type, () => this.#sleep());
    for (const [target, type] of [[window, "pageshow"], [document, "resume"], [window, "online"]])
      target.addEventListener(type, () => this.#wake());
  }

  /** Whose stream; an empty address means none. */
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

  /** Another user is signed in, or nobody: the page must be loaded again. */
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
    this.#connect();
  }

  #connect() {
    if (this.state === "idle") this.#set("connecting");
    let opened = false;
    const source = (this.#source = new this.#Source(this.#url));
    source.addEventListener("open", () => (opened = true));
    for (const type of EVENTS)
      source.addEventListener(type, (event) => {
        this.#failures = 0;
        this.#set("open");
        this.#deliver(type, JSON.parse(event.data));
      });
    source.addEventListener("bye", (event) =>
      this.#bye(JSON.parse(event.data)));
    source.addEventListener("error", () => this.#lost(opened));
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
    // EventSource does not say why it could not open. 204 is the answer to somebody else's page.
    if (!opened && (await this.#status()) === 204) this.stop();
  }

  async #status() {
    const abort = new AbortController();
    try {
      const response = await fetch(this.#url, { signal: abort.signal, cache: "no-store" });
      return response.status;
    } catch {
      return 0;
    } finally {
      abort.abort();
    }
  }

  /** Between half and one and a half times the delay, lest all pages come back at once. */
  #retry(delay) {
    this.#timer = setTimeout(() => this.#wake(), delay * (0.5 + Math.random()));
  }

  #set(state) {
    if (state === this.state) return;
    this.state = state;
    this.#onState(state);
  }
}
