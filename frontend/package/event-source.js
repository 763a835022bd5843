/** @import { RequestOptions } from "../types.js" */

/**
 * Like EventSource, by `fetch`: it sends headers. It never reconnects by itself; `stream.js` does,
 * after an `error`.
 */
export class FetchEventSource extends EventTarget {
  #abort = new AbortController();

  /**
   * @param {string} url
   * @param {RequestOptions} [options]
   */
  constructor(url, options = {}) {
    super();
    this.#read(url, options).catch(() => {}).then(() => {
      if (!this.#abort.signal.aborted) this.dispatchEvent(new Event("error"));
    });
  }

  close() {
    this.#abort.abort();
  }

  /** @param {string} url @param {RequestOptions} options */
  async #read(url, { headers, withCredentials }) {
    const own = typeof headers === "function" ? await headers() : headers;
    const response = await fetch(url, {
      headers: { Accept: "text/event-stream", ...own },
      credentials: withCredentials ? "include" : "same-origin",
      cache: "no-store",
      signal: this.#abort.signal,
    });
    const type = response.headers.get("Content-Type") ?? "";
    if (response.status !== 200 || !response.body || !type.startsWith("text/event-stream"))
      throw new Error(`The stream answers ${response.status}.`);
    this.dispatchEvent(new Event("open"));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = parser((event, data) => this.dispatchEvent(new MessageEvent(event, { data })));
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#abort.signal.aborted) return;
      parse(value);
    }
  }
}

/**
 * Takes a stream in pieces, cut anywhere, and calls `act` for each event that is complete.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 * @param {(event: string, data: string) => void} act
 */
export function parser(act) {
  let rest = "";
  let event = "";
  /** @type {string[]} */
  let data = [];
  return (/** @type {string} */ text) => {
    // A CR at the end may be the first half of a CR LF.
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === "event") event = value;
      else if (name === "data") data.push(value);
      if (line) continue;
      if (data.length) act(event || "message", data.join("\n"));
      event = "";
      data = [];
    }
  };
}
