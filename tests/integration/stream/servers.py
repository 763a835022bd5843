"""Real web servers as child processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any

import psutil

from tests.integration.stream.client import EventSource
from tests.support.peers import ROOT
from tests.support.servers.ports import free_port, is_listening
from tests.support.waiting import wait_until

# Each serves Django under its name, and ``monitio.asgi`` under its name with "-endpoint".
ASGI = {
    "uvicorn": "uvicorn {app} --port {port} --log-level warning",
    "daphne": "daphne -b 127.0.0.1 -p {port} -v 0 {app}",
    # Its worker processes ignore signals; without workers, it stops as gracefully as the others.
    "hypercorn": "hypercorn {app} --bind 127.0.0.1:{port} --workers 0 --log-level warning",
    "granian": "granian {app} --interface asgi --host 127.0.0.1 --port {port} --log-level warning",
    "gunicorn-asgi": "gunicorn {app} --worker-class asgi --bind 127.0.0.1:{port} "
    "--log-level warning",
    "uvicorn-worker": "gunicorn {app} --worker-class uvicorn_worker.UvicornWorker "
    "--bind 127.0.0.1:{port} --log-level warning",
}
WSGI = {
    "gthread": "gunicorn {app} --worker-class gthread --threads {threads} "
    "--bind 127.0.0.1:{port} --log-level warning",
    "gevent": "gunicorn {app} --worker-class gevent --bind 127.0.0.1:{port} --log-level warning",
    "sync": "gunicorn {app} --worker-class sync --bind 127.0.0.1:{port} --log-level warning",
    "waitress": "waitress --listen 127.0.0.1:{port} --threads {threads} {app}",
    "granian-wsgi": "granian {app} --interface wsgi --host 127.0.0.1 --port {port} "
    # Its workers ignore signals too; responses still open after the time-out are aborted.
    "--blocking-threads {threads} --workers-kill-timeout 3 --log-level warning",
    "runserver": "django runserver 127.0.0.1:{port} --noreload",
}
# A stream holds one of their threads, whose number monitio cannot read.
POOLS = ("gthread", "waitress", "granian-wsgi")


def command_of(kind: str, port: int, threads: int) -> list[str]:
    """The command line for ``python -m``. ``endpoint`` is short for ``uvicorn-endpoint``."""
    name = "uvicorn" if kind == "endpoint" else kind.removesuffix("-endpoint")
    module = "endpoint" if kind.endswith("endpoint") else "asgi" if name in ASGI else "wsgi"
    return (
        {**ASGI, **WSGI}[name]
        .format(app=f"tests.integration.stream.{module}:application", port=port, threads=threads)
        .split()
    )


class Server:
    """A running web server with this database and these settings.

    ``options`` are appended to its command line.
    """

    def __init__(
        self,
        kind: str,
        database: str,
        threads: int = 8,
        port: int = 0,
        options: tuple[str, ...] = (),
        host: str = "127.0.0.1",
        **settings: Any,
    ) -> None:
        self.kind = kind
        self.host, self.port = host, port or free_port()
        # The port for browsers: that of the proxy, if there is one.
        self.public_port = self.port
        self._command = [*command_of(kind, self.port, threads), *options]
        if kind in POOLS:
            settings = {"MONITIO_STREAMS_PER_PROCESS": threads // 2, **settings}
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.integration.stream.settings",
            "MONITIO_TEST_DATABASE": database,
            "MONITIO_TEST_SETTINGS": json.dumps(settings),
        }
        self.start()

    def start(self) -> None:
        """Start it, or restart it on the same address."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self._command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            # Benchmarks write their table to stdout.
            stdout=sys.__stderr__,
        )
        wait_until(lambda: is_listening(self.port, self.host), 60, message=f"{self.kind} listens")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(
            f"http://{self.host}:{self.public_port}{path}", timeout=60
        ) as answer:
            return str(answer.read().decode())

    def open_streams(self) -> int:
        return int(self.get("/open/"))

    def stream(
        self,
        browser: dict[str, str],
        page: str | None = None,
        reads: threading.Event | None = None,
        headers: dict[str, str] | None = None,
    ) -> EventSource:
        """A stream of this browser; ``page`` is the token of another page."""
        token = browser["page"] if page is None else page
        path = f"/messages/stream/?page={token}"
        return EventSource(self.public_port, path, browser["cookie"], reads, headers)

    def threads(self) -> int:
        return psutil.Process(self.process.pid).num_threads()

    def memory(self) -> int:
        """Its memory in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def terminate(self, number: int = signal.SIGTERM) -> float:
        """Send the signal; returns the seconds until it has stopped."""
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(60)
        return time.monotonic() - begin

    def close(self) -> None:
        """Kill it with its workers; ``terminate`` stops it gracefully."""
        if self.process.poll() is None:
            workers = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            self.process.wait(40)
            for worker in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()
