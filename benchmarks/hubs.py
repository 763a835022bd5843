"""What nginx with nchan takes off a web process: ``monitio.asgi`` against the hand-off.

    python -m benchmarks.hubs [STREAMS]

One uvicorn process each, on SQLite; nginx with the documented configuration and two workers; Valkey
carries the bells of ``monitio.asgi``. "At rest" are the looks at sessions, every 30 s for each
stream: measured while nothing happens, or, where a look is a new request for the stream and one for
the snapshot, what these two cost. Prints Markdown.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psutil

from benchmarks.pages import UNLIMITED, WARM, Browser, Load, Pages, allow_many_files
from tests.integration.hubs.base import PROCESS
from tests.integration.hubs.test_nchan import NchanHub, request
from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.ports import free_port
from tests.support.servers.valkey import Valkey

RINGS, LOOKS = 300, 300
RECHECK = 30.0


def measure(
    name: str,
    app: int,
    public: int,
    word: bytes,
    count: int,
    at_rest: Callable[[Server, Browser, int], float],
    **settings: Any,
) -> str:
    """One row of the table. The site listens on ``app``; ``word`` begins a stream on ``public``."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite://{folder}/site.sqlite3"
        with closing(Peer(PROCESS, database, **settings)) as site:
            site.migrate()
            server = Server("endpoint", database, port=app, **settings, **UNLIMITED)
            browser = site.sign_in("somebody")
            with closing(server), closing(Pages(public, browser)) as pages:
                pages.open(WARM)
                pages.read_until(word, WARM)
                load = Load(server)
                for _ in range(count // WARM):
                    pages.open(WARM)
                    pages.read_until(word, WARM)
                memory = load.more_memory() / count / 1024
                publishing = statistics.median(
                    site.timed_publish([["user:0", "message", {"id": n, "version": 1}]])[1]
                    for n in range(RINGS)
                )
                site.write(browser["key"], "a message")
                resting = at_rest(server, browser, count)
    return f"| {name} | {memory:.1f} | {1000 * publishing:.2f} ms | {100 * resting:.1f} % |"


def watched(server: Server, browser: Browser, count: int) -> float:
    load = Load(server)
    time.sleep(RECHECK)
    return load.share()


def computed(server: Server, browser: Browser, count: int) -> float:
    load = Load(server)
    for _ in range(LOOKS):
        for path in ("/messages/stream/", "/messages/json/"):
            request(server.port, f"{path}?page={browser['page']}", browser["cookie"])
    return count / RECHECK * load.spent() / LOOKS


def private_memory(nginx: psutil.Process) -> int:
    """Bytes that nginx and its workers hold for themselves."""
    return sum(int(one.memory_full_info().uss) for one in (nginx, *nginx.children()))


def main(count: int) -> None:
    allow_many_files()
    print(f"| {count} streams | web process, KiB each | to publish one | web process at rest |")
    print("|---|---|---|---|")
    # Its pages here do not come back by themselves.
    with closing(Valkey()) as valkey, closing(NchanHub(recheck=3600)) as hub:
        valkey.start()
        hub.start()
        redis = {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": valkey.url}
        app = free_port()
        row = measure("`monitio.asgi`", app, app, b"snapshot", count, watched, **redis)
        print(row, flush=True)
        assert hub.nginx.process is not None
        nginx = psutil.Process(hub.nginx.process.pid)
        before = private_memory(nginx)

        def rest(server: Server, browser: Browser, count: int) -> float:
            print(f"nginx: {(private_memory(nginx) - before) / count / 1024:.1f} KiB each")
            return computed(server, browser, count)

        handed = {"MONITIO_STREAM": hub.options}
        print(measure("nchan", hub.app, hub.public, b"hi", count, rest, **handed))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
