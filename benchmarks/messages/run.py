"""The rounds on one database, as JSON: ``[[subject, row], …]``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import django

django.setup()

import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

import monitio
from benchmarks.messages import COLUMNS
from benchmarks.overhead.models import Note
from monitio import api
from monitio.models import Message

ONE_BY_ONE, RECIPIENTS = 200, 10_000
TEXT = "The report for May is ready"
publisher = redis.Redis.from_url(settings.REDIS)


def by_hand_one(user: int) -> None:
    with transaction.atomic():
        Note.objects.create(user_id=user, task_id=uuid4().hex, state="info", text=TEXT)
        publisher.publish(f"user:{user}", json.dumps({"text": TEXT}))


def by_hand_many(users: list[int]) -> None:
    with transaction.atomic():
        Note.objects.bulk_create(
            (Note(user_id=user, task_id=uuid4().hex, state="info", text=TEXT) for user in users),
            batch_size=1000,
        )
        with publisher.pipeline(transaction=False) as pipe:
            for user in users:
                pipe.publish(f"user:{user}", json.dumps({"text": TEXT}))
            pipe.execute()


def one(user: int) -> None:
    monitio.create_message(user, monitio.INFO, TEXT)


def many(users: list[int]) -> None:
    monitio.notify_many(User.objects.filter(pk__in=users), monitio.INFO, TEXT)


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def main(rounds: int) -> None:
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Note)
    User.objects.bulk_create([User(username=f"user {number}") for number in range(RECIPIENTS)], 999)
    users = list(User.objects.values_list("pk", flat=True))
    subjects = {"by hand": (by_hand_one, by_hand_many), "monitio": (one, many)}
    rows = []
    for _ in range(rounds + 1):
        for subject, (write_one, write_many) in subjects.items():
            single = seconds(lambda: [write_one(user) for user in users[:ONE_BY_ONE]])  # noqa: B023
            multiple = seconds(lambda: write_many(users))  # noqa: B023
            row = {COLUMNS[0]: 1000 * single / ONE_BY_ONE, COLUMNS[1]: multiple}
            rows.append((subject, row))
        Message.objects.update(expires=timezone.now() - timedelta(days=1))
        rows[-1][1][COLUMNS[2]] = seconds(api.prune)
        Note.objects.all().delete()
    # The first round warms up.
    print(json.dumps(rows[len(subjects) :]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
