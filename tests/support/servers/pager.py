"""An HTTP server that accepts, delays or refuses messages by the test's script."""

from __future__ import annotations

import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG = -1


class PagerServer:
    """``bodies`` and ``headers`` are those of accepted requests. ``script`` holds the next replies:
    a status, or a status and headers; ``HANG`` never replies. ``read`` decodes a request's body
    with its headers; when it raises, the reply is 401. ``tls``: serve https.
    """

    def __init__(
        self,
        read: Callable[[bytes, dict[str, str]], Any] = lambda raw, headers: json.loads(raw),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._read, self._tls = read, tls
        self.reset()
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            # The handshake runs in the connection's thread, so it does not delay other connections.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def reset(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[tuple[int, dict[str, str]]] = []

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_port}/"

    def times_sent(self) -> Counter[int]:
        """Number of arrivals -> number of messages (by their ``id``) that arrived so often."""
        return Counter(Counter(body["id"] for body in self.bodies).values())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = pager.script.pop(0) if pager.script else (200, {})
                try:
                    body = pager._read(raw, dict(self.headers))
                except Exception:
                    status = 401
                if status == HANG:
                    pager._stopping.wait()
                    return
                if status < 300:
                    pager.headers.append(dict(self.headers))
                    pager.bodies.append(body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        return Handler
