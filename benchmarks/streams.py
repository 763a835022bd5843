"""What an open stream costs: threads and memory, the view against ``monitio.asgi``.

    python -m benchmarks.streams [STREAMS]

One uvicorn process each, Valkey and SQLite; the client only keeps its sockets open. Memory is the
server's resident set, before and after.
"""

from __future__ import annotations

import resource
import selectors
import socket
import sys
import tempfile
import time
from contextlib import closing

import psutil

from tests.peers import Peer
from tests.servers.valkey import Valkey
from tests.stream.servers import Server
from tests.waiting import wait_until

WARM = 20
UNLIMITED = {"MONITIO_STREAMS_PER_PROCESS": 99_999, "MONITIO_STREAMS_PER_USER": 99_999}
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


def measure(kind: str, site: Peer, database: str, count: int, **settings: object) -> str:
    server = Server(kind, database, **settings, **UNLIMITED)
    browser = site.sign_in(kind)
    process = psutil.Process(server.process.pid)
    with closing(server), closing(Pages(server.port, browser)) as pages:
        pages.open(WARM)
        pages.read_until(b"snapshot", WARM)
        wait_until(lambda: server.open_streams() == WARM)
        threads, memory, cpu = server.threads(), server.memory(), process.cpu_times()
        begin = time.monotonic()
        for _ in range(count // WARM):
            # As people come: a thousand at once leave the memory of a thousand requests behind.
            pages.open(WARM)
            pages.read_until(b"snapshot", WARM)
        opened = time.monotonic() - begin
        more_threads = server.threads() - threads
        each = (server.memory() - memory) / count / 1024
        spent = process.cpu_times().user + process.cpu_times().system - cpu.user - cpu.system
        begin = time.monotonic()
        site.write(browser["key"], "to all of them")
        pages.read_until(b"to all of them", count + WARM)
        told = time.monotonic() - begin
        return (
            f"{kind:10} {more_threads:8} {each:14.1f} {opened:12.2f}"
            f" {1000 * spent / count:17.2f} {told * 1000:19.0f}"
        )


def main(count: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    valkey = Valkey()
    valkey.start()
    settings = {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": valkey.url}
    with tempfile.TemporaryDirectory() as folder, closing(valkey):
        database = f"sqlite://{folder}/site.sqlite3"
        with closing(Peer("tests.stream.process", database, **settings)) as site:
            site.migrate()
            print(f"{count} streams, besides the first {WARM}")
            print(
                "server      threads  KiB a stream  opened in s  CPU ms a stream  all told after ms"
            )
            for kind in ("uvicorn", "endpoint"):
                print(measure(kind, site, database, count, **settings))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
