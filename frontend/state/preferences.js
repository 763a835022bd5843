/**
 * Reads, or writes a value. Storage may be forbidden: then nothing is remembered.
 * @param {"localStorage" | "sessionStorage"} storage
 * @param {string} key
 * @param {string} [value]
 * @returns {string | undefined}
 */
function remember(storage, key, value) {
  try {
    if (value) window[storage][`monitio.${key}`] = value;
    return window[storage][`monitio.${key}`];
  } catch {
    return undefined;
  }
}

/** @param {string} key */
export const isOn = (key) => remember("localStorage", key) === "yes";
/**
 * @param {string} key
 * @param {boolean} on
 */
export const turn = (key, on) => remember("localStorage", key, on ? "yes" : "no");

/** Of `isOn` and `turn`: pop-ups stay until they are closed. */
export const KEEP_OPEN = "keep-open";

/**
 * A running job's pop-up that was closed stays closed in this tab.
 * @param {number} id
 */
export const wasClosed = (id) => !!remember("sessionStorage", `closed.${id}`);
/** @param {number} id */
export const setClosed = (id) => remember("sessionStorage", `closed.${id}`, "yes");

/**
 * Close it in the other tabs, too; the time makes each value new.
 * @param {number} id
 */
export const tellTabs = (id) => remember("localStorage", "closed", `${id} ${Date.now()}`);
