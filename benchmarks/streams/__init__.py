"""Open streams beside those of other libraries: one web process each, the same broker and client.

    python -m benchmarks streams

monitio's streams belong to signed-in users, open with a snapshot and are rechecked and reconciled;
those of the others know no user and store nothing. ``django-eventstream`` and ``channels_redis``
are skipped where they are not installed (``pip install "monitio[bench]"``).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import defaultdict
from importlib.util import find_spec

import psutil

from benchmarks.pages import allow_many_files
from benchmarks.streams.pages import Pages
from benchmarks.streams.subjects import SUBJECTS, serve
from benchmarks.table import Row, Table
from tests.support.servers.nginx import Nginx

STREAMS = int(os.environ.get("BENCHMARK_STREAMS", "1000"))
WARM, SENT, RATE, IDLE = 50, 1000, 200, 10.0
# Seconds after which the first checks of new streams are over.
SETTLED = 7.0
COLUMNS = (
    "connect, CPU ms",
    "KiB a stream",
    "idle, CPU s in 10 s",
    "CPU s for 1,000 deliveries",
    "p50 ms",
    "p99 ms",
    "lost",
)
MODULES = {"eventstream": "django_eventstream", "channels": "channels_redis"}


def measure(rounds: int) -> Table:
    allow_many_files()
    rows: dict[str, list[Row]] = defaultdict(list)
    for _ in range(rounds):
        for name in filter(is_installed, SUBJECTS):
            rows[name].append(asyncio.run(measure_one(name)))
    return Table(
        title=f"{STREAMS:,} open streams",
        method=(
            f"One web process, one broker; {STREAMS:,} pages of as many users, {SENT:,} "
            f"notifications, {RATE} a second, each to one user. Medians of {rounds} rounds in turn."
        ),
        columns=COLUMNS,
        rounds=rows,
        reference="raw",
        facts={"streams": STREAMS},
    )


def is_installed(name: str) -> bool:
    if name == "nchan":
        return Nginx.is_installed(nchan=True)
    return name not in MODULES or find_spec(MODULES[name]) is not None


async def measure_one(name: str) -> Row:
    with serve(name, STREAMS + WARM) as site:
        process, pages = psutil.Process(site.pid), Pages(site.port, SUBJECTS[name])
        await pages.open(range(STREAMS + 1, STREAMS + WARM + 1))
        memory, spent = process.memory_info().rss, cpu(process)
        await pages.open(range(1, STREAMS + 1))
        row = {
            "connect, CPU ms": 1000 * (cpu(process) - spent) / STREAMS,
            "KiB a stream": (process.memory_info().rss - memory) / STREAMS / 1024,
        }
        await asyncio.sleep(SETTLED)
        spent = cpu(process)
        await asyncio.sleep(IDLE)
        row["idle, CPU s in 10 s"] = cpu(process) - spent
        spent, count = cpu(process), min(SENT, STREAMS)
        site.send(count, RATE)
        await pages.receive(count, count / RATE + 30)
        row["CPU s for 1,000 deliveries"] = 1000 * (cpu(process) - spent) / count
        delays = sorted(delay / 1e6 for delay in pages.delays)
        pages.close()
        return {
            **row,
            "p50 ms": statistics.median(delays),
            "p99 ms": delays[int(len(delays) * 0.99)],
            "lost": float(count - len(delays)),
        }


def cpu(process: psutil.Process) -> float:
    """Seconds of a processor that it has spent."""
    return time.clock_gettime((~process.pid << 3) | 2)  # finer than the ticks of /proc
