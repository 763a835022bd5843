/** One of each for the page, not the element: swaps (htmx, Turbo) lose and reopen nothing. */

import { Actions } from "./actions.js";
import { Popups } from "./popups.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";
import { say } from "./strings.js";

const GRACE = 2000;

export const store = new Store();
export const actions = new Actions(store, () => stream.stop());
export const popups = new Popups(store, (message) => actions.seen(message));
export const stream = new Stream({ deliver, onState });

const attached = new Set();
let streamUrl = null;

export function attach(element) {
  attached.add(element);
  stream.open();
}

export function detach(element) {
  attached.delete(element);
  setTimeout(() => attached.size || stream.close(), GRACE);
}

export function configure(element) {
  const url = element.getAttribute("stream-url") ?? "";
  if (streamUrl !== null && url !== streamUrl) store.clear();
  streamUrl = url;
  stream.use(url);
  actions.url = element.getAttribute("api-url") ?? "";
  actions.csrf = element.getAttribute("csrf-token") ?? actions.csrf;
  actions.page = new URL(url, document.baseURI).searchParams.get("page") ?? "";
}

function deliver(event, data) {
  if (event === "message") store.receive(data);
  else if (event === "gone") store.forget(data.ids);
  else {
    const { floor, older } = store;
    store.replace(data);
    if (older < floor) actions.loadOlder(older).catch(() => {});
  }
}

function onState(state) {
  store.tell("connection");
  if (state !== "stopped") return;
  store.addLocal({
    level: "warning", title: say("stopped"), body: say("stopped_body"),
    url: location.pathname + location.search, url_label: say("reload"),
  });
}
