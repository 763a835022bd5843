/** Notifications of the system: for who wishes them, from one tab, while none is in sight. */

/** @import { Message } from "../types.js" */

import { heading, isOn, isRunning, pageKey, safeUrl, siteKey, turn } from "../lib/page-core.js";

/** Each tab in sight shares this lock; who can have it alone knows that none is. */
const inSight = () => siteKey("in sight");

export const canNotify = () =>
  "Notification" in window && !!navigator.locks
  && !!document.querySelector("monitio-messages[system-notifications]");

export const notifies = () => Notification.permission === "granted" && isOn("notify");

/**
 * Whether they are on now; the browser asks, so it takes a click.
 * @param {boolean} on
 */
export async function setNotifies(on) {
  turn("notify", on && (await Notification.requestPermission()) === "granted");
  return notifies();
}

/** @param {Message} message */
export function notify(message) {
  if (!canNotify() || !notifies() || isRunning(message)) return;
  navigator.locks.request(inSight(), { ifAvailable: true }, (lock) => lock && show(message));
}

/** @param {Message} message */
function show(message) {
  const { id, title, body, url } = message;
  const target = safeUrl(url);
  try {
    const tag = pageKey(`${id}`);
    const shown = new Notification(heading(message), { body: title && body, tag });
    shown.onclick = () => {
      focus();
      if (target) location.assign(target);
    };
  } catch {
    // Chrome on Android wants a service worker.
  }
}

/** @type {(value?: any) => void} Gives the lock back. */
let release = () => {};

export function watchSight() {
  release();
  document.addEventListener("visibilitychange", watchSight);
  if (document.hidden || !canNotify()) return;
  navigator.locks.request(inSight(), { mode: "shared" }, () => new Promise((resolve) => {
    release = resolve;
  }));
}
