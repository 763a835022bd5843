/** The messages that the server wrote into the page, `<li data-id>`: one source with and without JS. */

import { complete } from "./message.js";
import { store } from "./page.js";

const taken = new WeakMap();

export function takeServerItems(host) {
  // Newest first in the page, but the newest is to arrive last.
  for (const item of [...host.querySelectorAll("li[data-id]")].reverse()) {
    const signature = `${item.dataset.id} ${item.dataset.v} ${item.textContent}`;
    if (taken.get(item) === signature) continue;
    taken.set(item, signature);
    const message = readItem(item, item.dataset);
    if (message.id > 0) store.seed(complete(message));
    else store.addLocal(message);
  }
}

function readItem(item, data) {
  const text = (part) => item.querySelector(`.${part}`)?.textContent.trim() ?? "";
  return {
    id: +data.id, version: +data.v, level: data.level, tags: data.tags,
    title: text("title"), body: data.body ?? text("body"),
    url: item.querySelector("a.url")?.getAttribute("href"), url_label: text("url"),
    created: item.querySelector("time")?.dateTime, persistent: data.persistent !== "0",
    read: "read" in data, seen: "seen" in data, from: data.from,
    close_timeout: number(data.closeTimeout), expiresAt: Date.parse(data.expires) || undefined,
    seq: number(data.seq) ?? 0, job: data.state ? readJob(data) : null,
  };
}

const readJob = ({ task, state, percent, done, total, text }) => ({
  task, state, percent: number(percent), done: number(done), total: number(total), text,
});

const number = (text) => (text ? Number(text) : null);
