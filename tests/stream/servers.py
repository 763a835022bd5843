"""Real web servers as processes of the tests."""

from __future__ import annotations

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

from tests.peers import ROOT
from tests.servers.ports import free_port, is_listening
from tests.stream.client import EventSource
from tests.waiting import wait_until

COMMANDS = {
    "uvicorn": "uvicorn tests.stream.asgi:application --port {port} --log-level warning",
    "endpoint": "uvicorn tests.stream.endpoint:application --port {port} --log-level warning",
    "gthread": "gunicorn tests.stream.wsgi --worker-class gthread --threads {threads} "
    "--bind 127.0.0.1:{port} --log-level warning",
    "sync": "gunicorn tests.stream.wsgi --worker-class sync --bind 127.0.0.1:{port} "
    "--log-level warning",
    "runserver": "django runserver 127.0.0.1:{port} --noreload",
}


class Server:
    """A web server that is ready, for one database and these settings."""

    def __init__(self, kind: str, database: str, threads: int = 8, **settings: Any) -> None:
        self.port = free_port()
        command = COMMANDS[kind].format(port=self.port, threads=threads)
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command.split()],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.stream.settings",
                "MONITIO_TEST_DATABASE": database,
                "MONITIO_TEST_SETTINGS": json.dumps(settings),
            },
            stdin=subprocess.DEVNULL,
        )
        wait_until(lambda: is_listening(self.port), message=f"{kind} listens")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return str(answer.read().decode())

    def open_streams(self) -> int:
        return int(self.get("/open/"))

    def stream(
        self,
        browser: dict[str, str],
        page: str | None = None,
        reads: threading.Event | None = None,
    ) -> EventSource:
        """An open page of this browser; ``page`` is the token of another page."""
        token = browser["page"] if page is None else page
        path = f"/messages/stream/?page={token}"
        return EventSource(self.port, path, browser["cookie"], reads)

    def threads(self) -> int:
        return psutil.Process(self.process.pid).num_threads()

    def memory(self) -> int:
        """Bytes it holds."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def terminate(self, number: int = signal.SIGTERM) -> float:
        """Seconds it took to stop."""
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(60)
        return time.monotonic() - begin

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
