/** The npm package `monitio`: what a user should see, for pages that Django has not rendered. */

/** @import { Bootstrap, ConnectionState } from "../types.js" */
/** @import { Monitio, Options, State } from "./index.js" */

import { FetchEventSource } from "./event-source.js";
import { SingleConnection } from "./single-connection.js";
import { later } from "../lib/dom.js";
import { Connection } from "../live/connection.js";
import { Actions } from "../state/actions.js";
import { streamAt } from "../state/requests.js";
import { Store } from "../state/store.js";

export { FetchEventSource };

const GRACE = 2000;
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 60_000;
/** @type {State} */
const NOTHING = Object.freeze({ messages: [], unread: 0, connection: "idle", texts: {} });
const HAS_TABS = typeof document !== "undefined" && typeof BroadcastChannel !== "undefined";

/**
 * Opens nothing before the first `subscribe`, and closes a while after the last listener has left:
 * a component that mounts twice has one stream.
 * @param {Options} options
 * @returns {Monitio}
 */
export function createMonitio({ url, EventSourceClass, ...options }) {
  const store = new Store();
  const actions = new Actions(store, {
    onForeign: stop,
    onSnapshot: ({ heartbeat = 0 }) => connection?.expect(heartbeat),
  });
  actions.url = url;
  actions.options = options;
  /** @type {Set<() => void>} */
  const listeners = new Set();
  /** @type {Connection | SingleConnection | undefined} */
  let connection;
  /** @type {ConnectionState} */
  let state = "idle";
  /** @type {Record<string, string>} */
  let texts = {};
  let current = NOTHING;
  let isDirty = false;
  let isStarting = false;
  let failures = 0;
  let timer = 0;
  /** Of the start whose answer counts: `restart` begins another. */
  let attempt = 0;

  for (const type of ["put", "drop", "unread"]) store.addEventListener(type, changed);

  function changed() {
    if (isDirty) return;
    isDirty = true;
    // One call for everything that a snapshot changes.
    queueMicrotask(() => {
      isDirty = false;
      const messages = store.list().filter((message) => !message.notice);
      current = Object.freeze({ messages, unread: store.unread, connection: state, texts });
      for (const listener of [...listeners]) listener();
    });
  }

  /** @param {ConnectionState} now */
  function setState(now) {
    if (now === state) return;
    state = now;
    changed();
  }

  function stop() {
    connection?.stop();
    setState("stopped");
  }

  function open() {
    if (isStarting || timer || state === "stopped") return;
    if (connection) connection.open();
    else start();
  }

  async function start() {
    const own = ++attempt;
    isStarting = true;
    setState("connecting");
    try {
      actions.page = "";
      const answer = await actions.get(`json/?bootstrap=${remembered(url)?.hash ?? ""}`);
      if (own !== attempt) return;
      failures = 0;
      if (answer) connect(answer);
    } catch {
      if (own !== attempt) return;
      setState("offline");
      const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures++);
      timer = later(() => {
        timer = 0;
        if (listeners.size) start();
      }, delay * (0.5 + Math.random()));
    }
    isStarting = false;
  }

  /** @param {Bootstrap} answer */
  function connect(answer) {
    actions.page = answer.page;
    texts = answer.strings.texts ?? remembered(url)?.texts ?? {};
    remember(url, { hash: answer.strings.hash, texts });
    store.replace(answer);
    changed();
    connection ??= new (HAS_TABS ? Connection : SingleConnection)({
      deliver: (type, data) => actions.deliver(type, data),
      onState: setState,
      refresh: () => actions.refresh(),
    });
    // EventSource sends no headers.
    const needsFetch = options.headers || !globalThis.EventSource;
    connection.configure(EventSourceClass ?? (needsFetch ? FetchEventSource : undefined), options);
    connection.fetchesSnapshot = answer.fetch_snapshot;
    connection.use(streamAt(url, answer.page), answer.visitor_cookie);
    connection.expect(answer.heartbeat ?? 0);
    if (listeners.size) connection.open();
  }

  return {
    subscribe(listener) {
      listeners.add(listener);
      open();
      return () => {
        listeners.delete(listener);
        setTimeout(() => listeners.size || connection?.close(), GRACE);
      };
    },
    restart() {
      connection?.close();
      clearTimeout(timer);
      timer = failures = 0;
      store.clear();
      setState("idle");
      if (listeners.size) start();
    },
    getSnapshot: () => current,
    getServerSnapshot: () => NOTHING,
    markRead: (which) => actions.markRead(which),
    markUnread: (id) => actions.markUnread(id),
    markSeen(id) {
      const known = store.messages.get(id);
      if (known) actions.seen(known);
    },
    remove: (which) => actions.remove(which),
    cancel: async (id) => !!(await actions.cancel(id)),
    retry: async (id) => !!(await actions.retry(id)),
    reply: async (id, text) => !!(await actions.reply(id, text)),
    loadOlder: () => actions.loadOlder(),
    fileUrl: (id, file) => actions.fileUrl(id, file),
  };
}

/**
 * The texts of the last visit, while the page may remember any.
 * @param {string} url
 * @returns {Bootstrap["strings"] | undefined}
 */
function remembered(url) {
  try {
    return JSON.parse(localStorage[`monitio ${url} texts`]);
  } catch {
    return undefined;
  }
}

/** @param {string} url @param {Bootstrap["strings"]} texts */
function remember(url, texts) {
  try {
    localStorage[`monitio ${url} texts`] = JSON.stringify(texts);
  } catch {
    // They are fetched again next time.
  }
}
