/**
 * The files that are loaded when they are needed: monitio-cards.js with the first pop-up or task,
 * monitio-inbox.js with the panel of the bell.
 */

/** @typedef {{ cards: typeof import("../cards.js"), inbox: typeof import("../inbox.js") }} Files */

/**
 * What is loaded.
 * @type {Partial<Files>}
 */
export const files = {};
/** @type {Map<keyof Files, Promise<any>>} */
const loading = new Map();

/**
 * Rejected when it cannot be loaded; the next call tries again.
 * @template {keyof Files} Name
 * @param {Name} name
 * @returns {Promise<Files[Name]>}
 */
export function load(name) {
  const known = loading.get(name);
  if (known) return known;
  const attribute = document.querySelector(`:is(monitio-bell, monitio-messages)[${name}]`)?.getAttribute(name);
  const promise = import(attribute ?? new URL(`monitio-${name}.js`, import.meta.url).href)
    .then((file) => (files[name] = file));
  promise.catch(() => loading.delete(name));
  loading.set(name, promise);
  return promise;
}
