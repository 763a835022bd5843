"""A process that several tests run in parallel on one database."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any
from unittest import mock

from tests.support.peers import serve, set_up

set_up()

from django.core import mail
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from monitio import api
from monitio.channels import deliveries
from monitio.dispatch import hooks
from monitio.jobs.reporter import MessageContent, Outcome
from monitio.messages import visitors
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient
from monitio.signals import job_ended
from monitio.testing import RecordingTransport
from monitio.transports import Event
from monitio.transports.polling import PollingTransport
from monitio.utils import database
from monitio_celery.groups.members import MemberReporter
from monitio_celery.headers import Member
from tests.support import people
from tests.support.jobs import mailing, report, reporter

EVENTS = ("queued", "started", "retrying 0", "started 1", "succeeded")
hooks.deliver = None
ends: list[str] = []


def _note_end(job: Job, **kwargs: Any) -> None:
    ends.append(job.task_id)


job_ended.connect(_note_end)


def wait_for(moment: float) -> None:
    """Wait for the moment, so that processes start together."""
    time.sleep(max(0.0, moment - time.monotonic()))


def end_parts(moment: float, group: str, numbers: list[int], total: int) -> list[str]:
    """Report starts and ends of these members of a group; returns the group's ends."""
    recipients = [Recipient.of(people.user("ann"))]
    whole = Member(group=group, number=0, total=total, title="Import", options={})
    ends.clear()
    wait_for(moment)
    for number in numbers:
        part = MemberReporter(replace(whole, number=number), recipients, f"{group}-{number}")
        if number % 3:
            part.started()
        part.succeeded()
    return list(ends)


def report_jobs(moment: float, seed: int, count: int, names: list[str]) -> dict[str, Any]:
    """Report every event of all jobs, in random order."""
    users = [people.user(name) for name in names]
    events = [(f"task-{number}", event) for number in range(count) for event in EVENTS]
    random.Random(seed).shuffle(events)
    ends.clear()
    mail.outbox = []
    wait_for(moment)
    moved = [
        [task, event]
        for task, event in events
        if report(reporter(*users, task=task, render=mailing), event)
    ]
    return {"moved": moved, "ends": list(ends), "mails": len(mail.outbox)}


_resolve = visitors.current_recipient


def _resolve_slowly(recipient: Recipient) -> Recipient:
    """Delay between lookup and write, so that a log-in can happen between them."""
    found = _resolve(recipient)
    if found.is_visitor:
        time.sleep(0.02)
    return found


def write_to_visitor(moment: float, token: str, start: int, count: int) -> None:
    """Write messages and jobs for a visitor."""
    visitors.current_recipient = _resolve_slowly
    wait_for(moment)
    for number in range(start, start + count):
        api.create_message(Recipient.for_visitor(token), 120, f"message {number}")
        job = reporter(Recipient.for_visitor(token), task=f"visitor-{number}")
        job.started()
        job.succeeded()


def log_in(moment: float, token: str, name: str) -> None:
    user = people.user(name)
    wait_for(moment)
    visitors.merge(token, user)


def change(moment: float, action: str, task: str, name: str, times: int) -> list[Any]:
    """Change the message of a job ``times`` times; returns the data of the published events."""
    events: list[Event] = []
    RecordingTransport.captures[:] = [events]
    who = Recipient.for_user(people.user(name))
    pk = Message.objects.get(job__task_id=task).pk
    wait_for(moment)
    for attempt in range(times):
        if action == "job":
            reporter(who, task=task).started(attempt + 1)
        elif action == "toggle":
            Message.objects.filter(pk=pk).touch(read=False, seen=False)
        else:
            getattr(api, action)(who, [pk])
    if action == "job":
        reporter(who, task=task).succeeded()
    return [event.data for event in events if event.kind == "message"]


def finish_jobs(moment: float, names: list[str], always: str) -> list[bool]:
    """End a job of each user and of ``always``; the end is the first notification."""
    jobs = [
        reporter(people.user(name), people.user(always), task=f"task-{name}", render=_ends_only)
        for name in names
    ]
    for job in jobs:
        job.started()
    wait_for(moment)
    return [job.succeeded() for job in jobs]


def fail_jobs(moment: float, mine: str, count: int, name: str) -> int:
    """Let jobs of one user fail for the same reason; the number of e-mails."""
    jobs = [
        reporter(people.user(name), task=f"{mine}-{number}", render=mailing)
        for number in range(count)
    ]
    mail.outbox = []
    wait_for(moment)
    for job in jobs:
        job.started()
        job.failed("boom")
    return len(mail.outbox)


