"""Milliseconds of the pages of the admin over a large table, on PostgreSQL: the fastest of five.

    python -m benchmarks.admin [ROWS]

A million messages by default, of 10,000 users; a fifth of them belong to a job, and a fifth have an
e-mail. Half of the users are in a group.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

USERS, ROUNDS = 10_000, 5
OF_ROWS = {
    "user_id": "1 + i % {users}",
    "recipient_key": "'user:' || 1 + i % {users}",
    "message": "'Report ' || md5(i::text)",
    "level": "(ARRAY[110, 120, 120, 125, 130, 140])[1 + i % 6]",
    "category": "(ARRAY['', 'reports', 'exports', 'imports'])[1 + i % 4]",
    "read": "i % 10 > 0",
    "created": "now() - (1.0 - i::float / {rows}) * interval '90 days'",
    "modified": "now() - (1.0 - i::float / {rows}) * interval '90 days'",
    "job_id": "CASE WHEN i % 5 = 0 THEN i / 5 END",
}
OF_JOBS = {
    "id": "i",
    "task_id": "md5(i::text)",
    "name": "'shop.tasks.export_' || i % 20",
    "state": "(ARRAY['succeeded', 'succeeded', 'succeeded', 'failed'])[1 + i % 4]",
    "created": "now() - (1.0 - i::float * 5 / {rows}) * interval '90 days'",
    "finished_at": "now() - (1.0 - i::float * 5 / {rows}) * interval '90 days'",
}
OF_DELIVERIES = {
    "message_id": "m.id",
    "state": "CASE WHEN m.id % 100 = 0 THEN 'failed' ELSE 'sent' END",
    "due_at": "m.created",
    "created": "m.created",
}


def main() -> None:
    from tests.support.servers.postgres import Postgres

    server = Postgres()
    server.start()
    try:
        known = {"MONITIO_TEST_DATABASE": server.url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        command = [sys.executable, "-m", "benchmarks.admin", "--here", *sys.argv[1:]]
        subprocess.run(command, env=os.environ | known, check=True)
    finally:
        server.close()


def fill(rows: int) -> None:
    from django.contrib.auth.models import Group, User
    from django.db import connection

    from monitio.models import Delivery, Job, Message

    people = [User(username=f"user{number}") for number in range(1, USERS + 1)]
    User.objects.bulk_create(people, batch_size=5000)
    members = [User.groups.through(user_id=n, group_id=1) for n in range(1, USERS // 2 + 1)]
    Group.objects.create(pk=1, name="half")
    User.groups.through.objects.bulk_create(members, batch_size=5000)
    message = Message.objects.create(user_id=1, message="x")
    job = Job.objects.create(pk=10**12, task_id="x")
    delivery = Delivery.objects.create(message=message, channel="email")
    series = f"generate_series(1, {rows}) i"
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no triggers of foreign keys
        for row, values, source in (
            (job, OF_JOBS, f"generate_series(1, {rows // 5}) i"),
            (message, OF_ROWS, series),
            (delivery, OF_DELIVERIES, "monitio_message m"),
        ):
            columns = [
                f.column
                for f in row._meta.concrete_fields
                if f.column in values or f.column != "id"
            ]
            chosen = [
                values.get(name, f"t.{name}").format(users=USERS, rows=rows) for name in columns
            ]
            where = f"t.id = {row.pk}" + (
                f" AND m.id % 5 = 0 AND m.id <> {message.pk}" if row is delivery else ""
            )
            table = row._meta.db_table
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(chosen)} "
                f"FROM {table} t, {source} WHERE {where}"
            )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")


def measure(rows: int) -> None:
    import django

    django.setup()
    from django.conf import settings as django_settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection
    from django.db.models import Max
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, setup_test_environment

    from monitio.models import Message

    setup_test_environment()
    call_command("migrate", verbosity=0)
    began = time.monotonic()
    fill(rows)
    print(f"{rows:,} messages, made in {time.monotonic() - began:.0f} s\n", flush=True)
    client = Client()
    client.force_login(User.objects.create(username="root", is_superuser=True, is_staff=True))

    def show(name: str, call: Callable[[], Any], rounds: int = ROUNDS) -> None:
        took, used, slowest = [], [], ""
        for _ in range(rounds):
            with CaptureQueriesContext(connection) as queries:
                began, cpu = time.perf_counter(), time.process_time()
                answer = call()
                took.append((time.perf_counter() - began) * 1000)
                used.append((time.process_time() - cpu) * 1000)
            assert answer.status_code in (200, 302), answer
            first = max(queries, key=lambda query: float(query["time"]))
            slowest = f"{float(first['time']) * 1000:.0f} ms {first['sql'][:110]}"
        cells = (name, f"{min(took):.0f}", f"{min(used):.0f}", str(len(queries)), slowest)
        print(f"| {' | '.join(cells)} |", flush=True)

    admin = "/admin/monitio/"
    pages = {
        "messages": "message/",
        "messages, page 50": "message/?p=50",
        "messages, level": "message/?level__exact=140",
        "messages, read": "message/?read__exact=0",
        "messages, category": "message/?category=exports",
        "messages, today": "message/?created__gte=2000-01-01+00:00:00%2B00:00",
        "messages, sorted by date": "message/?o=-4",
        "messages, sorted by level": "message/?o=3",
        "messages, sorted by user": "message/?o=2",
        "messages, search of a user": "message/?q=user77",
        "messages, search by prefix": "message/?q=Report+ab",
        "messages, search by prefix of a user": "message/?q=user77x",
        "messages, search without a result": "message/?q=nothing",
        "messages, of a user": "message/?user__id__exact=77",
        "one message": f"message/{Message.objects.aggregate(last=Max('pk'))['last']}/change/",
        "jobs": "job/",
        "jobs, failed": "job/?state__exact=failed",
        "jobs, name": "job/?name=shop.tasks.export_3",
        "jobs, sorted by date": "job/?o=-5",
        "jobs, search": "job/?q=export_7",
        "jobs, search of a user": "job/?q=user77",
        "deliveries, search of a user": "delivery/?q=user77",
        "board, an hour": "job/board/",
        "board, seven days": "job/board/?window=7d",
        "deliveries": "delivery/",
        "deliveries, failed": "delivery/?state__exact=failed",
        "deliveries, sorted by date": "delivery/?o=-6",
        "digests": "digest/",
        "destinations": "destination/",
        "preferences": "preferences/",
    }
    print("| page | ms | of the process | statements | the slowest |\n|---|---|---|---|---|")
    for name, path in pages.items():
        show(name, partial(client.get, admin + path))

    def post(form: dict[str, Any]) -> Callable[[], Any]:
        return lambda: client.post(admin + "message/", form)

    django_settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = None
    for count in (10_000, 50_000):
        picked = list(Message.objects.order_by("pk").values_list("pk", flat=True)[:count])
        form: dict[str, Any] = {"action": "delete_selected", "_selected_action": picked}
        show(f"confirm the deletion of {count:,}", post(form), 1)
        show(f"delete {count:,}", post({**form, "post": "yes"}), 1)
    form = {"level": 120, "message": "News", "groups": ["1"], "expires_0": "", "expires_1": ""}
    address = admin + "message/send/"
    found: dict[str, Any] = {}

    def preview() -> Any:
        answer = client.post(address, {**form, "_preview": "1"})
        found["seal"] = answer.context["seal"]
        return answer

    show("write to a group of 5,000: preview", preview, 1)
    show(
        "write to a group of 5,000: send",
        lambda: client.post(address, {**form, "seal": found["seal"], "_send": "1"}),
        1,
    )
    print(Message.objects.filter(message="News").count(), "sent")


if __name__ == "__main__":
    if "--here" in sys.argv:
        measure(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)
    else:
        main()
