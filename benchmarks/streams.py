"""What an open stream costs: the view against ``monitio.asgi``.

    python -m benchmarks.streams [STREAMS [IDLE SECONDS]]

One uvicorn process each, Valkey and PostgreSQL; the client only keeps its sockets open. Memory is
the server's resident set, before and after. While nothing happens, the connections that PostgreSQL
counts are looked at four times a second: each stream asks for its session every 30 s, so what is
"held" is what most of the looks find. Prints Markdown.
"""

from __future__ import annotations

import resource
import selectors
import socket
import statistics
import sys
import time
from contextlib import closing
from typing import Any

import psutil

from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.postgres import Postgres
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

WARM = 20
NAMES = {"uvicorn": "the view", "endpoint": "`monitio.asgi`"}
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


def connections_while_idle(site: Peer, seconds: float) -> list[int]:
    """PostgreSQL's connections of the server, at each look."""
    looks = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        looks.append(site.connections_of("server"))
        time.sleep(0.25)
    return looks


def measure(kind: str, site: Peer, database: str, count: int, idle: float, **settings: Any) -> str:
    """One row of the table."""
    server = Server(kind, f"{database}&application_name=server", **settings, **UNLIMITED)
    browser = site.sign_in(kind)
    with closing(server), closing(Pages(server.port, browser)) as pages:
        pages.open(WARM)
        pages.read_until(b"snapshot", WARM)
        wait_until(lambda: server.open_streams() == WARM)
        load = Load(server)
        for _ in range(count // WARM):
            # As people come: a thousand at once leave the memory of a thousand requests behind.
            pages.open(WARM)
            pages.read_until(b"snapshot", WARM)
        threads, memory, spent = load.more_threads(), load.more_memory(), load.spent()
        begin = time.monotonic()
        site.write(browser["key"], "to all of them")
        pages.read_until(b"to all of them", count + WARM)
        told = time.monotonic() - begin
        resting = Load(server)
        looks = connections_while_idle(site, idle)
        held = f"{statistics.median(looks):.0f} (at most {max(looks)})"
        return (
            f"| {NAMES[kind]} | {threads} | {memory / count / 1024:.0f} | {held}"
            f" | {100 * resting.share():.1f} % | {1000 * spent / count:.1f} ms"
            f" | {1000 * told:.0f} ms |"
        )


def allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(count: int, idle: float) -> None:
    allow_many_files()
    valkey, postgres = Valkey(), Postgres()
    with closing(valkey), closing(postgres):
        valkey.start()
        postgres.start()
        settings = {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": valkey.url}
        database = postgres.database("streams")
        with closing(Peer("tests.integration.stream.process", database, **settings)) as site:
            site.migrate()
            print(
                f"| {count} streams | more threads | KiB a stream | connections held"
                " | CPU of the idle process | CPU to open one | a message is in all of them after |"
            )
            print("|---|---|---|---|---|---|---|")
            for kind in NAMES:
                print(measure(kind, site, database, count, idle, **settings), flush=True)


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 1000,
        float(sys.argv[2]) if len(sys.argv) > 2 else 60.0,
    )