def _ends_only(outcome: Outcome) -> MessageContent | None:
    return MessageContent(subject=outcome.state) if outcome.has_ended else None


def delete_people(moment: float, names: list[str]) -> None:
    rows = [people.user(name) for name in names]
    wait_for(moment)
    for row in rows:
        # Django collects related rows before it deletes: a row written in between stops it.
        with suppress(IntegrityError):
            row.delete()


def delete_messages(moment: float, name: str, times: int) -> None:
    user = people.user(name)
    wait_for(moment)
    for _ in range(times):
        api.delete_all(user)


def publish_events(moment: float, times: int) -> None:
    """Publish for the same recipients as the other processes, by the database transport."""
    transport = PollingTransport()
    topics = [f"user:{number}" for number in range(40)]
    wait_for(moment)
    # Deadlocks are tested, not a busy machine's speed.
    with mock.patch.object(database, "LOCK_TIMEOUT", 60.0):
        for _ in range(times):
            transport.publish([Event(topic) for topic in random.sample(topics, 20)])


def view_pages(moment: float, name: str, views: int) -> list[str]:
    """View pages; returns everything they showed."""
    user = people.user(name)
    wait_for(moment)
    shown: list[str] = []
    for _ in range(views):
        request: Any = people.request_of(user)
        shown += people.shown(request)
        request._messages.update(HttpResponse())
    return shown


def write_to_user(moment: float, name: str, count: int) -> None:
    user = people.user(name)
    wait_for(moment)
    for number in range(count):
        api.create_message(user, 120, f"message {number}")


def click(moment: float, name: str, times: int) -> list[int]:
    """The requests of an active user on a site with ATOMIC_REQUESTS; the responses' statuses."""
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    browser = Client()
    browser.force_login(people.user(name))
    inbox = reverse("message_list")
    wait_for(moment)
    statuses: list[int] = []
    for _ in range(times):
        pk = Message.objects.order_by("pk").values_list("pk", flat=True).last()
        if pk is None:
            continue
        asked = [
            browser.get(inbox),
            browser.post(reverse("message_mark_seen"), {"ids": [pk]}),
            browser.post(reverse("message_mark_all_read")),
            browser.post(reverse("message_delete_all")),
        ]
        statuses += [response.status_code for response in asked]
    connection.settings_dict["ATOMIC_REQUESTS"] = False
    return statuses


def send_deliveries(moment: float) -> int:
    """Try every delivery; returns the number of e-mails this process has sent."""
    mail.outbox = []
    pks = list(Delivery.objects.values_list("pk", flat=True))
    random.shuffle(pks)
    wait_for(moment)
    sent = sum(deliveries.send(pk) for pk in pks)
    assert sent == len(mail.outbox)
    return sent


def prepare_mails(name: str, count: int) -> None:
    """Create messages with pending e-mails."""
    user = people.user(name)
    rows = [Message(user=user, level=120, message=f"mail {number}") for number in range(count)]
    for row in rows:
        row.save()
    deliveries.create_deliveries(rows)


def prepare_page(name: str, count: int) -> None:
    """Create messages of a Django level for the user's next page."""
    user = people.user(name)
    for number in range(count):
        api.create_message(user, 20, f"shown once {number}", sse=False)


def jobs() -> list[list[Any]]:
    rows = Job.objects.filter(task_id__startswith="task-").order_by("pk")
    return [[row.task_id, row.state, row.attempt] for row in rows]


def messages(name: str) -> list[dict[str, Any]]:
    rows = Message.objects.filter(user__username=name).order_by("pk")
    return list(rows.values("pk", "subject", "message", "version", "read", "seen", "job__task_id"))


def waiting_for_visitor(token: str) -> int:
    return Message.objects.filter(session=token).count()


def delivery_states() -> list[str]:
    return list(Delivery.objects.values_list("state", flat=True))


def make_people(names: list[str]) -> None:
    for name in names:
        people.user(name)


def clear() -> None:
    call_command("flush", verbosity=0, interactive=False)


def start_job(task: str, name: str) -> None:
    reporter(people.user(name), task=task).started()


if __name__ == "__main__":
    functions = (
        report_jobs, write_to_visitor, log_in, change, view_pages, send_deliveries, prepare_mails,
        prepare_page, jobs, messages, waiting_for_visitor, delivery_states, make_people, clear,
        start_job, fail_jobs, finish_jobs, delete_people, delete_messages,
        publish_events, click, write_to_user, end_parts,
    )  # fmt: skip
    serve({function.__name__: function for function in functions})
