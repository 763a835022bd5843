// The npm package in Node, without window, document and EventSource. This process is the server.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { afterEach, beforeEach, test } from "node:test";

import { parser } from "../../../frontend/package/event-source.js";

// The package as npm packs it.
const { createMonitio } = await import(process.env.MONITIO_TEST_PACKAGE);

const TEXTS = { hash: "h1", texts: { close_all: "Close all" } };
let server, url, requests, streams, messages, status, heartbeat, leave;

const message = (id, fields = {}) => ({
  id, version: 1, seq: 0, level: "info", tags: "", title: "", body: `text ${id}`, url: null,
  url_label: "", persistent: true, read: false, seen: false, created: new Date().toISOString(),
  expires_in: null, close_timeout: null, from: null, job: null, ...fields,
});
const snapshot = () => ({ messages, unread: messages.length, floor: 0, heartbeat });
const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const send = (name, data) => streams.at(-1).write(event(name, data));
const requested = (path) => requests.filter((one) => one.path.startsWith(`/messages/${path}`));

function answer(request, response) {
  const { pathname: path, searchParams } = new URL(request.url, "http://localhost");
  requests.push({ path, method: request.method, ...request.headers });
  if (status !== 200) return response.writeHead(status).end();
  if (path.endsWith("/stream/")) {
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
    response.write(`retry: 10\n\n${event("snapshot", snapshot())}`);
    streams.push(response);
    return response.on("close", () => (response.left = true));
  }
  response.setHeader("Content-Type", "application/json");
  if (request.method === "POST") return response.end(`{"ok": true, "unread": 0}`);
  const more = { page: "u.1", visitor_cookie: "", fetch_snapshot: false, strings: TEXTS };
  return response.end(JSON.stringify({ ...snapshot(), ...(searchParams.has("bootstrap") && more) }));
}

