/** Plain questions about one message. */

const ENDED = new Set(["succeeded", "failed", "revoked", "lost"]);
const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

export const isRunning = (message) => !!message.job && !ENDED.has(message.job.state);

/** Local messages (negative ids) are known to this page only, never to the server. */
export const isLocal = (message) => message.id < 0;

export const countsAsUnread = (message) => message.persistent && !isLocal(message) && !message.read;

export const heading = (message) => message.title || message.body;

export const isExpired = (message) => (message.expiresAt ?? Infinity) <= Date.now();

/**
 * A complete message from whatever a caller knows of it. Bidirectional overrides are removed:
 * with them "exe.png" can be made to read "gnp.exe".
 */
export function complete(given) {
  const message = {
    version: 0, seq: 0, level: "info", tags: "", title: "", body: "", url: null, url_label: "",
    persistent: true, read: false, seen: false, created: new Date().toISOString(),
    expires_in: null, close_timeout: null, from: null, job: null, ...given,
  };
  for (const name of ["title", "body", "url_label"])
    message[name] = String(message[name]).replace(BIDI_CONTROLS, "");
  const result = message;
  if (result.expires_in != null) result.expiresAt ??= Date.now() + result.expires_in * 1000;
  return result;
}

/** The address when it is an http(s) one, else null. */
export function safeUrl(url) {
  if (!url) return null;
  try {
    const absolute = new URL(url, document.baseURI);
    return /^https?:$/.test(absolute.protocol) ? absolute.href : null;
  } catch {
    return null;
  }
}
