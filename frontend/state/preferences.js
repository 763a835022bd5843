/** What the browser remembers. Sites below one origin share its storage, so keys name site or page. */

let site = "";
let page = "";

/**
 * @param {string} apiUrl of the site
 * @param {string} streamUrl of the site, and of the user the page was made for
 */
export function setScope(apiUrl, streamUrl) {
  site = apiUrl;
  page = streamUrl;
}

/** @param {string} name */
export const siteKey = (name) => `monitio ${site} ${name}`;
/**
 * For what has to do with messages: another user's have other numbers.
 * @param {string} name
 */
export const pageKey = (name) => `monitio ${page} ${name}`;

/**
 * Reads, or writes a value. Storage may be forbidden: then nothing is remembered.
 * @param {"localStorage" | "sessionStorage"} storage
 * @param {string} key
 * @param {string} [value]
 * @returns {string | undefined}
 */
function remember(storage, key, value) {
  try {
    if (value) window[storage][key] = value;
    return window[storage][key];
  } catch {
    return undefined;
  }
}

/** @param {string} name */
export const isOn = (name) => remember("localStorage", siteKey(name)) === "yes";
/**
 * @param {string} name
 * @param {boolean} on
 */
export const turn = (name, on) => remember("localStorage", siteKey(name), on ? "yes" : "no");

/** Of `isOn` and `turn`: pop-ups stay until they are closed. */
export const KEEP_OPEN = "keep-open";

/**
 * A running job's pop-up that was closed stays closed in this tab.
 * @param {number} id
 */
export const wasClosed = (id) => remember("sessionStorage", pageKey(`closed ${id}`)) === "yes";
/** @param {number} id @param {boolean} on */
export const setClosed = (id, on) =>
  remember("sessionStorage", pageKey(`closed ${id}`), on ? "yes" : "no");

/**
 * Close it in the other tabs, too; the time makes each value new.
 * @param {number} id
 */
export const tellTabs = (id) => remember("localStorage", pageKey("closed"), `${id} ${Date.now()}`);
/**
 * The id that another tab of this page's user has closed; NaN: the event is about something else.
 * @param {StorageEvent} event
 */
export const closedElsewhere = ({ key, newValue }) =>
  key === pageKey("closed") ? parseInt(newValue ?? "") : NaN;
