"""A double of Firefox's push service, which forwards notifications to the browser.

The browser connects by a WebSocket with the messages of Firefox's
``dom/push/PushServiceWebSocket.sys.mjs``: "hello", "register", "notification", "ack",
"unregister". The browser decrypts the notifications.
"""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from base64 import b64encode, urlsafe_b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

from tests.support.servers.push import PushService, encoded, verify

# RFC 6455 1.3.
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 1, 8
DELIVERED = 100


class Autopush(PushService):
    """``line``: the browser's address. ``acks``: the browser's status of each notification
    (``DELIVERED``, 101 not decrypted, 102 not delivered). ``removed``: unregistered channels.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.acks: list[int] = []
        self.removed: list[str] = []
        self._devices: dict[str, BinaryIO] = {}
        self._sockets = ThreadingHTTPServer(("127.0.0.1", 0), self._socket_handler())
        self._sockets.daemon_threads = True
        self.line = f"ws://127.0.0.1:{self._sockets.server_port}/"

    def start(self) -> None:
        super().start()
        Thread(target=self._sockets.serve_forever, daemon=True).start()

    def close(self) -> None:
        super().close()
        self._sockets.shutdown()
        self._sockets.server_close()

    def _decrypt(self, raw: bytes, headers: dict[str, str]) -> dict[str, Any]:
        signer = verify(headers, self.url.rstrip("/"))
        # The browser has subscribed with this key.
        assert signer == self.public_key
        for channel, output in self._devices.items():
            notification = {
                "messageType": "notification",
                "channelID": channel,
                "version": str(uuid.uuid4()),
                "data": encoded(raw),
                "headers": {"encoding": headers["Content-Encoding"]},
            }
            send(output, notification)
        return {}

    def _answer(self, message: dict[str, Any], output: BinaryIO) -> None:
        match message.get("messageType"):
            case None:
                send(output, {})
            case "hello":
                send(output, {**message, "uaid": uuid.uuid4().hex, "status": 200, "broadcasts": {}})
            case "register":
                channel = message["channelID"]
                self._devices[channel] = output
                self.public_key = encoded(urlsafe_b64decode(message["key"]))
                endpoint = f"{self.url}send/{channel}"
                send(output, {**message, "status": 200, "pushEndpoint": endpoint})
            case "unregister":
                del self._devices[message["channelID"]]
                self.removed.append(message["channelID"])
                send(output, {**message, "status": 200})
            case "ack":
                self.acks += [update["code"] for update in message["updates"]]

    def _socket_handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                key = self.headers["Sec-WebSocket-Key"] + MAGIC
                accepted = b64encode(hashlib.sha1(key.encode()).digest()).decode()
                self.send_response(101)
                self.send_header("Upgrade", "websocket")
                self.send_header("Connection", "Upgrade")
                self.send_header("Sec-WebSocket-Accept", accepted)
                self.send_header("Sec-WebSocket-Protocol", "push-notification")
                self.end_headers()
                self.close_connection = True
                while (text := receive(self.rfile)) is not None:
                    answer(json.loads(text), self.wfile)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


def send(output: BinaryIO, message: dict[str, Any]) -> None:
    """One frame of text."""
    text = json.dumps(message).encode()
    size = bytes([len(text)]) if len(text) < 126 else struct.pack("!BH", 126, len(text))
    output.write(bytes([0x80 | TEXT]) + size + text)


def receive(source: BinaryIO) -> bytes | None:
    """The text of one short, masked frame; None at the end."""
    head = source.read(2)
    if len(head) < 2 or head[0] & 0xF == CLOSE:
        return None
    size = head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", source.read(2))
    mask = source.read(4)
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(source.read(size)))
