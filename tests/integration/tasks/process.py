"""The web process of the site."""

from __future__ import annotations

import json
from datetime import timedelta
from importlib import import_module
from typing import Any

from tests.support.peers import serve, set_up

set_up()

from django.apps import apps
from django.core import mail
from django.core.management import call_command
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from monitio.integrations import base
from monitio.jobs.reporter import JobReporter
from monitio.models import Job, Message
from monitio.recipients import Recipient
from monitio_tasks import compat, notify, receivers
from tests.integration.tasks import work
from tests.support import people

IN_REDIS = apps.is_installed("django_rq")
if IN_REDIS:
    django_rq = import_module("django_rq")

unreported: list[Any] = []


def ask(name: str, who: str, asked: dict[str, Any]) -> str:
    """Start a task by a request of this user; its id."""
    client = Client()
    client.force_login(people.user(who))
    response = client.post(f"/start/{name}/", json.dumps(asked), content_type="application/json")
    assert response.status_code == 200, response
    return response.content.decode()


def enqueue(name: str, *args: Any) -> str:
    """Start a task outside of a request; its id."""
    return str(work.TASKS[name].enqueue(*args).id)


def cancel(task_id: str, who: str) -> int:
    """Click the cancel button on the job's message; the response's status."""
    client = Client()
    client.force_login(people.user(who))
    message = Message.objects.get(job__task_id=task_id)
    return client.post(reverse("message_cancel", args=[message.pk])).status_code


def retry(who: str) -> int:
    """Click "Try again" on the only message; the response's status."""
    client = Client()
    client.force_login(people.user(who))
    return client.post(reverse("message_retry", args=[Message.objects.get().pk])).status_code


def unfinished() -> list[str]:
    """The tasks that wait or run."""
    if IN_REDIS:
        queue = django_rq.get_queue()
        return [*queue.job_ids, *queue.started_job_registry.get_job_ids()]
    rows = DBTaskResult.objects.exclude(status__in=("SUCCESSFUL", "FAILED"))
    return [f"{row.task_path} {row.status}" for row in rows]


def job(task_id: str) -> dict[str, Any] | None:
    fields = ("state", "name", "attempt", "total", "error", "integration", "queue")
    renamed = {"done": F("completed"), "text": F("status_text")}
    return Job.objects.filter(task_id=task_id).values(*fields, **renamed).first()


def messages(who: str) -> list[dict[str, Any]]:
    rows = Message.objects.of(Recipient.of(people.user(who))).order_by("pk")
    return list(rows.values("subject", "message", "url", "job__task_id", "job__state"))


def mails() -> list[str]:
    return [message.subject for message in getattr(mail, "outbox", [])]


def enqueue_unreported(name: str) -> str:
    """Enqueue a task without its job's row, as when a worker is faster than the commit."""
    for signals in compat.signal_modules():
        signals.task_enqueued.disconnect(dispatch_uid="monitio_tasks.enqueued")
    unreported.append(work.TASKS[name].enqueue())
    for signals in compat.signal_modules():
        receivers.connect(signals)
    return str(unreported[-1].id)


def status(task_id: str) -> str:
    return str(work.TASKS["below"].get_backend().get_result(task_id).status)


def report(who: str) -> None:
    with notify(people.user(who)):
        receivers.report_enqueued(task_result=unreported.pop())


def sweep() -> int:
    return base.sweep()


def alive_at(task_id: str) -> float:
    return Job.objects.get(task_id=task_id).alive_at.timestamp()


def age(task_id: str, seconds: float) -> None:
    """Move the last heartbeat of a job into the past."""
    silent_since = timezone.now() - timedelta(seconds=seconds)
    Job.objects.filter(task_id=task_id).update(alive_at=silent_since)


def give_up() -> None:
    if IN_REDIS:
        django_rq.get_queue().connection.flushdb()
    DBTaskResult.objects.all().delete()


def begin_unreported(task_id: str, who: str) -> None:
    """Report a job as started although its task has ended."""
    result = unreported.pop()
    reporter = JobReporter(
        task_id,
        integration=receivers.QUEUE,
        name=result.task.module_path,
        recipients=[Recipient.of(people.user(who))],
    )
    reporter.started()
    age(task_id, 301)


def clear() -> None:
    mail.outbox = []
    call_command("flush", verbosity=0, interactive=False)


def make(name: str) -> int:
    return int(people.user(name).pk)


if __name__ == "__main__":
    functions = (
        age, alive_at, ask, begin_unreported, cancel, clear, enqueue, enqueue_unreported, give_up,
        job, mails, make, messages, report, retry, status, sweep, unfinished,
    )  # fmt: skip
    serve({function.__name__: function for function in functions})
