"""An open page with the front end's logic: it reconnects, keeps new versions, drops the deleted.

It follows redirects and, with a hub, fetches the snapshot whenever a stream has opened.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from typing import Any, Self
from urllib.parse import urlsplit

from tests.integration.stream.client import EventSource
from tests.support.waiting import wait_until

Message = dict[str, Any]
FIRST_DELAY, LONGEST_DELAY = 0.1, 2.0


class Page:
    """``texts`` are shown, oldest first; ``state`` is "open", "offline" or "stopped"."""

    def __init__(self, port: int, browser: dict[str, str], *, handed_off: bool = False) -> None:
        self.port, self.browser, self.handed_off = port, browser, handed_off
        self.state = "connecting"
        self.known: dict[int, Message] = {}
        # Ids in the order of their first appearance.
        self.shown: list[int] = []
        # The frames received, over all connections.
        self.frames: list[tuple[str, Any]] = []
        # The number of streams that began with a snapshot.
        self.connections = 0
        self.reasons: list[str] = []
        self._gone: set[int] = set()
        # Ids missing from the last snapshot: only another snapshot restores them.
        self._absent: set[int] = set()
        self._has_snapshot = False
        self._closed = threading.Event()
        self._stream: EventSource | None = None
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    # For tests.

    def texts(self) -> list[str]:
        return [known["body"] for _, known in sorted(self.known.copy().items())]

    def wait_until_it_shows(self, *texts: str, timeout: float = 60.0) -> None:
        wait_until(lambda: self.texts() == list(texts), timeout, lambda: f"{texts}: {self.texts()}")

    def wait_until_open(self, times: int = 1, timeout: float = 60.0) -> None:
        """Wait until ``times`` streams have begun with a snapshot."""
        wait_until(
            lambda: self.connections >= times, timeout, lambda: f"{self.state} {self.reasons}"
        )

    def wait_for_state(self, state: str, timeout: float = 60.0) -> None:
        wait_until(lambda: self.state == state, timeout, lambda: f"{self.state} {self.reasons}")

    def equals_its_reload(self) -> bool:
        return self.known == {one["id"]: one for one in self.reload()["messages"]}

    def reload(self) -> dict[str, Any]:
        """The snapshot that the page fetches. Raises ``LookupError`` if the user has changed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            path = f"/messages/json/?page={self.browser['page']}"
            connection.request("GET", path, headers={"Cookie": self.browser["cookie"]})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status == 204:
            raise LookupError("This page was made for somebody else.")
        assert answer.status == 200, answer.status
        return dict(json.loads(body))

    # The page's logic.

    def _live(self) -> None:
        failures = 0
        while not self._closed.is_set() and self.state != "stopped":
            before = self.connections
            try:
                pause = self._connect()
            except LookupError:
                self.state = "stopped"
                return
            except (OSError, http.client.HTTPException, AssertionError):
                pause = None
            failures = 0 if self.connections > before else failures + 1
            if pause is None:
                self.state = "offline" if failures > 1 else self.state
                pause = min(LONGEST_DELAY, FIRST_DELAY * 2**failures)
            self._closed.wait(pause * random.uniform(0.5, 1.5))

    def _connect(self) -> float | None:
        """One stream from its opening to its end; the seconds to wait, if the server sent them."""
        self._has_snapshot = False
        path = f"/messages/stream/?page={self.browser['page']}"
        with open_stream(self.port, path, self.browser["cookie"]) as stream:
            self._stream = stream
            if stream.status == 204:
                raise LookupError("This page was made for somebody else.")
            if stream.status != 200:
                raise OSError(f"{stream.status}")
            if self.handed_off:
                self._replace(self.reload())
            return self._follow(stream)

    def _follow(self, stream: EventSource) -> float | None:
        taken = 0
        while not self._closed.is_set():
            ended = stream.ended.is_set()
            for name, data, _ in stream.events[taken:]:
                taken += 1
                self.frames.append((name, data))
                if name == "bye":
                    self.reasons.append(data["reason"])
                    return float(data["retry"]) / 1000
                self._take(name, data)
            if ended:
                return None
            time.sleep(0.01)
        return None

    def _take(self, name: str, data: Any) -> None:
        if name == "snapshot":
            self._replace(data)
        elif name == "resync":
            self._replace(self.reload())
        elif name == "beat":
            pass
        elif name == "gone":
            self._gone.update(data["ids"])
            for pk in data["ids"]:
                self.known.pop(pk, None)
        else:
            assert name == "message", name
            self._receive(data)

    def _receive(self, message: Message) -> None:
        pk = message["id"]
        known = self.known.get(pk)
        rank = (message["version"], message["seq"])
        if pk in self._gone | self._absent or (known and rank < (known["version"], known["seq"])):
            return
        if pk not in self.shown:
            self.shown.append(pk)
        self.known[pk] = message

    def _replace(self, snapshot: dict[str, Any]) -> None:
        present = {message["id"] for message in snapshot["messages"]}
        for pk in list(self.known):
            if pk >= snapshot["floor"] and pk not in present:
                del self.known[pk]
                self._absent.add(pk)
        self._absent -= present
        for message in reversed(snapshot["messages"]):
            self._receive(message)
        self.connections += not self._has_snapshot
        self._has_snapshot = True
        self.state = "open"

    def close(self) -> None:
        self._closed.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join(40)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_stream(
    port: int, path: str, cookie: str, headers: dict[str, str] | None = None
) -> EventSource:
    """Open a stream, and follow the site's redirect to a hub."""
    stream = EventSource(port, path, cookie, more_headers=headers)
    if stream.status != 302:
        return stream
    stream.close()
    to = urlsplit(stream.headers["Location"])
    return EventSource(to.port or port, f"{to.path}?{to.query}")
