"""Failures with the same text are collapsed into one message that counts them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from monitio import api
from monitio.dispatch import hooks
from monitio.jobs.reporter import MessageContent, Outcome
from monitio.models import Job, Message, Repeat
from monitio.recipients import Recipient
from monitio.testing import capture_events
from tests.support.jobs import mailing, payloads, reporter, subjects_of
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a task queue, the committing process sends e-mails."""
    monkeypatch.setattr(hooks, "deliver", None)


def silent_start(outcome: Outcome) -> MessageContent | None:
    return MessageContent(subject=f"Import {outcome.state}") if outcome.has_ended else None


def fail(number: int, *people: Any, error: str = "boom", **more: Any) -> None:
    job = reporter(*(people or [user()]), task=f"task-{number}", **more)
    job.started()
    job.failed(error)


def test_identical_failures_are_one_message_with_a_count() -> None:
    for number in range(5):
        fail(number)
    assert subjects_of(user()) == ["failed 0 (5 times)"]


def test_every_job_keeps_its_own_end() -> None:
    for number in range(3):
        fail(number)
    assert list(Job.objects.values_list("state", flat=True)) == ["failed"] * 3


def test_the_count_is_in_the_recipients_language() -> None:
    polish = Recipient.for_user(user().pk, "pl")
    for number in range(2):
        fail(number, polish)
    assert subjects_of(user()) == ["failed 0 (2 razy)"]


def test_a_failure_with_another_text_has_its_own_message() -> None:
    fail(1, render=lambda outcome: MessageContent(subject=outcome.state, message=outcome.error))
    fail(2, error="bang", render=lambda o: MessageContent(subject=o.state, message=o.error))
    assert subjects_of(user()) == ["failed", "failed"]


def test_successes_are_never_counted() -> None:
    for number in range(2):
        reporter(user(), task=f"task-{number}").succeeded()
    assert subjects_of(user()) == ["succeeded 0"] * 2


def test_each_person_has_their_own_count() -> None:
    bob = user("bob")
    fail(1, user())
    fail(2, user(), bob)
    assert (subjects_of(user()), subjects_of(bob)) == (["failed 0 (2 times)"], ["failed 0"])


def test_visitors_are_counted_for_too() -> None:
    visitor = Recipient.for_visitor("v" * 32)
    fail(1, visitor)
    fail(2, visitor)
    assert subjects_of(visitor) == ["failed 0 (2 times)"]


@pytest.mark.parametrize("action", [api.mark_read, api.delete])
def test_a_failure_after_that_was_read_or_deleted_begins_again(action: Any) -> None:
    fail(1)
    action(user(), [Message.objects.get().pk])
    fail(2)
    fail(3)
    assert subjects_of(user())[-1] == "failed 0 (2 times)"


def test_an_old_failure_is_not_counted(settings: Any) -> None:
    settings.MONITIO_COLLAPSE_WITHIN = 60
    fail(1)
    Message.objects.update(modified=timezone.now() - timedelta(seconds=61))
    fail(2)
    assert subjects_of(user()) == ["failed 0", "failed 0"]


def test_none_gives_each_failure_its_own_message(settings: Any) -> None:
    settings.MONITIO_COLLAPSE_WITHIN = None
    fail(1)
    fail(2)
    assert subjects_of(user()) == ["failed 0", "failed 0"]


def test_one_email_is_sent() -> None:
    for number in range(3):
        fail(number, render=mailing)
    assert len(mail.outbox) == 1


def test_a_job_with_progress_that_is_collapsed_leaves_the_page_and_the_count_pops_up() -> None:
    fail(1)
    first = Message.objects.get()
    api.mark_seen(user(), [first.pk])
    job = reporter(user(), task="task-2")
    job.started()
    second = Message.objects.exclude(pk=first.pk).get().pk
    with capture_events() as events:
        job.failed("boom")
    gone, shown = payloads(events)
    assert (shown["id"], shown["title"], shown["seen"]) == (first.pk, "failed 0 (2 times)", False)
    assert gone == {"ids": [second]}


def test_a_count_without_progress_does_not_reopen_a_closed_pop_up() -> None:
    fail(1, render=silent_start)
    api.mark_seen(user(), [Message.objects.get().pk])
    fail(2, render=silent_start)
    assert Message.objects.get().seen


def test_a_long_headline_keeps_its_count() -> None:
    for number in range(2):
        fail(number, render=lambda outcome: MessageContent(subject=f"{'x' * 300}: failed"))
    (subject,) = subjects_of(user())
    assert len(subject) == 255
    assert subject.endswith(": failed (2 times)")


def test_prune_deletes_the_counts_of_yesterday() -> None:
    fail(1)
    Repeat.objects.update(created=timezone.now() - timedelta(days=2))
    api.prune()
    assert not Repeat.objects.exists()


def test_a_job_that_fails_after_its_death_keeps_its_message() -> None:
    job = reporter(user())
    job.started()
    job.failed("died", 0)
    job.started(1)
    job.failed("boom")
    assert subjects_of(user()) == ["failed 1"]


def test_a_message_whose_job_continues_counts_no_failures() -> None:
    job = reporter(user(), render=lambda outcome: MessageContent(subject=outcome.state))
    job.failed("died", 0)
    job.started(1)
    job.succeeded()
    fail(2, render=lambda outcome: MessageContent(subject=outcome.state))
    assert subjects_of(user()) == ["succeeded", "failed"]
