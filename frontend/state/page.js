/** One of each for the page, not the element: swaps (htmx, Turbo) lose and reopen nothing. */

/** @import { ConnectionState } from "../types.js" */

import { Actions } from "./actions.js";
import { Connection } from "../live/connection.js";
import { Popups } from "./popups.js";
import { streamAt } from "./requests.js";
import { setScope } from "./preferences.js";
import { Store } from "./store.js";
import { setStrings, t } from "../lib/strings.js";

const GRACE = 2000;

export const store = new Store();
export const actions = new Actions(store, {
  onForeign: () => connection.stop(),
  onSnapshot: ({ heartbeat = 0 }) => connection.expect(heartbeat),
});
export const popups = new Popups(store, (message) => actions.seen(message));
export const connection = new Connection({
  deliver: (type, data) => actions.deliver(type, data), onState, refresh: () => actions.refresh(),
});

/** @type {Set<Element>} */
const attached = new Set();
/** @type {string | null} */
let streamUrl = null;
/** The page's script has said where the site is. */
let isOwn = false;

/** @param {Element} element */
export function attach(element) {
  attached.add(element);
  connection.open();
}

/** @param {Element} element */
export function detach(element) {
  attached.delete(element);
  setTimeout(() => attached.size || connection.close(), GRACE);
}

/** @param {Element} element */
export function configure(element) {
  if (isOwn) return;
  const value = (/** @type {string} */ name) => element.getAttribute(name) ?? "";
  const stream = value("stream-url");
  actions.csrf = value("csrf-token") || actions.csrf;
  actions.page = new URL(stream, document.baseURI).searchParams.get("page") ?? "";
  use(value("api-url"), stream, value("visitor-cookie"), !!value("stream-snapshot"));
}

/**
 * Instead of what Django renders.
 * @param {string} url
 */
export async function begin(url) {
  actions.url = url;
  actions.page = "";
  const answer = await actions.get("json/?bootstrap");
  // Somebody has to sign in.
  if (!answer) return;
  isOwn = true;
  actions.page = answer.page;
  setStrings(answer.strings.texts);
  use(url, streamAt(url, answer.page), answer.visitor_cookie, answer.fetch_snapshot);
  connection.open();
}

/**
 * @param {string} url
 * @param {string} stream
 * @param {string} cookie
 * @param {boolean} fetches
 */
function use(url, stream, cookie, fetches) {
  if (streamUrl !== null && stream !== streamUrl) store.clear();
  streamUrl = stream;
  connection.fetchesSnapshot = fetches;
  connection.use(stream, cookie);
  setScope((actions.url = url), stream);
}

/** @param {ConnectionState} state */
function onState(state) {
  store.emit("connection");
  if (state !== "stopped") return;
  store.addLocal({
    level: "warning", title: t("stopped"), body: t("stopped_body"),
    url: location.pathname + location.search, url_label: t("reload"),
  });
}
