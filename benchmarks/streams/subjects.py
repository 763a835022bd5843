"""How each subject is served: one web process, its broker, and a process that sends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from benchmarks.streams import people
from tests.support.peers import ROOT
from tests.support.servers.nginx import Nginx
from tests.support.servers.ports import ShortFolder, free_port, is_listening
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

# By name: what the server sends first when the stream is open.
SUBJECTS = {
    "raw": b": ready",
    "nchan": b": hi",
    "channels": b": ready",
    "eventstream": b"event: stream-open",
    "monitio": b"event: snapshot",
    "monitio_view": b"event: snapshot",
}
NCHAN = """
server {{
    listen 127.0.0.1:{port};
    location ~ ^/events/(\\d+)/$ {{
        nchan_subscriber eventsource;
        nchan_channel_id $1;
        nchan_subscriber_first_message newest;
    }}
    location ~ ^/publish/(\\d+)/$ {{ nchan_publisher; nchan_channel_id $1; }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    port: int
    # Of the web process, or of the one that has started them.
    pid: int
    publisher: subprocess.Popen[str]

    def send(self, count: int, rate: int) -> None:
        """One notification each to this many users, so many a second. Returns at once."""
        assert self.publisher.stdin is not None
        print(count, rate, file=self.publisher.stdin, flush=True)


@contextmanager
def serve(name: str, users: int, *, processes: int = 1) -> Iterator[Site]:
    """The running subject, with this many signed-in users where it knows any."""
    port = free_port()
    with ExitStack() as stack:
        folder, valkey = ShortFolder("benchmark-"), Valkey("--maxclients", "20000")
        stack.callback(folder.remove)
        stack.callback(valkey.close)
        valkey.start()
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.streams.settings",
            "BENCHMARK_FOLDER": str(folder.path),
            "BENCHMARK_REDIS": valkey.url,
            "BENCHMARK_REDIS_PORT": str(valkey.port),
            "BENCHMARK_PORT": str(port),
            "BENCHMARK_SUBJECT": name,
        }

        def start(*arguments: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            return process

        if name == "nchan":
            nginx = Nginx(NCHAN.format(port=port), port, workers=1)
            stack.callback(nginx.close)
            nginx.start()
            assert nginx.process is not None
            pid = wait_until(psutil.Process(nginx.process.pid).children)[0].pid
        else:
            if name != "raw":
                people.populate(users, environment)
            options = ("--port", str(port), "--log-level", "warning", "--no-access-log")
            limits = ("--timeout-graceful-shutdown", "1", "--backlog", "4096")
            if processes > 1:
                limits += ("--workers", str(processes))
            pid = start("uvicorn", "benchmarks.streams.apps:application", *options, *limits).pid
        wait_until(lambda: is_listening(port))
        yield Site(port=port, pid=pid, publisher=start("benchmarks.streams.publisher"))
