"""A fake site of one page with monitio's wire format, for tests of the front end.

The test stores and pushes messages, in any order, and reads the page's requests.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from django.template.loader import render_to_string

import monitio
from monitio.views.strings import strings

STATIC = Path(monitio.__file__).parent / "static/monitio"
PACKAGES = Path(__file__).resolve().parents[3] / "node_modules"
STATIC_URL = "/static/monitio/"
TYPES = {".js": "text/javascript", ".css": "text/css"}
# The strictest policy that a site can have.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'; report-uri /csp"
)
RUNNING = ("queued", "started", "retrying")
# A script of the page that exposes the state that tests read.
EXPOSE = """
import { monitio } from "/static/monitio/monitio.js";
window.monitio = monitio;
window.events = [];
const types = ["message", "task", "close", "closeall", "delete", "action", "unread", "connection"];
for (const type of types)
  document.addEventListener(`monitio:${type}`, ({ detail }) =>
    events.push([type, detail.message?.id ?? detail.state ?? detail.count ?? null]));
// The live regions remove texts after some seconds; `announced` keeps them.
window.announced = [];
window.interrupted = [];
new MutationObserver((records) => {
  for (const { addedNodes, target } of records)
    for (const { textContent } of ["status", "alert"].includes(target.role) ? addedNodes : []) {
      announced.push(textContent);
      if (target.role === "alert") interrupted.push(textContent);
    }
}).observe(document.getElementById("monitio").shadowRoot, { childList: true, subtree: true });
"""


def message(pk: int | None, **fields: Any) -> dict[str, Any]:
    """A message in the wire format."""
    usual: dict[str, Any] = {
        "version": 1, "seq": 0, "level": "info", "tags": "", "title": f"M{pk}", "body": "",
        "url": None, "url_label": "", "persistent": True, "read": False, "seen": False,
        "created": datetime.now(UTC).isoformat(), "expires_in": None, "close_timeout": None,
        "from": None, "job": None,
    }  # fmt: skip
    return {**usual, "id": pk, **fields}


def job(pk: int, state: str = "started", version: int = 1, **fields: Any) -> dict[str, Any]:
    """The message of a job; ``percent``, ``done``, ``text`` and so on are fields of the job."""
    names = ("task", "percent", "done", "total", "text", "eta", "rate", "cancel")
    own = {name: fields.pop(name) for name in names if name in fields}
    usual = {"task": "T1", "percent": None, "done": None, "total": None, "text": ""}
    progress = {**usual, **own, "state": state}
    return message(pk, **{"title": "Job", "version": version, "job": progress, **fields})


class Wire:
    """The server, in threads of this process; ``close()`` ends them."""

    def __init__(self) -> None:
        self.messages: dict[int, dict[str, Any]] = {}
        # Messages rendered into the page; no stream sends them.
        self.flash: list[dict[str, Any]] = []
        # The page's additional head, and attributes of its body and root element. A page with an
        # additional head has no strict policy. `greets`: a message is rendered into each page.
        self.head = self.body = self.root = ""
        self.greets = False
        self.pages = 0
        # Status of streams and of POST requests; 204 of streams also applies to snapshots.
        self.stream_status = self.post_status = 200
        # A cookie that responses to POST /start, and those with status 204, set.
        self.cookie = ""
        # Requests received: (path below the API, form fields), CSP reports, numbers of streams and
        # snapshots, file names, and Authorization headers.
        self.posts: list[tuple[str, dict[str, list[str]]]] = []
        self.reports: list[str] = []
        self.stream_requests = 0
        self.has: list[str] = []
        self.files: list[str] = []
        # Static files that return 404.
        self.missing: set[str] = set()
        self.snapshot_requests = 0
        self.authorizations: list[str | None] = []
        self.post_authorizations: list[str | None] = []
        # A hub's streams begin without a snapshot; a polled server's end at once.
        self.begins_with_snapshot, self.ends_at_once = True, False
        # The mark of the snapshot; a stream of a page that has it begins with "resync".
        self.mark = ""
        # Seconds between two `beat` events, as in snapshots; None: streams send none.
        self.heartbeat: float | None = None
        # The limit of the unread count.
        self.most = 1000
        # Requests for /busy wait for this.
        self.busy = threading.Event()
        self.errors: list[BaseException] = []
        self._streams: list[Stream] = []
        self._lock = threading.RLock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.busy.set()
        self._server.shutdown()
        self._thread.join(30)
        self.drop()
        self._server.hang_up()
        self._server.server_close()

    # Actions of the test.

    def put(self, *messages: dict[str, Any]) -> None:
        """Store the messages and push them."""
        for one in messages:
            self.store(one)
            self.push("message", one)

    def store(self, *messages: dict[str, Any]) -> None:
        """Store the messages without pushing them, as when the event is lost."""
        with self._lock:
            self.messages |= {one["id"]: one for one in messages}

    def push(self, event: str, data: Any, page: str | None = None) -> None:
        """Send to every stream, or to those of the pages with this token."""
        with self._lock:
            for stream in self._streams:
                if page in (None, stream.page):
                    stream.put((event, data))

    def delete(self, *pks: int) -> None:
        self.lose(*pks)
        self.push("gone", {"ids": list(pks)})

    def lose(self, *pks: int) -> None:
        """Delete the messages without pushing it, as when the event is lost."""
        with self._lock:
            for pk in pks:
                self.messages.pop(pk, None)

    def drop(self) -> None:
        """End every stream, as when the network fails."""
        with self._lock:
            for stream in self._streams:
                stream.put(None)

    # State that the test reads.

    @property
    def open(self) -> int:
        with self._lock:
            return len(self._streams)

    def seen(self) -> list[int]:
        """The ids reported as seen, in order."""
        return [int(pk) for path, fields in self.posts if path == "seen/" for pk in fields["ids"]]

    def posted(self, path: str, **fields: list[str]) -> bool:
        """Whether the page has posted exactly these fields, besides those of every form."""
        return any(one == path and fields.items() <= sent.items() for one, sent in self.posts)

    def deleted(self) -> list[int]:
        """The ids that were deleted, in order."""
        path = "delete/message/"
        return [int(one[len(path) : -1]) for one, _ in self.posts if one.startswith(path)]

    # Handling of the browser's requests.

    def snapshot(self) -> dict[str, Any]:
        newest = self._newest()
        page = newest[:100]
        floor = page[-1]["id"] if len(newest) > 100 else 0
        beats = {} if self.heartbeat is None else {"heartbeat": self.heartbeat}
        unread = self._unread()
        counted = {"unread": min(unread, self.most), "unread_capped": unread >= self.most}
        return {"messages": page, **counted, "floor": floor, **beats}

    def older(self, before: int) -> dict[str, Any]:
        rest = [one for one in self._newest() if one["id"] < before]
        return {"messages": rest[:100], "more": len(rest) > 100}

    def subscribe(self, page: str, has: str) -> Stream:
        stream = Stream(page)
        with self._lock:
            if has and has == self.mark:
                stream.put(("resync", {"mark": has}))
            elif self.begins_with_snapshot:
                stream.put(("snapshot", {**self.snapshot(), "mark": self.mark}))
            if self.ends_at_once:
                stream.put(("bye", {"reason": "busy", "retry": 200}))
                stream.put(None)
            self._streams.append(stream)
        return stream

    def unsubscribe(self, stream: Stream) -> None:
        with self._lock:
            self._streams.remove(stream)

    def act(self, path: str, fields: dict[str, list[str]]) -> dict[str, Any]:
        """Carry out a POST and push the change to every stream."""
        with self._lock:
            verb, _, which = path.strip("/").partition("/")
            if verb == "seen":
                self._mark(map(int, fields["ids"]), "seen")
            elif verb == "mark_read":
                self._mark(self._named(which), "read", "seen")
            elif verb == "mark_unread":
                known = self.messages[int(which)]
                self.put({**known, "read": False, "version": known["version"] + 1})
            elif verb == "delete":
                self.delete(*self._named(which.removeprefix("message/")))
            return {"ok": True, "unread": self._unread()}

    def _named(self, which: str) -> list[int]:
        return list(self.messages) if which == "all" else [int(which)]

    def _mark(self, pks: Iterable[int], *flags: str) -> None:
        for pk in pks:
            known = self.messages.get(pk)
            if known is None:
                continue
            if not known["persistent"]:
                self.delete(pk)
            else:
                more = dict.fromkeys(flags, True)
                self.put({**known, **more, "version": known["version"] + 1})

    def _newest(self) -> list[dict[str, Any]]:
        with self._lock:
            return sorted(self.messages.values(), key=lambda one: -one["id"])

    def _unread(self) -> int:
        return sum(one["persistent"] and not one["read"] for one in self._newest())

    def page(self, options: dict[str, str]) -> str:
        """The page, as the template tags render it; ``options`` are attributes."""
        self.pages += 1
        extra = "".join(f' {name}="{escape(value)}"' for name, value in options.items())
        greeting = message(None, title=f"Page {self.pages}", level="error")
        flash = [greeting, *self.flash] if self.greets else self.flash
        items = "".join(
            f'<li data-message="{escape(json.dumps(one))}"></li>'
            for one in [*flash, *self._newest()]
            if not (one["read"] or one["seen"]) or (one["job"] and one["job"]["state"] in RUNNING)
        )
        unread = self._unread()
        return PAGE.format(
            bell=render_to_string(
                "monitio/tags/bell.html",
                {"unread": unread, "unread_text": unread, "list_url": "/m/"},
            ),
            strings=json.dumps(strings()),
            extra=extra,
            items=items,
            head=self.head,
            body=self.body,
            root=self.root,
            number=self.pages,
        )


PAGE = """<!doctype html><html lang="en"{root}><head><meta charset="utf-8"><title>Page</title>
<link rel="stylesheet" href="/static/monitio/monitio.css">
<script type="application/json" data-strings>{strings}</script>
<script type="module" src="/expose.js"></script>{head}</head><body{body}>
<header>{bell}</header>
<p id="number">{number}</p><a id="next" href="/page/{number}">Next</a>
<input id="field" aria-label="Search"><monitio-progress task="T1">nothing yet</monitio-progress>
<monitio-messages id="monitio"{extra} stream-url="/m/stream/?page=ann" api-url="/m/"
 csrf-token="token"><ul class="monitio-items">{items}</ul></monitio-messages></body></html>"""


class Stream(queue.SimpleQueue[Any]):
    """The events to send to a page; None ends the stream."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page


