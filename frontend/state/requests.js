/** @import { RequestOptions } from "../types.js" */

/** @param {string} url @param {string} page */
export const streamAt = (url, page) => page && `${url}stream/?page=${encodeURIComponent(page)}`;

/** What this page asks of the site. */
export class Requests {
  url = "";
  csrf = "";
  /** For whom the page was made. */
  page = "";
  /**
   * Of every request.
   * @type {RequestOptions}
   */
  options = {};
  #owner;

  /** @param {{ onForeign: () => void }} owner another user's page, or a token that has expired */
  constructor(owner) {
    this.#owner = owner;
  }

  /**
   * @param {string} path
   * @param {string[][] | Record<string, string>} [fields]
   */
  async post(path, fields) {
    if (!this.url) return {};
    const body = new URLSearchParams(fields);
    // A swap may bring a page of somebody else before the answer.
    if (this.page) body.set("page", this.page);
    const send = () => {
      // Not as a header: its name is a setting of the site.
      body.set("csrfmiddlewaretoken", this.csrf);
      // A click on a link leaves the page at once.
      return this.#fetch(path, { method: "POST", keepalive: true, body });
    };
    // A token of the client's own needs no other.
    let response = (this.csrf || this.options.headers) && (await send());
    if (!response || response.status === 403) {
      // The token is old, or left out for the cache.
      await this.get("json/");
      response = await send();
    }
    if (response.status === 409) return this.#owner.onForeign(), null;
    return answerOf(response);
  }

  /** @param {string} path */
  async get(path) {
    const response = await this.#fetch(path);
    // 401: the token has expired.
    if ([204, 401].includes(response.status)) return this.#owner.onForeign(), null;
    const data = await answerOf(response);
    this.csrf = data.csrf ?? this.csrf;
    return data;
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  async #fetch(path, init) {
    const url = new URL(this.url + path, globalThis.document?.baseURI);
    if (!init) url.searchParams.set("page", this.page);
    const { headers, withCredentials } = this.options;
    return fetch(url, {
      ...init,
      credentials: withCredentials ? "include" : "same-origin",
      // Without waiting where it can: the page may be about to close.
      headers: {
        Accept: "application/json",
        ...(typeof headers === "function" ? await headers() : headers),
      },
    });
  }
}

/** @param {Response} response */
function answerOf(response) {
  if (!response.ok) throw new Error(response.url);
  return response.json();
}
