"""Print the query plans of docs/queries.md, for SQLite and PostgreSQL:
``python -m tests.integration.storage.plans``.

The tables have 200,000 messages of 1,000 recipients, a tenth of them of visitors. With ``--check``
it fills the database of ``MONITIO_TEST_DATABASE`` with fewer, and prints the queries that do not
use their index.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

MESSAGES, PEOPLE = (5_000, 25) if "--check" in sys.argv else (200_000, 1_000)


def main() -> None:
    if "--here" in sys.argv or "--check" in sys.argv:
        measure()
        return
    with tempfile.TemporaryDirectory() as folder:
        run(f"sqlite://{folder}/plans.sqlite3")
    from tests.support.servers.postgres import Postgres

    server = Postgres()
    server.start()
    try:
        run(server.url)
    finally:
        server.close()


def run(url: str) -> None:
    env = os.environ | {"MONITIO_TEST_DATABASE": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run(
        [sys.executable, "-m", "tests.integration.storage.plans", "--here"], env=env, check=True
    )


def measure() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    fill()
    with connection.cursor() as cursor:
        cursor.execute(ANALYZE[connection.vendor])
    if "--check" in sys.argv:
        missed = {
            name: plan
            for name, query, index in questions()
            if not re.search(index, plan := keys(query))
        }
        print(json.dumps(missed | heartbeat_that_is_copied()))
        return
    print(f"\n## {connection.display_name}\n")
    for name, query, _index in questions():
        show(name, query)
    print_sizes()


ANALYZE = {
    "sqlite": "ANALYZE",
    "postgresql": "VACUUM ANALYZE",
    "mysql": (
        "ANALYZE TABLE monitio_message, monitio_job, monitio_delivery, monitio_celery_groupmember"
    ),
}


def fill() -> None:
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from monitio.models import Delivery, Job, LastEvent, Message
    from monitio_celery.models import GroupMember

    for model in (Delivery, Message, Job, LastEvent, GroupMember):
        model.objects.all().delete()
    people = get_user_model()
    people.objects.all().delete()
    people.objects.bulk_create([people(username=f"user{n}") for n in range(PEOPLE)], 1000)
    pks = list(people.objects.values_list("pk", flat=True))
    jobs = [
        Job(task_id=str(n), state="started" if n % 50 == 0 else "succeeded") for n in range(2000)
    ]
    Job.objects.bulk_create(jobs, 1000)
    jobs = list(Job.objects.all())
    now, dice = timezone.now(), random.Random(1)

    def message(number: int) -> Message:
        created = now - timedelta(seconds=(MESSAGES - number) * 30)
        person = dice.randrange(PEOPLE)
        job = jobs[number // 100 % len(jobs)] if number % 100 == 0 else None
        row = Message(
            level=20 if dice.random() < 0.03 else dice.choice([110, 120, 125, 130, 140]),
            message="The text of a message of ordinary length, as people write them.",
            subject="Monthly report: done",
            created=created,
            modified=created,
            read=dice.random() < 0.9,
            expires=now + timedelta(days=dice.uniform(-1, 30)) if dice.random() < 0.05 else None,
            job=job,
            running=job is not None and job.state == "started",
            from_user_id=pks[0] if number % 200 == 0 else None,
        )
        if person % 10:
            row.user_id = pks[person]
        else:
            row.session = f"{person:032x}"
        return row

    for start in range(0, MESSAGES, 5000):
        Message.objects.bulk_create([message(n) for n in range(start, start + 5000)], 500)
    GroupMember.objects.bulk_create(
        [
            GroupMember(group="1", number=n, task_id=str(n), ended=n % 500 != 0, alive_at=now)
            for n in range(2000)
        ],
        500,
    )
    newest = list(Message.objects.order_by("-pk")[:2000])
    Delivery.objects.bulk_create(
        [Delivery(message=row, channel="email", state="sent") for row in newest], 500
    )
    Delivery.objects.filter(pk__in=list(Delivery.objects.values_list("pk", flat=True)[:20])).update(
        state="pending"
    )


def questions() -> Iterator[tuple[str, Any, str]]:
    """Each frequent query and its index, for a recipient with thousands of rows or for all rows."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from monitio.channels import deliveries
    from monitio.models import Job, Message
    from monitio.recipients import Recipient
    from monitio_celery.models import GroupMember

    now, middle = timezone.now(), MESSAGES // 2
    who = Recipient.for_user(get_user_model().objects.order_by("pk")[PEOPLE // 2 + 1])
    rows = Message.objects.of(who)
    page = rows.visible().newest_first().unclaimed()
    inbox = rows.for_inbox().newest_first()
    yield "Page view (`{% for message in messages %}`)", page.unread()[:100], "monitio_unread"
    yield (
        "Page view: those to be shown once, below the newest 100",
        page.nonpersistent().filter(pk__lt=middle),
        "monitio_once",
    )
    yield "Page view with `MONITIO_EXCLUDE_READ = False`", page[:100], "monitio_newest"
    yield (
        "Unread count",
        rows.visible().persistent().unread().values("recipient_key").order_by(),
        "monitio_unread",
    )
    yield "Snapshot: the newest", inbox[:100], "monitio_newest"
    yield (
        "Snapshot: running jobs below the floor",
        inbox.running().filter(id__lt=middle),
        "monitio_running",
    )
    yield "Inbox: older ones (`?before=`)", inbox.filter(pk__lt=middle)[:100], "monitio_newest"
    yield (
        "Mark all as read: which",
        rows.filter(hidden=False).unread().persistent().values("pk").order_by(),
        "monitio_unread",
    )
    yield "One message (`get_message`)", rows.visible().filter(pk=middle), ""
    yield (
        "Prune: expired",
        pks(Message.objects.filter(expires__lte=now - timedelta(hours=23), hidden=False)),
        "monitio_expiring",
    )
    yield (
        "Prune: of visitors",
        pks(
            Message.objects.filter(
                user=None, session__gt="", created__lt=now - timedelta(seconds=29 * MESSAGES)
            )
        ),
        "monitio_visitor|monitio_user",  # MySQL uses the index of the missing user
    )
    yield (
        "Prune: shown, mail is out",
        pks(Message.objects.without_pending_delivery().filter(hidden=True)),
        "",
    )
    yield "Prune: read long ago", pks(Message.objects.read_until(now - timedelta(days=68))), ""
    yield (
        "Prune: jobs without messages",
        pks(Job.objects.ended().filter(messages=None, finished_at__lt=now)),
        "",
    )
    yield (
        "A user is deleted: their messages",
        Message.objects.filter(user_id=who.user_id).values("pk").order_by(),
        "monitio_user",
    )
    yield (
        "A user is deleted: what they sent",
        Message.objects.filter(from_user__in=[who.user_id]).values("pk").order_by(),
        "monitio_sender",
    )
    yield "Deliveries that are due", deliveries.oldest_due()[:1000], "monitio_due"
    yield "Sweep: silent jobs", Job.objects.silent_since(now).values("pk"), "monitio_job_state"
    running = "monitio_celery_part_running"
    parts = GroupMember.objects.filter(ended=False)
    yield "Sweep: silent parts of groups", GroupMember.objects.silent_since(now), running
    yield "Heartbeats of parts", parts.filter(task_id__in=["7", "8"]).values("pk"), running
    once = "monitio_celery_part_once|sqlite_autoindex"
    yield "The bar of a group: running parts", parts.of_group("1"), f"{running}|{once}"
    yield "The end of a part", parts.of("1", [500]), f"{running}|{once}"


def pks(rows: Any) -> Any:
    """The ids, by the query with which prune reads a batch."""
    return rows.order_by().values_list("pk", flat=True)[:1000]


def heartbeat_that_is_copied() -> dict[str, str]:
    """On PostgreSQL, the indexes that a heartbeat would write; there should be none."""
    from django.db import connection, transaction
    from django.utils import timezone

    from monitio.constants import State
    from monitio.models import Job

    if connection.vendor != "postgresql":
        return {}
    with transaction.atomic(), connection.cursor() as cursor:
        job = Job.objects.create(task_id="heartbeat", state=State.STARTED)
        Job.objects.filter(pk=job.pk).update(alive_at=timezone.now(), completed=1.0)
        cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('monitio_job'::regclass)")
        (in_place,) = cursor.fetchone()
        transaction.set_rollback(True)
    return {} if in_place == 1 else {"A heartbeat": "it writes every index of the job"}


def show(name: str, query: Any) -> None:
    from django.db import connection

    options = {"analyze": True, "costs": False, "timing": False, "buffers": False}
    plan = query.explain(**(options if connection.vendor == "postgresql" else {}))
    print(f"**{name}** ({milliseconds(lambda: list(query.all())):.2f} ms)\n\n```\n{plan}\n```\n")


def keys(query: Any) -> str:
    """The query plan; on MySQL only the names of its indexes."""
    from django.db import connection

    if connection.vendor != "mysql":
        return str(query.explain())
    sql, params = query.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        place = [column[0] for column in cursor.description].index("key")
        return " ".join(str(row[place]) for row in cursor.fetchall())


def milliseconds(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(7):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[3] * 1000


def print_sizes() -> None:
    from django.db import connection

    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelname, idx_scan, pg_size_pretty(pg_relation_size(indexrelid)) "
            "FROM pg_stat_user_indexes WHERE relname LIKE 'monitio_%%' ORDER BY 1"
        )
        for row in cursor.fetchall():
            print(*row)


if __name__ == "__main__":
    main()
