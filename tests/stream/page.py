"""An open page: comes back whenever its stream ends, and keeps what it shows meanwhile."""

from __future__ import annotations

import threading
from http.client import HTTPException

from tests.stream.client import Event, EventSource, texts_of
from tests.stream.servers import Server
from tests.waiting import wait_until

# Seconds before it comes back; a browser takes MONITIO_STREAM_RETRY.
PAUSE = 0.1


class Page:
    """``texts()`` is what its user sees; ``streams`` are all connections it has had."""

    def __init__(self, server: Server, browser: dict[str, str]) -> None:
        self._server, self._browser = server, browser
        self.streams: list[EventSource] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                stream = self._server.stream(self._browser)
            except (OSError, HTTPException):
                pass  # nobody is there yet
            else:
                self.streams.append(stream)
                while not (self._closed.is_set() or stream.ended.wait(0.05)):
                    pass
                stream.close()
            self._closed.wait(PAUSE)

    def events(self) -> list[Event]:
        return [event for stream in list(self.streams) for event in list(stream.events)]

    def texts(self) -> list[str]:
        """Oldest first."""
        return texts_of(self.events())

    def wait_for_connection(self, number: int = 1) -> None:
        """Until it has been told everything on its ``number``-th connection."""
        wait_until(
            lambda: len(self.streams) >= number and self.streams[number - 1].of("snapshot"),
            60,
            lambda: f"connection {number}",
        )

    def wait_until_it_shows(self, texts: list[str]) -> None:
        wait_until(lambda: self.texts() == texts, 60, lambda: f"{texts}: {self.texts()}")

    def close(self) -> None:
        self._closed.set()
        self._thread.join(20)
