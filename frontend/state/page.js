/** One of each for the page, not the element: swaps (htmx, Turbo) lose and reopen nothing. */

/** @import { ConnectionState, Events } from "../types.js" */

import { Actions } from "./actions.js";
import { Connection } from "../live/connection.js";
import { Popups } from "./popups.js";
import { setScope } from "./preferences.js";
import { Store } from "./store.js";
import { t } from "../lib/strings.js";

const GRACE = 2000;

export const store = new Store();
export const actions = new Actions(store, {
  onForeign: () => connection.stop(),
  onSnapshot: ({ heartbeat = 0 }) => connection.expect(heartbeat),
});
export const popups = new Popups(store, (message) => actions.seen(message));
export const connection = new Connection({ deliver, onState, refresh: () => actions.refresh() });

/** @type {Set<Element>} */
const attached = new Set();
/** @type {string | null} */
let streamUrl = null;

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
  const url = element.getAttribute("stream-url") ?? "";
  if (streamUrl !== null && url !== streamUrl) store.clear();
  streamUrl = url;
  connection.fetchesSnapshot = element.getAttribute("stream-snapshot") === "json";
  connection.use(url, element.getAttribute("visitor-cookie") ?? "");
  actions.url = element.getAttribute("api-url") ?? "";
  setScope(actions.url, url);
  actions.csrf = element.getAttribute("csrf-token") ?? actions.csrf;
  actions.page = new URL(url, document.baseURI).searchParams.get("page") ?? "";
}

/**
 * @template {keyof Events} Type
 * @param {Type} type
 * @param {any} data
 */
function deliver(type, data) {
  if (type === "message") store.receive(data);
  else if (type === "gone") store.forget(data.ids);
  else if (type === "resync") actions.refresh();
  else actions.reconcile(data);
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
