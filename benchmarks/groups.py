"""A group of ``notify_group`` beside the same group without it: parts a second, by its size.

    python -m benchmarks.groups [SIZE ...] [--rounds 3] [--reuse N]

One prefork process, PostgreSQL and Redis. The parts do nothing. All of a round are in the queue
before its clocks start: CPU and wall milliseconds a part, medians of the rounds, and the load of
the machine. ``--reuse`` is CELERY_DB_REUSE_MAX.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from benchmarks.overhead.__main__ import set_up, worker
from tests.support.servers.postgres import Postgres
from tests.support.servers.valkey import Valkey

KINDS = ("without", "with")
TICKS = os.sysconf("SC_CLK_TCK")


def database_cpu(postmaster: int) -> float:
    """CPU seconds of PostgreSQL: of its processes, and of those that have ended."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    running = sum(sum(_clocks(child)[:2]) for child in children)
    return (sum(_clocks(postmaster)) + running) / TICKS


def _clocks(pid: int | str) -> list[int]:
    """User and system time of a process, and of its children that have ended, in clock ticks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return [0, 0, 0, 0]
    return [int(field) for field in fields[11:15]]


def run_round(kind: str, user: int, size: int, postmaster: int) -> tuple[float, float, float]:
    """CPU milliseconds of worker and database, and wall milliseconds, a part."""
    import redis
    from celery import group
    from django.conf import settings

    from benchmarks.overhead import app, tasks  # noqa: F401 - the app becomes Celery's current one
    from monitio_celery import notify_group

    gate = uuid4().hex
    canvas = group(tasks.plain.si(user) for _number in range(size))
    first = tasks.begin.delay(gate, kind == "with")
    (notify_group("Import", canvas, user=user) if kind == "with" else canvas).delay()
    last = tasks.clocks.delay()
    before = database_cpu(postmaster)
    redis.Redis.from_url(settings.REDIS).lpush(gate, "go")
    began, ended = first.get(timeout=600), last.get(timeout=600)
    database = database_cpu(postmaster) - before
    costs = (ended[0] - began[0], database, ended[1] - began[1])
    return tuple(1000 * cost / size for cost in costs)  # type: ignore[return-value]


def measure(sizes: list[int], rounds: int, postmaster: int) -> None:
    user = set_up()
    with worker():
        for kind in KINDS:  # warms up
            run_round(kind, user, 50, postmaster)
        print("  parts          worker  database      wall  parts/s ratio  load", flush=True)
        for size in sizes:
            costs: dict[str, list[Any]] = {kind: [] for kind in KINDS}
            for _number in range(rounds):
                for kind in KINDS:
                    costs[kind].append(run_round(kind, user, size, postmaster))
            walls = {kind: median(cost[2] for cost in costs[kind]) for kind in KINDS}
            for kind in KINDS:
                cpu, database, wall = (median(column) for column in zip(*costs[kind], strict=True))
                print(
                    f"{size:7} {kind:7} {cpu:5.2f} ms {database:6.2f} ms {wall:6.2f} ms"
                    f" {1000 / wall:8.0f} {walls['without'] / wall:5.2f} {os.getloadavg()[0]:5.1f}",
                    flush=True,
                )
    from monitio.models import Job

    unfinished = Job.objects.exclude(state="succeeded").count()
    assert not unfinished, f"{unfinished} groups have not succeeded"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.groups")
    parser.add_argument("sizes", nargs="*", type=int, default=[400, 2000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reuse", type=int, default=0)
    asked = parser.parse_args()
    valkey, server = Valkey(), Postgres()
    valkey.start()
    try:
        server.start()
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.overhead.settings"
        os.environ["BENCHMARK_DATABASE"] = server.database("groups")
        os.environ["BENCHMARK_REDIS"] = valkey.url
        os.environ["BENCHMARK_DB_REUSE_MAX"] = str(asked.reuse)
        measure(asked.sizes, asked.rounds, server.pid)
    finally:
        server.close()
        valkey.close()


if __name__ == "__main__":
    main()
