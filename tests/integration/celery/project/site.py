"""The web process of the test project; its functions are called by JSON lines."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from itertools import count
from typing import Any
from unittest.mock import patch
from uuid import uuid4

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.integration.celery.project.settings")

import django

django.setup()

from django.contrib.auth.models import Group, User
from django.db import connections
from django.db.models import F
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone
from kombu import Producer
from kombu.exceptions import OperationalError

from monitio.models import Delivery, Heartbeat, Job, JobRun, Message
from monitio_celery.models import GroupMember
from tests.integration.celery.project.app import app
from tests.support.peers import create_tables as migrate  # noqa: F401

clients: dict[str, Client] = {}
errors: dict[str, str] = {}


def add_user(name: str) -> int:
    return int(User.objects.create_user(name, f"{name}@example.com", "x").pk)


def make_staff(name: str) -> None:
    User.objects.filter(username=name).update(is_staff=True)


def add_group(name: str, *members: str) -> None:
    group = Group.objects.create(name=name)
    group.user_set.set(User.objects.filter(username__in=members))


def break_table() -> None:
    """Make queries fail, as after a forgotten migration."""
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE monitio_job RENAME TO monitio_job_away")


def restore_table() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE monitio_job_away RENAME TO monitio_job")


def start(who: str, what: str, language: str = "en", **asked: Any) -> Any:
    """Request the view that starts a task; ``who`` is a user's name, or "?…" for a visitor."""
    if who not in clients:
        clients[who] = Client(raise_request_exception=False)
        if not who.startswith("?"):
            clients[who].force_login(User.objects.get(username=who))
    response = clients[who].post(
        "/start/",
        json.dumps({"what": what, **asked}),
        content_type="application/json",
        headers={"accept-language": language},
    )
    raised = getattr(response, "exc_info", None)
    errors[who] = raised[0].__name__ if raised else ""
    return response.json()["id"] if response.status_code == 200 else response.status_code


def last_error(who: str) -> str:
    """The exception of the view that ``who`` requested last."""
    return errors.get(who, "")


def session_key(who: str) -> str:
    return str(clients[who].session.session_key)


def send(name: str, *args: Any, **options: Any) -> str:
    """Start a task outside of any request."""
    return str(app.send_task(f"tests.integration.celery.project.tasks.{name}", args, **options).id)


def running_on(worker: str) -> list[str]:
    """The tasks that run by this worker's main process."""
    answers = app.control.inspect([worker], timeout=10, limit=1).active() or {}
    return [task["id"] for tasks in answers.values() for task in tasks]


def revoke(task_id: str, **options: Any) -> Any:
    """Revoke the task; returns the workers' replies with ``reply=True``."""
    return app.control.revoke(task_id, **options)


def cancel(who: str, task_id: str) -> int:
    """Click the cancel button on the message of any job; the response's status."""
    message = Message.objects.filter(job__task_id=task_id).first()
    assert message is not None
    return clients[who].post(reverse("message_cancel", args=[message.pk])).status_code


def retry(who: str, task_id: str) -> tuple[int, str]:
    """Click "Try again" on the message of this job; the response's status and the new run's id."""
    message = Message.objects.get(job__task_id=task_id)
    status = clients[who].post(reverse("message_retry", args=[message.pk])).status_code
    return status, Message.objects.get(pk=message.pk).job.task_id


def retry_as_the_broker_dies(who: str, task_id: str, taken: int) -> tuple[int, str]:
    """``retry``; the connections to the broker fail after it has accepted ``taken`` tasks."""
    publish, left = Producer.publish, count(taken, -1)

    def take(*args: Any, **options: Any) -> Any:
        if next(left) <= 0:
            raise OperationalError("Connection reset by peer")
        return publish(*args, **options)

    with patch.object(Producer, "publish", take):
        return retry(who, task_id)


def former_ends(task_id: str) -> list[str]:
    """The states of the runs before this one."""
    runs = JobRun.objects.filter(job__task_id=task_id).exclude(task_id=task_id)
    return list(runs.order_by("number").values_list("state", flat=True))


def job(task_id: str) -> dict[str, Any] | None:
    return (
        Job.objects.filter(task_id=task_id)
        .values(
            "state",
            "attempt",
            "total",
            "error",
            "name",
            "queue",
            "recipients",
            done=F("completed"),
            text=F("status_text"),
        )
        .first()
    )


def jobs(**filters: Any) -> list[str]:
    return [str(pk) for pk in Job.objects.filter(**filters).values_list("task_id", flat=True)]


def messages(task_id: str) -> list[dict[str, Any]]:
    """The messages of the job's recipients."""
    found = Message.objects.filter(job__task_id=task_id).order_by("pk")
    return [
        {
            "to": message.recipient_key,
            "subject": message.subject,
            "message": message.message,
            "level": message.level_name,
            "url": message.url,
            "url_label": message.url_label,
            "mails": list(Delivery.objects.filter(message=message).values_list("state", flat=True)),
        }
        for message in found
    ]


def message_ids(task_id: str) -> list[int]:
    return list(Message.objects.filter(job__task_id=task_id).values_list("pk", flat=True))


def is_user(name: str) -> bool:
    return User.objects.filter(username=name).exists()


