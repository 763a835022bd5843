"""A process of a site whose database refuses texts of its tasks."""

from __future__ import annotations

from typing import Any

from tests.support.peers import create_tables, serve, set_up

set_up()

from django.contrib.messages import info
from django.db import connection

import monitio
from monitio import api
from monitio.dispatch import hooks
from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent, Outcome
from monitio.jobs.reporter import JobReporter
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient
from monitio_celery.groups import members as parts
from monitio_celery.headers import TaskHeader
from monitio_celery.models import GroupMember
from tests.support.people import request_of, respond, user

ODD = "emoji \U0001f600, NUL \0, half a surrogate \udc80"
hooks.deliver = None
LONG_LINK = "https://bucket.example.com/?signature=" + "x" * 5000


def migrate(narrow: bool) -> None:
    """Create the tables. ``narrow``: three bytes per character on MariaDB, as in old databases."""
    create_tables()
    if narrow:
        with connection.cursor() as cursor:
            for table in ("monitio_job", "monitio_message"):
                cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
                cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb3")


def render(outcome: Outcome) -> MessageContent:
    """A site's own render function."""
    return MessageContent(subject=f"My {outcome.state}", message=ODD, url=LONG_LINK, email=True)


WORDINGS: dict[str, Any] = {
    "options": NotifyOptions(
        success="{result}", failure="{error}", url=LONG_LINK, email=True
    ).content,
    "own": render,
    "title": NotifyOptions(title=lambda outcome: f"{ODD}: {outcome.result}", email=True).content,
}


def _standing(task: str) -> dict[str, Any]:
    job = Job.objects.get(task_id=task)
    message = job.messages.get()
    return {
        "state": job.state,
        "subject": message.subject,
        "message": message.message,
        "url": message.url,
        "text": job.status_text,
        "mails": Delivery.objects.filter(message=message).count(),
    }


def end_job(task: str, wording: str, state: str) -> dict[str, Any]:
    """The stored values of an ended job that had progress."""
    reporter = JobReporter(
        task,
        name="shop.report",
        recipients=[Recipient.of(user())],
        render=WORDINGS[wording],
        arguments={"name": ODD},
    )
    reporter.queued()
    reporter.started()
    reporter.progressed(1, 2, ODD, final=True)
    reporter.retrying(0, ValueError(ODD))
    reporter.started(1)
    given = {"succeeded": (ODD,), "failed": (ValueError(ODD),)}.get(state, ())
    assert getattr(reporter, state)(*given)
    return _standing(task)


def end_group(task: str, failed: bool) -> dict[str, Any]:
    """The stored values of an ended group with one member."""
    options = {"success": ODD, "failure": ODD, "url": LONG_LINK}
    part = parts.Member(group=task, number=0, total=1, title=f"Import {ODD}", options=options)
    header = TaskHeader(to=[], group_member=part)
    reporter = parts.MemberReporter(part, [Recipient.of(user())], f"{task}.0", header)
    reporter.started()
    reporter.progressed(1, 2)
    if failed:
        reporter.failed(ValueError(ODD))
    else:
        reporter.succeeded(ODD)
    return {**_standing(task), "parts": GroupMember.objects.filter(group=task).count()}


def write(text: str) -> list[list[str]]:
    """The stored values of messages with this text, written in every way."""
    ann = user()
    Message.objects.all().delete()
    api.create_message(ann, monitio.INFO, text, subject=text, email=True)
    api.notify_many([ann], monitio.INFO, text, subject=text)
    api.notify_many([ann], monitio.INFO, text, subject=text, email=True)
    request = request_of(ann)
    info(request, text)
    respond(request)
    rows = Message.objects.order_by("pk").values_list("subject", "message")
    return [list(row) for row in rows]


serve({"write": write, "migrate": migrate, "end_job": end_job, "end_group": end_group})
