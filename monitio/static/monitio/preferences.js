/** Reads, or writes a value. Storage may be forbidden: then nothing is remembered. */
function remember(storage, key, value) {
  try {
    if (value) window[storage][`monitio.${key}`] = value;
    return window[storage][`monitio.${key}`];
  } catch {
    return undefined;
  }
}

export const keepsOpen = () => remember("localStorage", "keep-open") === "yes";
export const setKeepsOpen = (on) => remember("localStorage", "keep-open", on ? "yes" : "no");

/** A running job's pop-up that was closed stays closed in this tab. */
export const wasClosed = (id) => !!remember("sessionStorage", `closed.${id}`);
export const setClosed = (id) => remember("sessionStorage", `closed.${id}`, "yes");

/** Close it in the other tabs, too; the time makes each value new. */
export const tellTabs = (id) => remember("localStorage", "closed", `${id} ${Date.now()}`);
