/* Shows push notifications. Its scope has no pages, so that a site's own worker is not affected; a
   site may also import it there: importScripts("/messages/push/worker.js"). */

self.addEventListener("push", (event) => {
  const message = read(event.data);
  if (!message) return;
  const { title, navigate, ...options } = message.notification;
  options.data = { monitio: new URL(navigate, self.registration.scope).href };
  event.waitUntil(
    Promise.all([self.registration.showNotification(title, options), badge(message.app_badge)]));
});

self.addEventListener("notificationclick", (event) => {
  const url = event.notification.data?.monitio;
  if (!url) return;
  event.notification.close();
  event.waitUntil(open(url));
});

/* Null for what the site's own worker is to show. */
function read(data) {
  try {
    const message = data.json();
    return message.web_push === 8030 && message.notification?.navigate ? message : null;
  } catch {
    return null;
  }
}

async function badge(unread) {
  // Installed apps alone have one.
  await self.navigator.setAppBadge?.(unread)?.catch(() => {});
}

async function open(url) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((window) => window.url === url);
  await (there ? there.focus() : self.clients.openWindow(url));
}
