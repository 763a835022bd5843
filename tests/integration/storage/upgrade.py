"""Fill the tables of 1.0.0a1, migrate them to the current ones and print the rows."""

from __future__ import annotations

import json
import os
from io import StringIO
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
from django.apps.registry import Apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor

FIRST = [("monitio", "0006_preferences"), ("monitio_celery", "0002_running_parts")]
APPS = ("monitio", "monitio_celery")


def fill() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([*others(executor), *FIRST])
    apps = executor.loader.project_state(FIRST).apps
    user = apps.get_model("auth", "User").objects.create(username="ann")
    job = apps.get_model("monitio", "Job").objects.create(
        task_id="1", queue="celery", state="started", key=5, done=3, total=10, text="3 of 10"
    )
    apps.get_model("monitio", "Message").objects.create(
        user=user, recipient_key=f"user:{user.pk}", level=120, message="text", job=job
    )
    preferences = apps.get_model("monitio", "Preferences").objects.create(
        user=user, frequency="daily", since="2026-01-02T03:04:05Z"
    )
    apps.get_model("monitio", "CategoryChoice").objects.create(
        preferences=preferences, category="exports", mode="off", since="2026-01-02T03:04:05Z"
    )
    message = apps.get_model("monitio", "Message").objects.get()
    apps.get_model("monitio", "Delivery").objects.create(
        message=message, channel="email", state="failed", attempts=3, error="no such user"
    )
    apps.get_model("monitio", "Repeat").objects.create(kind="abc", message=message, times=2)
    apps.get_model("monitio_celery", "GroupPart").objects.create(
        group="g", number=1, share=0.5, ended=False, carried={"to": []}
    )


def fill_the_original() -> None:
    """Create the table of django-monitio with two messages, one of them with a level of Django."""
    user = get_user_model()._default_manager.get(username="ann")
    columns = {
        "user_id": models.IntegerField(null=True),
        "from_user_id": models.IntegerField(null=True),
        "subject": models.CharField(max_length=255),
        "message": models.TextField(),
        "level": models.IntegerField(),
        "extra_tags": models.CharField(max_length=128),
        "created": models.DateTimeField(),
        "modified": models.DateTimeField(),
        "read": models.BooleanField(),
        "expires": models.DateTimeField(null=True),
        "close_timeout": models.IntegerField(null=True),
        "url": models.CharField(max_length=1024, null=True),
    }
    meta = type("Meta", (), {"db_table": "monitio_monit", "app_label": "original", "apps": Apps()})
    monit: Any = type("Monit", (models.Model,), {**columns, "Meta": meta, "__module__": __name__})
    with connection.schema_editor() as editor:
        editor.create_model(monit)
    for level in (10, 125):
        monit._default_manager.create(
            user_id=user.pk,
            message="of the original",
            level=level,
            created="2014-03-01T12:30:15Z",
            modified="2014-03-01T12:30:15Z",
            read=True,
            url="relative/",
        )


def imported() -> list[object]:
    from monitio.models import Message

    for _run in range(2):
        call_command("monitio_import_legacy", stdout=StringIO())
    return [
        [message.level, message.read, message.seen, message.url, message.created.isoformat()]
        for message in Message.objects.filter(message="of the original")
    ]


def others(executor: MigrationExecutor) -> list[tuple[str, str]]:
    return [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in APPS]


def found() -> dict[str, object]:
    from monitio.models import CategoryChoice, Delivery, Job, Message, Preferences, Repeat
    from monitio_celery.models import GroupMember

    job, message, choice = Job.objects.get(), Message.objects.get(), CategoryChoice.objects.get()
    member, delivery = GroupMember.objects.get(), Delivery.objects.get()
    return {
        "job": [job.integration, job.rank, job.completed, job.status_text, job.scope],
        "message": [message.message, message.job_id == job.pk, message.running, message.scope],
        "preferences": Preferences.objects.get().digests_since.isoformat(),
        "choice": [choice.digests_since.isoformat(), choice.mode, choice.channel],
        "delivery": [delivery.channel, delivery.target, delivery.state, delivery.error],
        "repeat": [Repeat.objects.get().fingerprint, Repeat.objects.get().times],
        "member": [member.fraction, member.header, member.scope],
    }


if __name__ == "__main__":
    django.setup()
    fill()
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    fates = found()
    fill_the_original()
    print(json.dumps({**fates, "original": imported()}))
