/** What the files that are loaded later have from monitio.js: there is one of each on a page. */

/** @type {typeof import("../core.js").core} */
const core = /** @type {any} */ (globalThis).monitioCore;

export const {
  actions, addIcons, batched, button, connection, format, formatNumber, formatPercent, heading, icon,
  isLocal, isOn, isRunning, KEEP_OPEN, label, make, MessageView, pageKey, popups, rank, Rows, safeUrl,
  setText, shortHeading, siteKey, store, t, tool, turn,
} = core;
