"""What each web server makes of a stream: the first event, live messages, a stop, a restart.

    python -m benchmarks.servers [MESSAGES]

Valkey and SQLite, one web process each. The stop is SIGTERM with three pages open; "lost" counts
the messages, of forty written from before the stop until after the restart, that a page does not
show once it has come back. Prints Markdown.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

from tests.integration.stream.page import Page
from tests.integration.stream.servers import ASGI, WSGI, Server
from tests.support.peers import Peer
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

KINDS = [*(name for kind in ASGI for name in (kind, f"{kind}-endpoint")), *WSGI]
Browser = dict[str, str]


def wait_until_free(server: Server) -> None:
    wait_until(lambda: server.open_streams() == 0, message="earlier streams have ended")


def first_event(server: Server, browser: Browser) -> Iterator[float]:
    """Seconds from the connection to the snapshot, once the server is warm."""
    for number in range(25):
        wait_until_free(server)
        begin = time.monotonic()
        with server.stream(browser) as stream:
            stream.wait_for("snapshot")
            if number >= 5:
                yield stream.events[0].at - begin


def live(server: Server, site: Peer, browser: Browser, messages: int) -> Iterator[float]:
    """Seconds from the call of ``create_message`` in another process to the event."""
    with server.stream(browser) as stream:
        stream.wait_for("snapshot")
        for number in range(messages):
            begin = site.write_and_time(browser["key"], f"live {number}")
            stream.wait_until_it_shows(*(f"live {earlier}" for earlier in range(number + 1)))
            if stream.events[-1].name == "message":
                yield stream.events[-1].at - begin


def restart(server: Server, site: Peer, browser: Browser) -> tuple[float, int]:
    """Seconds the stop took, and how many messages a page misses afterwards."""
    with ExitStack() as stack:
        pages = [stack.enter_context(Page(server.public_port, browser)) for _ in range(3)]
        for page in pages:
            page.wait_until_open()
        site.begin("write_many", browser["key"], 40, 4.0)
        stopped = server.terminate()
        server.start()
        written = set(site.end())
        with suppress(AssertionError):  # lost, then
            wait_until(lambda: all(written <= set(page.texts()) for page in pages))
        return stopped, max(len(written - set(page.texts())) for page in pages)


def polls(server: Server, browser: Browser) -> bool:
    """Whether it cannot hold a stream."""
    with server.stream(browser) as stream:
        stream.wait_for("snapshot")
        return stream.ended.wait(0.5)


def measure(kind: str, site: Peer, database: str, messages: int, **settings: object) -> str:
    """One row of the table."""
    browser = site.sign_in(kind)
    with closing(Server(kind, database, **settings)) as server:
        first = f"{1000 * statistics.median(first_event(server, browser)):.1f}"
        latency = "polls"
        wait_until_free(server)
        if not polls(server, browser):
            wait_until_free(server)
            latency = f"{1000 * statistics.median(live(server, site, browser, messages)):.1f}"
        wait_until_free(server)
        stopped, lost = restart(server, site, site.sign_in(f"{kind}-restart"))
    name = kind.replace("-endpoint", ", `monitio.asgi`")
    return f"| {name} | {first} | {latency} | {stopped:.1f} | {lost} |"


def main(messages: int) -> None:
    valkey = Valkey()
    valkey.start()
    settings = {
        "MONITIO_TRANSPORT": "redis",
        "MONITIO_REDIS_URL": valkey.url,
        # Under WSGI only a failed write shows that a client has left.
        "MONITIO_STREAM_HEARTBEAT": 0.2,
        "MONITIO_STREAM_RETRY": 200,
        # Only granian under WSGI waits for it, and is cut before.
        "MONITIO_STREAM_MAX_AGE": 30,
        "MONITIO_SNAPSHOT_SIZE": 1000,
    }
    with tempfile.TemporaryDirectory() as folder, closing(valkey):
        database = f"sqlite://{folder}/site.sqlite3"
        with closing(Peer("tests.integration.stream.process", database, **settings)) as site:
            site.migrate()
            print("| server | first event, ms | live p50, ms | stop, s | lost |")
            print("|---|---|---|---|---|")
            for kind in KINDS:
                print(measure(kind, site, database, messages, **settings), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
