"""Every option of ``@notify_user`` has an effect."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from celery import group

import monitio
from monitio.channels.policy import DeliveryPolicy, after, steps_from
from monitio.constants import State
from monitio.integrations.decorators import options_of
from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import Outcome
from monitio.models import Job
from monitio.recipients import Recipient
from monitio_celery import notify_group, notify_user
from monitio_celery.calls import TaskCall
from monitio_celery.headers import TaskHeader
from monitio_celery.reporters import job_reporter

# Option -> a value, and an outcome whose content it changes.
SHOWS: dict[str, tuple[Any, Outcome]] = {
    "title": ("Export", Outcome(task_id="1", state=State.QUEUED)),
    "start": ("Soon", Outcome(task_id="1", state=State.STARTED)),
    "progress": ("{done}", Outcome(task_id="1", state=State.STARTED, done=1)),
    "success": ("Ready", Outcome(task_id="1", state=State.SUCCEEDED)),
    "failure": ("Sorry", Outcome(task_id="1", state=State.FAILED)),
    "retry": ("Again", Outcome(task_id="1", state=State.RETRYING)),
    "revoked": ("Stopped", Outcome(task_id="1", state=State.REVOKED)),
    "lost": ("Silent", Outcome(task_id="1", state=State.LOST)),
    "url": ("/there/", Outcome(task_id="1", state=State.SUCCEEDED)),
    "url_label": ("Look", Outcome(task_id="1", state=State.SUCCEEDED)),
    "email": (True, Outcome(task_id="1", state=State.SUCCEEDED)),
    "when": (5, Outcome(task_id="1", state=State.SUCCEEDED, runtime=1)),
    "levels": (
        {State.SUCCEEDED: monitio.WARNING},
        Outcome(task_id="1", state=State.SUCCEEDED),
    ),
    "category": ("exports", Outcome(task_id="1", state=State.SUCCEEDED)),
    "icon": ("file", Outcome(task_id="1", state=State.SUCCEEDED)),
    "extra_tags": ("wide", Outcome(task_id="1", state=State.SUCCEEDED)),
}
# These set recipients, arguments for texts and the time-out of heartbeats; their tests are below
# and in test_tasks.py.
FOR_SEVEN = TaskHeader(to=[{"user": "7"}])
OTHERS = {"user", "arguments", "cancel", "email_delay", "lost_after", "via", "file", "retryable"}


def test_every_option_has_an_entry() -> None:
    assert {field.name for field in dataclasses.fields(NotifyOptions)} == SHOWS.keys() | OTHERS


@pytest.mark.parametrize("option", SHOWS)
def test_the_option_has_its_effect(option: str) -> None:
    value, outcome = SHOWS[option]

    @notify_user(**{option: value})
    def task() -> None: ...

    options = options_of(task)
    assert options is not None
    assert options.content(outcome) != NotifyOptions().content(outcome)


@pytest.mark.django_db
def test_cancel_lets_its_recipients_cancel_it() -> None:
    for value in (True, False):
        job_reporter(str(value), options=NotifyOptions(cancel=value), header=FOR_SEVEN).queued()
        assert Job.objects.get(task_id=str(value)).may_be_cancelled == value


def test_arguments_may_appear_in_texts() -> None:
    outcome = Outcome(task_id="1", state=State.SUCCEEDED, arguments={"name": "a.csv"})

    content = NotifyOptions(success="{name} is in", arguments=["name"]).content(outcome)

    assert content is not None and content.message == "a.csv is in"
    with pytest.raises(ValueError, match="name"):
        NotifyOptions(success="{name} is in")


def test_email_delay_is_how_long_an_email_waits() -> None:
    outcome = Outcome(task_id="1", state=State.SUCCEEDED)

    content = NotifyOptions(email="unless_seen", email_delay=5).content(outcome)

    assert content is not None and content.email_delay == 5
    with pytest.raises(ValueError, match="email_delay="):
        NotifyOptions(email_delay=5)


@pytest.mark.django_db
def test_user_sets_the_recipients() -> None:
    def task(author: int) -> None: ...

    options = NotifyOptions(user=lambda author: author)
    call = TaskCall(task=task, options=options, args=(7,), kwargs={})
    header = call.choose_header(None)

    assert header is not None
    assert header.to == [Recipient.for_user(7).to_dict()]


def test_via_of_a_group_travels_with_its_tasks() -> None:
    chain = notify_group("Import", group(), via={"email": after(300, unless="seen")})
    options = NotifyOptions(**json.loads(json.dumps(chain.options)))
    content = options.content(Outcome(task_id="1", state="failed"))
    assert content is not None
    policy = DeliveryPolicy(delay=300, unless="seen")
    assert steps_from(via=content.via) == (("email", policy),)