def delete_user(name: str) -> None:
    User.objects.get(username=name).delete()
    clients.pop(name, None)


def forget_session(who: str) -> None:
    clients[who].session.flush()


def queued_message(queue: str) -> str:
    """Take the next message from the queue; its headers and its body."""
    with app.connection_for_read() as connection:
        message = connection.default_channel.basic_get(queue, no_ack=True)
    return json.dumps([message.headers, message.properties, _text(message.body)], default=str)


def _text(body: str | bytes) -> str:
    return body.decode() if isinstance(body, bytes) else body


def reported_after(task_id: str) -> float:
    """Seconds from the job's start to its message."""
    created = Message.objects.get(job__task_id=task_id).created
    started = Job.objects.get(task_id=task_id).started_at
    return (created - started).total_seconds() if started else 0.0


def named_ids(name: str) -> list[str]:
    """The jobs of a task, oldest first."""
    rows = Job.objects.filter(name=f"tests.integration.celery.project.tasks.{name}").order_by("pk")
    return [str(pk) for pk in rows.values_list("task_id", flat=True)]


def count_messages() -> int:
    return Message.objects.count()


def age_heartbeat(task_id: str, seconds: int = 3600) -> None:
    silent_since = timezone.now() - timedelta(seconds=seconds)
    Job.objects.filter(task_id=task_id).update(alive_at=silent_since)


def make_overdue(task_id: str) -> None:
    """Set the job's due time to two days ago."""
    Job.objects.filter(task_id=task_id).update(due_at=timezone.now() - timedelta(days=2))


def waiting_for(task_id: str) -> float:
    """Seconds until the job's due time."""
    due_at = Job.objects.values_list("due_at", flat=True).get(task_id=task_id)
    return (due_at - timezone.now()).total_seconds() if due_at else 0.0


def earlier_runs(task_id: str) -> list[str]:
    """The ids of the jobs whose retries led to this one."""
    rows = Job.objects.filter(task_id__startswith=f"{task_id}#").order_by("pk")
    return list(rows.values_list("task_id", flat=True))


def running_parts(group: str) -> list[int]:
    """The numbers of the members that have started and not ended."""
    rows = GroupMember.objects.filter(group=group, ended=False)
    return list(rows.values_list("number", flat=True))


def age_group_heartbeats(group: str) -> None:
    """Set the last heartbeats of this group's running members to an hour ago."""
    silent_since = timezone.now() - timedelta(hours=1)
    GroupMember.objects.filter(group=group, ended=False).update(alive_at=silent_since)


def queue_length(queue: str) -> int:
    with app.connection_for_read() as connection:
        try:
            declared = connection.default_channel.queue_declare(queue=queue, passive=True)
        except connection.channel_errors:
            return 0  # Redis keeps no empty queue
        return int(declared.message_count)


def alive_at(task_id: str) -> str:
    return str(Job.objects.get(task_id=task_id).alive_at)


def heartbeats() -> list[str]:
    return list(Heartbeat.objects.values_list("name", flat=True))


def sweep() -> int:
    from monitio_celery.tasks import sweep_jobs

    return int(sweep_jobs())


def reconnect() -> None:
    """Close the connections that an outage has broken."""
    connections.close_all()


def repeat_events(task_id: str) -> list[bool]:
    """Report every event that can arrive late, in the worst order."""
    from monitio.jobs.reporter import JobReporter

    reporter = JobReporter(task_id, integration="celery")
    late = [
        *(lambda: reporter.succeeded(1), lambda: reporter.failed("late"), reporter.revoked),
        *(lambda: reporter.retrying(3), lambda: reporter.started(4), reporter.queued),
        *(reporter.lost, lambda: reporter.progressed(1, 2, final=True)),
    ]
    return [event() for event in (*late, *reversed(late))]


def result(task_id: str) -> str:
    """The state in Celery's result backend."""
    return str(app.AsyncResult(task_id).state)


def value(task_id: str) -> Any:
    """The task's return value; None while it runs."""
    stored = app.AsyncResult(task_id)
    return stored.result if stored.successful() else None


def children_named(name: str, task_id: str) -> str | None:
    """The id of the task of this name that ``task_id`` started."""
    children = app.AsyncResult(task_id).children or []
    return str(children[0].id) if children else None


def announce_unknown(who: str, **options: Any) -> str:
    """Start a task that no worker has registered."""
    from monitio.jobs.reporter import JobReporter
    from monitio.recipients import Recipient

    task_id = str(uuid4())
    recipient = Recipient.for_user(User.objects.get(username=who))
    JobReporter(task_id, integration="celery", name="no.such.task", recipients=[recipient]).queued()
    app.send_task("no.such.task", task_id=task_id, **options)
    return task_id


def start_in_async_view(who: str) -> str:
    async def request_start() -> str:
        client = AsyncClient()
        await client.aforce_login(await User.objects.aget(username=who))
        return str((await client.get("/start/async/")).json()["id"])

    return asyncio.run(request_start())


def main() -> None:
    # A library's output must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        order, args, kwargs = json.loads(line)
        try:
            answer = {"answer": globals()[order](*args, **kwargs)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), file=answers, flush=True)


if __name__ == "__main__":
    main()