class _Server(ThreadingHTTPServer):
    # server_close() waits for every thread.
    daemon_threads = False
    # For ten tabs: the kernel drops connections above it, and the browser retries a second later.
    request_queue_size = 128

    def __init__(self, wire: Wire) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wire = wire
        self._connections: set[socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close idle connections, which a running browser keeps open."""
        for connection in list(self._connections):
            # It may have been closed meanwhile.
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        # A browser that disconnects is not an error.
        if error is not None and not isinstance(error, ConnectionError):
            self.wire.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
        pass

    @property
    def wire(self) -> Wire:
        return self.server.wire

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/" or url.path.startswith("/page/"):
            options = dict(parse_qsl(url.query, keep_blank_values=True))
            page = self.wire.page(options)
            self.answer(page, "text/html; charset=utf-8", strict=not self.wire.head)
        elif url.path == "/m/stream/":
            self.stream(query["page"][0], query.get("has", [""])[0])
        elif url.path == "/m/json/" and self.wire.stream_status == 204:
            self.answer("", status=204)
        elif url.path == "/m/json/" and "before" in query:
            self.answer(json.dumps(self.wire.older(int(query["before"][0]))))
        elif url.path == "/m/json/":
            answer = json.dumps({**self.wire.snapshot(), "csrf": "token"})
            # Counted once its content is fixed: messages stored later are not in it.
            self.wire.snapshot_requests += 1
            self.answer(answer)
        elif url.path == "/busy":
            self.wire.busy.wait(60)
            self.answer("")
        elif url.path == "/expose.js":
            self.answer(EXPOSE, "text/javascript")
        elif url.path.startswith("/npm/"):
            self.answer((PACKAGES / url.path.removeprefix("/npm/")).read_text(), "text/javascript")
        elif url.path.startswith(STATIC_URL):
            file = STATIC / url.path.removeprefix(STATIC_URL)
            self.wire.files.append(file.name)
            status = 404 if file.name in self.wire.missing else 200
            self.answer(file.read_text(), TYPES[file.suffix], status)
        else:
            self.answer("<h1>Another page</h1>", "text/html")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path == "/csp":
            self.wire.reports.append(body)
            return self.answer("", status=204)
        if self.path == "/start":
            return self.answer("<h1>Started</h1>", "text/html")
        path, fields = self.path.removeprefix("/m/"), parse_qs(body)
        self.wire.posts.append((path, fields))
        self.wire.post_authorizations.append(self.headers["Authorization"])
        if self.wire.post_status != 200:
            return self.answer("{}", status=self.wire.post_status)
        return self.answer(json.dumps(self.wire.act(path, fields)))

    def answer(
        self, text: str, kind: str = "application/json", status: int = 200, *, strict: bool = True
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if strict:
            self.send_header("Content-Security-Policy", CSP)
        body = text.encode()
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if self.wire.cookie and (status == 204 or self.path == "/start"):
            self.send_header("Set-Cookie", self.wire.cookie)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, page: str, has: str) -> None:
        self.wire.stream_requests += 1
        self.wire.has.append(has)
        self.wire.authorizations.append(self.headers["Authorization"])
        if self.wire.stream_status != 200:
            return self.answer("", status=self.wire.stream_status)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        # Subscribed before the headers are sent, as on a site: an open stream misses nothing.
        events = self.wire.subscribe(page, has)
        try:
            self.end_headers()
            while (event := self.next_event(events)) is not None:
                self.wfile.write(event)
        finally:
            self.wire.unsubscribe(events)

    def next_event(self, events: Stream) -> bytes | None:
        try:
            event = events.get(timeout=0.2)
        except queue.Empty:
            # Only a write shows that the browser has disconnected.
            if self.wire.heartbeat is None:
                return b": still there\n\n"
            return b"event: beat\ndata: {}\n\n"
        if event is None:
            return None
        name, data = event
        return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
