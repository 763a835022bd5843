"""On a site with a read replica, reads that decide a write use the primary database.

The replica does not exist here, so every query to it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.messages import info
from django.core import mail
from django.core.management import call_command
from django.db import connections
from django.test import RequestFactory
from django.utils import timezone

import monitio
from monitio import api, preferences
from monitio.channels import deliveries
from monitio.jobs.reporter import JobReporter
from monitio.messages import visitors
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient, accounts
from monitio.serializers import snapshot
from monitio.testing import run_digests
from monitio.transports.polling import PollingTransport
from monitio.views import inbox as views
from monitio_celery.models import GroupMember
from tests.support.people import request_of, respond, user

OURS = ("monitio", "monitio_celery", "auth")
MODELS = [*apps.get_app_config("monitio").get_models(), GroupMember]


class Replica:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "replica" if model._meta.app_label in OURS else None

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"


@pytest.fixture(autouse=True)
def _replica(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user("ann"), user("bob")
    nowhere = {**connections.settings["default"], "ENGINE": "django.db.backends.dummy"}
    monkeypatch.setitem(connections.settings, "replica", nowhere)
    settings.DATABASE_ROUTERS = [Replica()]


def user_of(name: str) -> Any:
    return accounts().get(username=name)


def ann() -> Any:
    return user_of("ann")


def write(**fields: Any) -> Message:
    return api.create_message(ann(), monitio.INFO, "one", **fields)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_read_from_the_primary(model: Any) -> None:
    assert model.objects.all().db == model._base_manager.all().db == "default"
    assert model.objects.using("replica").db == "replica", "unless it is named"


def test_rows_that_belong_to_others_are_too() -> None:
    job = Job.objects.create(task_id="task")
    message = write()
    message.job = job
    message.save()
    assert [row.pk for row in job.messages.all()] == [message.pk]
    assert Message.objects.get().job == job
    assert Message.objects.only("subject").get().message == "one"
    message.refresh_from_db()


def retry() -> None:
    """Retry in three steps, as by different processes."""
    me = [Recipient.of(ann())]
    JobReporter("task", recipients=me).queued()
    JobReporter("task", recipients=me).started()
    JobReporter("task").progressed(1, 2, final=True)
    JobReporter("task").failed("no")
    assert Job.objects.get().state == "failed"
    assert Message.objects.get().subject.endswith("failed")


def fail_twice() -> None:
    for task in ("one", "two"):
        JobReporter(task, name="x.y", recipients=[Recipient.of(ann())]).failed("no")
    assert Message.objects.count() == 1


def change_preferences() -> None:
    preferences.change(ann(), frequency="daily", categories={"x": "off"})
    preferences.change(ann(), hour=9)
    assert preferences.for_user(ann()).hour == 9


def digest() -> None:
    preferences.change(ann(), frequency="daily")
    write()
    assert len(run_digests(at=timezone.now() + timedelta(days=2))) == 1
    assert not run_digests(at=timezone.now() + timedelta(days=2))


def deliver() -> None:
    write(email=True)
    assert deliveries.run_due() == (1, 0)
    assert Delivery.objects.get().state == "sent"
    assert len(mail.outbox) == 1


def log_in() -> None:
    visitor = Recipient.for_visitor("v" * 32)
    api.create_message(visitor, monitio.INFO, "one")
    visitors.merge("v" * 32, ann())
    assert visitors.current_recipient(visitor) == Recipient.of(ann())


def flash() -> None:
    request = request_of(ann())
    info(request, "one")
    respond(request)
    following = request_of(ann())
    assert [str(message) for message in following._messages] == ["one"]
    respond(following)
    assert not Message.objects.exists()


def reply() -> None:
    message = write(from_user=user_of("bob"))
    api.reply(ann(), message.pk, "two")


def inbox() -> None:
    message = write()
    assert api.unread_count(ann()) == len(api.inbox(ann())) == 1
    assert len(snapshot(Recipient.of(ann()))["messages"]) == 1
    for view in (views.message_mark_read, views.message_delete):
        request = RequestFactory().post("/")
        request.user, request.csrf_processing_done = ann(), True
        assert view(request, message_id=message.pk).status_code == 302
    assert not Message.objects.exists()


def manage() -> None:
    call_command("send_message", "bob", "ann", "INFO", "one")
    for command in ("monitio_deliver", "monitio_digest", "monitio_prune"):
        call_command(command)


VERBS: list[Callable[[], object]] = [
    write,
    lambda: api.notify_many([ann().pk, user_of("bob")], monitio.INFO, "one"),
    lambda: api.mark_read(ann(), [write().pk]),
    lambda: api.mark_seen(ann(), [write().pk]),
    lambda: (write(), api.mark_all_read(ann())),
    lambda: api.delete(ann(), [write().pk]),
    lambda: (write(), api.delete_all(ann())),
    lambda: api.categories_of(ann()),
    lambda: api.prune(),
    lambda: PollingTransport().publish([]),
    retry, fail_twice, change_preferences, digest, deliver, log_in, flash, reply, inbox, manage,
]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_no_function_queries_the_replica(
    verb: Callable[[], object], django_capture_on_commit_callbacks: Any
) -> None:
    mail.outbox = []
    with django_capture_on_commit_callbacks(execute=True):
        verb()
