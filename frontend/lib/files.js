/**
 * The files that are loaded when they are needed: monitio-cards.js with the first pop-up or task,
 * monitio-inbox.js with the panel of the bell.
 */

import { dispatch } from "./dom.js";

/** @typedef {{ cards: typeof import("../cards.js"), inbox: typeof import("../inbox.js") }} Files */

/** Between the first attempt that failed and the next, in ms; twice as long after each. */
const PAUSE = 1000, LONGEST_PAUSE = 60_000;
let timer = 0;
/** Firefox remembers for good that a module of this address failed: the next attempt has one "#" more. */
let hash = "";

/**
 * What is loaded; "load" says that there is more.
 * @type {Partial<Files> & EventTarget}
 */
export const files = new EventTarget();
/** @type {Map<keyof Files, Promise<any>>} */
const loading = new Map();
/** @type {Set<keyof Files>} */
const failed = new Set();

/**
 * Rejected when it cannot be loaded, until the next attempt.
 * @template {keyof Files} Name
 * @param {Name} name
 * @returns {Promise<Files[Name]>}
 */
export const load = (name) => loading.get(name) ?? attempt(name);

/** @param {keyof Files} name */
function attempt(name) {
  const attribute = document.querySelector(`[${name}*=monitio-]`)?.getAttribute(name);
  const url = attribute ?? new URL(`monitio-${name}.js`, import.meta.url);
  const promise = import(url + hash).then((file) => {
    files[name] = file;
    dispatch(files, "load");
    return file;
  });
  promise.catch(() => {
    failed.add(name);
    timer ||= setTimeout(retry, Math.min(PAUSE * 2 ** hash.length, LONGEST_PAUSE));
    hash += "#";
  });
  loading.set(name, promise);
  return promise;
}

/** Load at once what could not be loaded. */
export function retry() {
  clearTimeout(timer);
  timer = 0;
  for (const name of failed) attempt(name);
  failed.clear();
}

addEventListener("online", retry);
