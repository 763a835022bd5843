const attempt = (act) => {
  try {
    return act();
  } catch {
    return null; // Storage may be forbidden: then nothing is remembered.
  }
};

/** The user's wish that no pop-up closes by itself. */
export const keepsOpen = () => attempt(() => localStorage["monitio.keep-open"]) === "true";
export const setKeepsOpen = (on) => attempt(() => (localStorage["monitio.keep-open"] = on));

/** A running job's pop-up that was closed stays closed after a reload, in this tab. */
export const wasClosed = (id) => attempt(() => sessionStorage[`monitio.closed.${id}`]) === "true";
export const setClosed = (id) => attempt(() => (sessionStorage[`monitio.closed.${id}`] = true));
