"""Digests: users a second, and memory, for many users with unread messages.

    python -m benchmarks.digests [USERS] [MESSAGES] [WORKERS] [DATABASE]

Everybody is due at once. One tick hands out all sets, and WORKERS processes send them, as Celery's
would; the e-mails are made whole and thrown away. DATABASE is sqlite
(default) or postgres. Memory is the largest resident set of a worker so far.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.core.mail.backends.base import BaseEmailBackend

from tests.support.peers import Peer, serve, set_up
from tests.support.servers.postgres import Postgres

CHUNK = 1000
TENTHS = 10
CATEGORIES = ("exports", "imports", "")


def main(users: int = 10_000, messages: int = 10, workers: int = 2, kind: str = "sqlite") -> None:
    with database(kind) as address:
        beat = worker(address)
        beat.migrate()
        begin = time.monotonic()
        beat.fill(users, messages)
        report("filled", users * messages, "messages", time.monotonic() - begin)
        begin = time.monotonic()
        claims = beat.hand_out()
        report("handed out", users, "users", time.monotonic() - begin)
        peers = [worker(address) for _ in range(workers)]
        send_all(peers, claims)
        print(f"a tick that finds nobody due: {beat.idle():.2f} ms")
        for peer in (beat, *peers):
            peer.close()


def send_all(peers: list[Peer], claims: list[str]) -> None:
    """Send a tenth after the other, so that one sees whether anything grows on the way."""
    sent, cpu, begin = 0, 0.0, time.monotonic()
    for tenth in range(TENTHS):
        share = claims[tenth::TENTHS]
        for number, peer in enumerate(peers):
            peer.begin("send", share[number :: len(peers)])
        answers = [peer.end() for peer in peers]
        sent += sum(answer["sent"] for answer in answers)
        cpu += sum(answer["cpu"] for answer in answers)
        report(f"sent by {len(peers)} workers", sent, "users", time.monotonic() - begin)
        peak = max(answer["kib"] for answer in answers) / 1024
        print(
            f"  processor time of a digest: {1000 * cpu / max(1, sent):.1f} ms; memory of a worker"
            f" at its peak: {peak:.1f} MiB; load of the machine: {os.getloadavg()[0]:.1f}",
            flush=True,
        )


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
    from django.db import connection
    from django.utils import timezone

    from monitio.digests import sender as digests
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
            to_everybody(
                Message(
                    level=120,
                    subject=f"Report {number} is ready",
                    message="It has 42 pages.",
                    url=f"/reports/{number}/",
                    category=CATEGORIES[number % len(CATEGORIES)],
                )
            )
        Preferences.objects.update(digests_since=moment)

    def to_everybody(message: Message) -> None:
        """In one statement: a million objects take minutes."""
        table, users = Message._meta.db_table, get_user_model()._meta.db_table
        values = {
            field.column: field.get_db_prep_save(field.pre_save(message, True), connection)
            for field in Message._meta.concrete_fields
            if not field.primary_key and field.name not in ("user", "recipient_key")
        }
        named = ", ".join(map(connection.ops.quote_name, values))
        places = ", ".join(["%s"] * len(values))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (user_id, recipient_key, {named})"
                f" SELECT id, 'user:' || id, {places} FROM {users}",
                list(values.values()),
            )

    def hand_out() -> list[str]:
        return list(digests.claim_batches(most=10**6))

    def send(claims: list[str]) -> dict[str, float]:
        begin = time.process_time()
        sent = sum(digests.send_batch(claim).sent for claim in claims)
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"sent": sent, "cpu": time.process_time() - begin, "kib": kib}

    def idle() -> float:
        begin = time.perf_counter()
        for _ in range(100):
            assert not list(digests.claim_batches())
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
