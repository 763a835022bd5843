"""Open pages of a benchmark, and what a server's process spends on them."""

from __future__ import annotations

import resource
import selectors
import socket
import time

import psutil

from tests.integration.stream.servers import Server

WARM = 20
UNLIMITED = {
    "MONITIO_STREAMS_PER_PROCESS": 99_999,
    "MONITIO_STREAMS_PER_USER": 99_999,
    # The streams outlive the run.
    "MONITIO_STREAM_MAX_AGE": 3600,
}
Browser = dict[str, str]


class Pages:
    """Open streams whose frames are read and thrown away, except how often a word was in them."""

    def __init__(self, port: int, browser: Browser) -> None:
        self.port, self.browser = port, browser
        self.selector = selectors.DefaultSelector()
        self.sockets: list[socket.socket] = []

    def open(self, count: int) -> None:
        request = (
            f"GET /messages/stream/?page={self.browser['page']} HTTP/1.1\r\nHost: localhost\r\n"
            f"Accept: text/event-stream\r\nCookie: {self.browser['cookie']}\r\n\r\n"
        )
        for _ in range(count):
            page = socket.create_connection(("127.0.0.1", self.port))
            page.sendall(request.encode())
            self.selector.register(page, selectors.EVENT_READ)
            self.sockets.append(page)

    def read_until(self, word: bytes, count: int, timeout: float = 120.0) -> None:
        seen: set[int] = set()
        deadline = time.monotonic() + timeout
        while len(seen) < count:
            assert time.monotonic() < deadline, f"{len(seen)} of {count}"
            for key, _ in self.selector.select(1):
                page = self.sockets[self.sockets.index(key.fileobj)]  # type: ignore[arg-type]
                if word in page.recv(65536):
                    seen.add(key.fd)

    def close(self) -> None:
        for page in self.sockets:
            page.close()
        self.selector.close()


class Load:
    """What a server's process holds and has spent, since this was made."""

    def __init__(self, server: Server) -> None:
        self.server, self.process = server, psutil.Process(server.process.pid)
        self.threads, self.memory = server.threads(), server.memory()
        self.cpu, self.begin = self._cpu(), time.monotonic()

    def _cpu(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def more_threads(self) -> int:
        return self.server.threads() - self.threads

    def more_memory(self) -> int:
        return self.server.memory() - self.memory

    def spent(self) -> float:
        """Seconds of a processor."""
        return self._cpu() - self.cpu

    def share(self) -> float:
        """Of one processor."""
        return self.spent() / (time.monotonic() - self.begin)


def allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
