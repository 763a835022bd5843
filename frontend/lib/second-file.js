/** monitio-inbox.js: the panel of the bell, and what only tasks and desktop notifications need. */

/** @typedef {typeof import("../inbox.js")} SecondFile */

/** @type {Promise<SecondFile> | null} */
let loading = null;

/**
 * Once it is loaded.
 * @type {SecondFile | null}
 */
export let second = null;

/** Rejected when it cannot be loaded; the next call tries again. */
export const loadSecond = () =>
  (loading ??= import(
    document.querySelector("monitio-bell[inbox], monitio-messages[inbox]")?.getAttribute("inbox")
      ?? new URL("monitio-inbox.js", import.meta.url).href
  ).then((file) => (second = file)).finally(() => {
    if (!second) loading = null;
  }));
