/** @import { PartialMessage, Message } from "../types.js" */

const ENDED = new Set(["succeeded", "failed", "revoked", "lost"]);
const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

/** @param {Message} message */
export const isRunning = ({ job }) => !!job && !ENDED.has(job.state);

/**
 * Negative ids are known to this page only, never to the server.
 * @param {Message} message
 */
export const isLocal = ({ id }) => id < 0;

/** @param {Message} [message] */
export const countsAsUnread = (message) =>
  +!!(message?.persistent && message.id > 0 && !message.read);

/** @param {Message} message */
export const heading = ({ title, body }) => title || body;

/** @param {Message} message */
export const shortHeading = (message) => heading(message).slice(0, 60);

/** @param {Message} message */
export const isExpired = ({ expiresAt }) => expiresAt !== undefined && expiresAt <= Date.now();

/**
 * @param {PartialMessage} given
 * @returns {Message}
 */
export function complete(given) {
  const message = /** @type {Message} */ ({
    level: "info", persistent: true, read: false, seen: false,
    created: new Date().toISOString(), ...given,
  });
  // With overrides of direction "exe.png" can be made to read "gnp.exe".
  for (const field of /** @type {const} */ (["title", "body", "url_label"]))
    message[field] = String(message[field] ?? "").replace(BIDI_CONTROLS, "");
  message.at = Date.parse(message.created);
  if (message.expires_in != null) message.expiresAt ??= Date.now() + message.expires_in * 1000;
  return message;
}

/**
 * Where a link may lead; null for anything but http(s).
 * @param {string | null} url
 */
export function safeUrl(url) {
  const absolute = url ? URL.parse(url, document.baseURI) : null;
  return absolute && /^https?:$/.test(absolute.protocol) ? absolute.href : null;
}

/**
 * @param {Message} message
 * @param {Message} known
 */
export const isOlder = (message, known) =>
  message.version < known.version || (message.version === known.version && message.seq < known.seq);

/**
 * @param {Message} message
 * @param {number} moment
 */
export const isSince = ({ arrived }, moment) => arrived !== undefined && arrived > moment;
