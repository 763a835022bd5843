const ENDED = new Set(["succeeded", "failed", "revoked", "lost"]);
const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

export const isRunning = ({ job }) => !!job && !ENDED.has(job.state);

/** Negative ids are known to this page only, never to the server. */
export const isLocal = ({ id }) => id < 0;

export const countsAsUnread = ({ id, persistent, read }) => +(persistent && id > 0 && !read);

export const heading = ({ title, body }) => title || body;

export const isExpired = ({ expiresAt }) => expiresAt <= Date.now();

export function complete(given) {
  const message = {
    version: 0, seq: 0, level: "info", title: "", body: "", url: null, url_label: "", job: null,
    persistent: true, read: false, seen: false, created: new Date().toISOString(), ...given,
  };
  // With overrides of direction "exe.png" can be made to read "gnp.exe".
  for (const field of ["title", "body", "url_label"])
    message[field] = String(message[field] ?? "").replace(BIDI_CONTROLS, "");
  if (message.expires_in != null) message.expiresAt ??= Date.now() + message.expires_in * 1000;
  return message;
}

export function safeUrl(url) {
  const absolute = url ? URL.parse(url, document.baseURI) : null;
  return absolute && /^https?:$/.test(absolute.protocol) ? absolute.href : null;
}
