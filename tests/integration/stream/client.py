"""A client of Server-Sent Events that reads as a browser does, byte by byte, in a thread."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from tests.support.waiting import wait_until


class Event(NamedTuple):
    name: str
    data: Any
    at: float


class EventSource:
    """One open stream. ``events`` were received; ``ended`` is set when the server has ended it.

    With ``reads``, it reads nothing after the head until that event is set.
    """

    def __init__(
        self,
        port: int,
        path: str,
        cookie: str = "",
        reads: threading.Event | None = None,
        more_headers: dict[str, str] | None = None,
    ) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._reads = reads
        if reads is not None:
            self._shrink_buffer()
        headers = {"Accept": "text/event-stream"} | ({"Cookie": cookie} if cookie else {})
        self.connection.request("GET", path, headers=headers | (more_headers or {}))
        # The connection gives its socket to the response when the server will close it.
        self.socket: socket.socket = self.connection.sock
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.headers = self.response.headers
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.retry: int | None = None
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _shrink_buffer(self) -> None:
        self.connection.sock = socket.socket()
        # Before connecting: otherwise the kernel buffers megabytes for the client. With less than
        # one segment of the loopback device, TCP's persist timer would slow down the rest.
        self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
        self.connection.sock.settimeout(60)
        self.connection.sock.connect(("127.0.0.1", self.connection.port))

    def _read(self) -> None:
        if self._reads is not None:
            self._reads.wait(60)
        lines: list[str] = []
        try:
            while line := self.response.readline():
                text = line.decode().rstrip("\n")
                if text:
                    lines.append(text)
                else:
                    self._dispatch(lines)
                    lines = []
        except (OSError, ValueError, http.client.HTTPException):
            pass  # closed, by either side
        self.ended.set()

    def _dispatch(self, lines: list[str]) -> None:
        name, data = "message", []
        for line in lines:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "":
                self.comments.append(value)
            elif field == "retry":
                self.retry = int(value)
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
        if data:
            self.events.append(Event(name, json.loads("\n".join(data)), time.monotonic()))

    def of(self, name: str) -> list[Any]:
        """The data of all events of this name so far."""
        return [event.data for event in list(self.events) if event.name == name]

    def wait_for(self, name: str, count: int = 1, timeout: float = 60.0) -> Any:
        """The data of the ``count``-th event of this name."""
        wait_until(lambda: len(self.of(name)) >= count, timeout, lambda: f"{name}: {self.events}")
        return self.of(name)[count - 1]

    def texts(self) -> list[str]:
        """The bodies of the messages a page would show now, oldest first."""
        known: dict[int, dict[str, Any]] = {}
        for name, data, _ in list(self.events):
            if name == "snapshot":
                known = {message["id"]: message for message in data["messages"]}
            elif name == "message" and data["version"] >= known.get(data["id"], data)["version"]:
                known[data["id"]] = data
            elif name == "gone":
                known = {pk: one for pk, one in known.items() if pk not in data["ids"]}
        return [known[pk]["body"] for pk in sorted(known)]

    def wait_until_it_shows(self, *texts: str, timeout: float = 60.0) -> None:
        wait_until(lambda: self.texts() == list(texts), timeout, lambda: f"{texts}: {self.texts()}")

    def wait_until_it_receives(self, write: Callable[[], object]) -> None:
        """Repeat ``write`` until a message arrives by its event, not by a snapshot."""

        def received() -> bool:
            write()
            return bool(self.of("message"))

        wait_until(received, 40.0, lambda: f"an event: {self.events}", interval=0.1)

    def wait_until_it_ends(self, timeout: float = 60.0) -> str | None:
        """The reason of the server's bye; None if it sent none."""
        assert self.ended.wait(timeout), f"still open: {self.events}"
        byes = self.of("bye")
        return str(byes[-1]["reason"]) if byes else None

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):  # the server has closed it
            self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(40)
        self.response.close()
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