async function until(condition, what) {
  for (let turn = 0; turn < 12_000; turn++) {
    const found = condition();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new assert.AssertionError({ message: `not within a minute: ${what ?? condition}` });
}

beforeEach(async () => {
  requests = [];
  streams = [];
  messages = [];
  status = 200;
  heartbeat = 30;
  leave = () => {};
  server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}/messages/`;
});

afterEach(() => {
  leave();
  server.close();
  server.closeAllConnections();
});

/** A store with a listener, whose stream is open. */
async function opened(options = {}) {
  const monitio = createMonitio({ url, ...options });
  let calls = 0;
  leave = monitio.subscribe(() => calls++);
  await until(() => monitio.getSnapshot().connection === "open", "open");
  return { monitio, calls: () => calls, state: () => monitio.getSnapshot() };
}

test("without a subscriber nothing is requested", async () => {
  assert.equal(typeof window, "undefined");
  const monitio = createMonitio({ url });
  assert.equal(monitio.getSnapshot(), monitio.getServerSnapshot());
  assert.deepEqual(monitio.getServerSnapshot().messages, []);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(requests.length, 0);
});

test("subscribing twice opens one stream", async () => {
  const monitio = createMonitio({ url });
  monitio.subscribe(() => {})();
  leave = monitio.subscribe(() => {});
  await until(() => monitio.getSnapshot().connection === "open");
  monitio.subscribe(() => {})();
  assert.equal(requested("stream/").length, 1);
  assert.equal(requested("json/").length, 1);
});

test("the state is a new object only after a change", async () => {
  messages = [message(1)];
  const { state, calls } = await opened();
  const before = state();
  assert.equal(state(), before);
  assert.deepEqual(before.messages.map(({ body }) => body), ["text 1"]);
  assert.equal(before.texts.close_all, "Close all");
  const count = calls();
  send("message", message(2));
  await until(() => state().unread === 2);
  assert.notEqual(state(), before);
  assert.equal(state().messages.at(-1), before.messages[0]);
  assert.equal(calls(), count + 1);
});

test("each request has the header", async () => {
  messages = [message(1)];
  const { monitio } = await opened({ headers: { Authorization: "Bearer anns" } });
  await monitio.markRead(1);
  assert.equal(monitio.getSnapshot().unread, 0);
  assert.deepEqual(new Set(requests.map((one) => one.authorization)), new Set(["Bearer anns"]));
  assert.equal(requests.length, 3);
});

test("a stream that ends is reopened with a snapshot", async () => {
  const { state } = await opened();
  messages = [message(7)];
  send("bye", { reason: "age", retry: 10 });
  await until(() => state().messages[0]?.id === 7);
  assert.equal(requested("stream/").length, 2);
});

test("a broken connection is reopened", async () => {
  const { state } = await opened();
  messages = [message(8)];
  streams[0].destroy();
  await until(() => state().messages[0]?.id === 8);
  await until(() => state().connection === "open");
});

test("a silent stream is replaced", async () => {
  heartbeat = 0.1;
  await opened();
  await until(() => streams.length > 1);
  await until(() => streams[0].left);
});

test("a function returns the header for each request", async () => {
  let number = 0;
  const { state } = await opened({ headers: async () => ({ Authorization: `Bearer ${++number}` }) });
  send("bye", { reason: "signed-out", retry: 10 });
  await until(() => requested("stream/").length === 2);
  assert.deepEqual(requests.map((one) => one.authorization), ["Bearer 1", "Bearer 2", "Bearer 3"]);
  await until(() => state().connection === "open");
});

test("a token that has expired stops it", async () => {
  const { state } = await opened({ headers: { Authorization: "Bearer anns" } });
  send("bye", { reason: "signed-out", retry: 10 });
  await until(() => state().connection === "stopped");
  assert.equal(requested("stream/").length, 1);
});

test("a function that has no other token stops it, too", async () => {
  const { state } = await opened({ headers: () => ({ Authorization: "Bearer anns" }) });
  status = 401;
  send("bye", { reason: "signed-out", retry: 10 });
  await until(() => state().connection === "stopped");
});

test("it restarts for another user", async () => {
  messages = [message(1)];
  let token = "anns";
  const { monitio, state } = await opened({ headers: () => ({ Authorization: `Bearer ${token}` }) });
  status = 401;
  streams[0].end(event("bye", { reason: "signed-out", retry: 10 }));
  await until(() => state().connection === "stopped");
  status = 200;
  token = "bobs";
  messages = [message(2)];
  monitio.restart();
  await until(() => state().connection === "open");
  assert.deepEqual(state().messages.map(({ id }) => id), [2]);
  assert.equal(requests.at(-1).authorization, "Bearer bobs");
  assert.equal(streams.length, 2);
});

test("a refusal at the start stops it", async () => {
  status = 401;
  const monitio = createMonitio({ url, headers: { Authorization: "Bearer forged" } });
  leave = monitio.subscribe(() => {});
  await until(() => monitio.getSnapshot().connection === "stopped");
  assert.equal(requests.length, 1);
});

test("a site that is down is requested again", async () => {
  status = 503;
  const monitio = createMonitio({ url });
  leave = monitio.subscribe(() => {});
  await until(() => monitio.getSnapshot().connection === "offline");
  status = 200;
  await until(() => monitio.getSnapshot().connection === "open");
});

test("the last unsubscribe closes the stream", async () => {
  const { monitio } = await opened();
  leave();
  await until(() => streams[0].left);
  leave = monitio.subscribe(() => {});
  await until(() => streams.length === 2);
});

test("a refused change is undone", async () => {
  messages = [message(1)];
  const { monitio, state } = await opened();
  status = 500;
  await monitio.remove(1);
  assert.deepEqual(state().messages.map(({ id }) => id), [1]);
  assert.equal(await monitio.cancel(1), false);
});

test("events are complete however the network splits them", () => {
  const text = ": hello\r\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\nretry: 5\n\ndata: b: c\n\nid: 3\r\rdata\n\n";
  for (let size = 1; size <= text.length; size++) {
    const found = [];
    const parse = parser((name, data) => found.push([name, data]));
    for (let at = 0; at < text.length; at += size) parse(text.slice(at, at + size));
    assert.deepEqual(found, [["a", "1\n2"], ["message", "b: c"], ["message", ""]], `in pieces of ${size}`);
  }
});
