"""Overhead of ``@notify_user`` (start and success) beside a signal handler written by hand.

    python -m benchmarks.overhead [sqlite|postgres ...] [--rounds 25] [--tasks 30] [--reuse N]

One prefork process runs rounds of several kinds of tasks in turn: plain ones; those of a handler
with one insert, one update and two publishes; and those of ``@notify_user``, with the row that
``delay()`` writes in the web process ("queued") and without. What is compared is CPU and wall time
a task above the plain one: monitio's by the handler's. ``--reuse`` is CELERY_DB_REUSE_MAX.

The handler is connected where its module is imported, as handlers are. Celery's Django fixup comes
later and closes the connection that it has just opened, so it opens two for each task. The ``late``
one is connected at ``worker_init`` and needs one: the leanest handler.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from tests.support.servers.postgres import Postgres
from tests.support.servers.valkey import Valkey

RIVALS = ("by_hand", "by_hand_late")
KINDS = ("plain", *RIVALS, "notified", "notified, not queued")
Costs = tuple[float, float]


@contextmanager
def database_of(kind: str) -> Iterator[str]:
    """The address of a new database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite://{folder}/db.sqlite3"
        return
    server = Postgres()
    try:
        server.start()
        yield server.database("overhead")
    finally:
        server.close()


@contextmanager
def worker() -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-q", "-A", "benchmarks.overhead.app", "worker"]
    options = [
        "-c",
        "1",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        "-l",
        "error",
    ]
    process = subprocess.Popen([*command, *options])
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def set_up() -> int:
    """Tables and a user, whose key is returned."""
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.overhead.models import Note

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Note)
    return User.objects.create_user("ann").pk


def run_round(kind: str, user: int, count: int) -> Costs:
    """CPU and wall milliseconds a task of one round."""
    import redis
    from django.conf import settings

    from benchmarks.overhead import tasks
    from benchmarks.overhead.app import app
    from monitio_celery.signals import base as receivers

    gate = uuid4().hex
    name, _, not_queued = kind.partition(", ")
    task = getattr(tasks, name)
    to = {"headers": {"monitio": {"to": [{"user": str(user), "lang": "en"}]}}}
    options = to if name == "notified" else {}
    first = tasks.begin.delay(gate, name == "notified")
    if not_queued:
        receivers.disconnect()
    with app.producer_pool.acquire() as producer:
        for _number in range(count):
            task.apply_async((user,), producer=producer, **options)
    receivers.connect()
    last = tasks.clocks.delay()
    redis.Redis.from_url(settings.REDIS).lpush(gate, "go")
    began, ended = first.get(timeout=300), last.get(timeout=300)
    return tuple(1000 * (b - a) / count for a, b in zip(began, ended, strict=True))  # type: ignore[return-value]


def show(rounds: dict[str, list[Costs]]) -> None:
    # Lower quartiles: whatever else runs on the machine only adds.
    usual = {
        kind: [sorted(column)[len(column) // 4] for column in zip(*costs, strict=True)]
        for kind, costs in rounds.items()
    }
    base, *rivals = (usual[kind] for kind in ("plain", *RIVALS))
    print(
        f"{'':20}" + "".join(f"{name:>8} ms {'above':>7}  ratio   late" for name in ("CPU", "wall"))
    )
    for kind, costs in usual.items():
        line = f"{kind:20}"
        for number, cost in enumerate(costs):
            above = cost - base[number]
            line += f"{cost:11.3f} {above:7.3f}"
            for rival in rivals:
                line += f" {above / (rival[number] - base[number]):6.2f}"
        print(line)


def measure(kind: str, rounds: int, count: int) -> None:
    user = set_up()
    costs: dict[str, list[Costs]] = {kind: [] for kind in KINDS}
    with worker():
        for kind_of_task in KINDS:  # the first of each warms up
            run_round(kind_of_task, user, count)
        for _number in range(rounds):
            for kind_of_task in KINDS:
                costs[kind_of_task].append(run_round(kind_of_task, user, count))
    print(f"\n{kind}: {rounds} rounds of {count} tasks each, lower quartiles")
    show(costs)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.overhead")
    parser.add_argument("databases", nargs="*", default=["sqlite", "postgres"])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--tasks", type=int, default=30)
    parser.add_argument("--reuse", type=int, default=0)
    asked = parser.parse_args()
    if len(asked.databases) > 1:
        # Django knows one set of settings a process.
        for kind in asked.databases:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.overhead", kind, *_rest(asked)], check=True
            )
        return
    (kind,) = asked.databases
    valkey = Valkey()
    valkey.start()
    try:
        with database_of(kind) as address:
            os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.overhead.settings"
            os.environ["BENCHMARK_DATABASE"], os.environ["BENCHMARK_REDIS"] = address, valkey.url
            os.environ["BENCHMARK_DB_REUSE_MAX"] = str(asked.reuse)
            measure(kind, asked.rounds, asked.tasks)
    finally:
        valkey.close()


def _rest(asked: argparse.Namespace) -> list[str]:
    return [f"--rounds={asked.rounds}", f"--tasks={asked.tasks}", f"--reuse={asked.reuse}"]


if __name__ == "__main__":
    main()
