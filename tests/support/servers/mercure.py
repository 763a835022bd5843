"""A double of a Mercure hub, by version 8 of the protocol.

Neither pip nor Debian has a package of the real hub. The double follows the specification and
release 0.24: publishing by POST of a form with a publisher's token, subscribing by GET with
``topic`` and a subscriber's token in ``authorization``, private updates only for subscribers whose
token allows one of their topics, and streams that end when the token expires.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.support.servers.ports import free_port
from tests.support.waiting import wait_until

PATH = "/.well-known/mercure"


@dataclass(frozen=True)
class Update:
    topics: list[str]
    data: str
    type: str
    private: bool
    id: str = field(default_factory=lambda: f"urn:uuid:{uuid.uuid4()}")

    def encode(self) -> bytes:
        lines = [f"event: {self.type}"] if self.type else []
        lines += [f"id: {self.id}", *(f"data: {line}" for line in self.data.splitlines())]
        return ("\n".join(lines) + "\n\n").encode()


class Subscriber:
    def __init__(self, topics: list[str], claims: dict[str, Any]) -> None:
        self.topics, self.may_read = topics, claims["mercure"].get("subscribe", [])
        self.until = claims.get("exp", float("inf"))
        # None ends the stream.
        self.updates: queue.SimpleQueue[Update | None] = queue.SimpleQueue()

    def matches(self, update: Update) -> bool:
        subscribed = any(_matches(topic, self.topics) for topic in update.topics)
        allowed = any(_matches(topic, self.may_read) for topic in update.topics)
        return subscribed and (allowed or not update.private)


def _matches(topic: str, selectors: list[str]) -> bool:
    return "*" in selectors or topic in selectors


class Mercure:
    """``url`` stays the same over restarts. ``seen`` lists its requests, without tokens."""

    def __init__(self, publisher_key: str, subscriber_key: str) -> None:
        self.keys = {"publish": publisher_key, "subscribe": subscriber_key}
        self.port = free_port()
        self.subscribers: set[Subscriber] = set()
        self.frozen = threading.Event()
        self.server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def start(self) -> None:
        """Start it. Does nothing when it runs."""
        if self.server is None:
            handler = type("Handler", (_Handler,), {"hub": self})
            self.server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
            self.server.daemon_threads = True
            threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop it at once, with its streams."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
        for subscriber in list(self.subscribers):
            subscriber.updates.put(None)
        wait_until(lambda: not self.subscribers)

    close = stop

    def claims(self, token: str, right: str) -> dict[str, Any] | None:
        try:
            claims: dict[str, Any] = jwt.decode(token, self.keys[right], ["HS256"])
        except jwt.InvalidTokenError:
            return None
        return claims if isinstance(claims.get("mercure"), dict) else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Mercure

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        while self.hub.frozen.is_set():
            time.sleep(0.01)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        claims = self.hub.claims(token, "publish")
        form = parse_qs(body.decode(), keep_blank_values=True)
        topics, allowed = form.get("topic", []), (claims or {}).get("mercure", {})
        if not all(_matches(topic, allowed.get("publish", [])) for topic in topics):
            return self._answer(401)
        if not topics or not form.get("data"):
            return self._answer(400)
        update = Update(topics, form["data"][0], form.get("type", [""])[0], "private" in form)
        for subscriber in list(self.hub.subscribers):
            if subscriber.matches(update):
                subscriber.updates.put(update)
        return self._answer(200, update.id)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        claims = self.hub.claims(query.get("authorization", [""])[0], "subscribe")
        if claims is None:
            return self._answer(401)
        if not query.get("topic"):
            return self._answer(400)
        self._stream(Subscriber(query["topic"], claims))
        return None

    def _stream(self, subscriber: Subscriber) -> None:
        self.hub.subscribers.add(subscriber)
        self.close_connection = True
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "private, no-cache, no-store")
            self.end_headers()
            self.wfile.write(b":\n")
            while (left := subscriber.until - time.time()) > 0:
                try:
                    update = subscriber.updates.get(timeout=min(left, 0.5))
                except queue.Empty:
                    self.wfile.write(b":\n")
                    continue
                if update is None:
                    return
                self.wfile.write(update.encode())
        except OSError:
            pass  # the client has left
        finally:
            self.hub.subscribers.discard(subscriber)

    def _answer(self, status: int, text: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        # The client may have disconnected.
        with contextlib.suppress(OSError):
            self.end_headers()
            self.wfile.write(text.encode())

    def log_message(self, *args: Any) -> None:
        pass
