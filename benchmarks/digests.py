"""Digests: users a second, and memory, for many users with unread messages.

    python -m benchmarks.digests [USERS] [MESSAGES] [WORKERS] [DATABASE]

Everybody is due at once. One tick hands out all sets, and WORKERS processes send them, as Celery's
would; the e-mails are made whole and thrown away. DATABASE is sqlite
(default) or postgres. Memory is the largest resident set of a worker, and of one that sent a single
set.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.core.mail.backends.base import BaseEmailBackend

from tests.peers import Peer, serve, set_up
from tests.servers.postgres import Postgres

CHUNK = 1000
CATEGORIES = ("exports", "imports", "")


def main(users: int = 10_000, messages: int = 10, workers: int = 2, kind: str = "sqlite") -> None:
    with database(kind) as address:
        first, *rest = [worker(address) for _ in range(workers)]
        first.migrate()
        begin = time.monotonic()
        first.fill(users, messages)
        report("filled", users * messages, "messages", time.monotonic() - begin)
        begin = time.monotonic()
        claims = first.hand_out()
        report("handed out", users, "users", time.monotonic() - begin)
        small = rest[0].send([claims.pop()])["kib"] if rest else 0
        begin = time.monotonic()
        everybody = [first, *rest]
        for number, peer in enumerate(everybody):
            peer.begin("send", claims[number::workers])
        answers = [peer.end() for peer in everybody]
        seconds = time.monotonic() - begin
        sent = sum(answer["sent"] for answer in answers)
        report(f"sent by {workers} workers", sent, "users", seconds)
        cpu = sum(answer["cpu"] for answer in answers)
        print(f"processor time of a digest: {1000 * cpu / max(1, sent):.1f} ms")
        peak = max(answer["kib"] for answer in answers[1:] or answers)
        print(f"memory of a worker: {small >> 10} MiB after one set, {peak >> 10} MiB at its peak")
        print(f"a tick that finds nobody due: {first.idle():.2f} ms")
        for peer in everybody:
            peer.close()


def report(what: str, count: int, unit: str, seconds: float) -> None:
    print(f"{what}: {count} {unit} in {seconds:.1f} s, {count / seconds:.0f} a second", flush=True)


def worker(address: str) -> Peer:
    backend = "benchmarks.digests.Discarding"
    mailers = {"default": {"BACKEND": backend}}
    settings = {"MAILERS": mailers} if django.VERSION >= (6, 1) else {"EMAIL_BACKEND": backend}
    return Peer("benchmarks.digests", address, **settings)


@contextmanager
def database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite://{folder}/site.sqlite3"
        return
    server = Postgres()
    try:
        server.start()
        yield server.database("digests")
    finally:
        server.close()


class Discarding(BaseEmailBackend):
    """Makes every e-mail whole, as SMTP would, and sends none."""

    def send_messages(self, mails: Any) -> int:
        return sum(bool(mail.message().as_bytes()) for mail in mails)


def serve_worker() -> None:
    set_up()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.utils import timezone

    from monitio import digests
    from monitio.models import Message, Preferences

    def fill(users: int, messages: int) -> None:
        model: Any = get_user_model()
        moment = timezone.now()
        for start in range(0, users, CHUNK):
            numbers = range(start, min(start + CHUNK, users))
            people = model.objects.bulk_create(
                [model(username=f"user{n}", email=f"user{n}@example.com") for n in numbers]
            )
            Preferences.objects.bulk_create(
                Preferences(user=who, frequency="hourly", next_digest_at=moment) for who in people
            )
            for number in range(messages):
                Message.objects.bulk_create(
                    Message(
                        user=who,
                        level=120,
                        subject=f"Report {number} is ready",
                        message="It has 42 pages.",
                        url=f"/reports/{number}/",
                        category=CATEGORIES[number % len(CATEGORIES)],
                    )
                    for who in people
                )
        Preferences.objects.update(since=moment)

    def hand_out() -> list[str]:
        return list(digests.hand_out(sets=10**6))

    def send(claims: list[str]) -> dict[str, float]:
        begin = time.process_time()
        sent = sum(digests.send_set(claim).sent for claim in claims)
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"sent": sent, "cpu": time.process_time() - begin, "kib": kib}

    def idle() -> float:
        begin = time.perf_counter()
        for _ in range(100):
            assert not list(digests.hand_out())
        return (time.perf_counter() - begin) * 10

    functions = (fill, hand_out, send, idle)
    serve(
        {function.__name__: function for function in functions}
        | {"migrate": lambda: call_command("migrate", verbosity=0)}
    )


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1].startswith("{"):
        serve_worker()
    else:
        numbers = [int(argument) for argument in sys.argv[1:4]]
        main(*numbers, **({"kind": sys.argv[4]} if sys.argv[4:] else {}))
