from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.http import HttpResponse
from django.utils import timezone

import monitio
from monitio import api, dispatch
from monitio.channels import deliveries
from monitio.channels.policy import LONGEST_DELAY, DeliveryPolicy
from monitio.jobs.reporter import MessageContent, Outcome
from monitio.models import Delivery, Message
from tests.support.jobs import reporter
from tests.support.people import request_of, shown, user

READ = DeliveryPolicy(unless="read", delay=60)


@pytest.mark.parametrize(
    ("asked", "how"),
    [
        ((False,), None),
        ((True,), DeliveryPolicy()),
        ((True, 0), DeliveryPolicy()),
        ((True, 60), READ),
        (("unless_read",), READ),
        (("unless_seen",), DeliveryPolicy(unless="seen", delay=60)),
        (("unless_seen", 5), DeliveryPolicy(unless="seen", delay=5)),
        (("unless_read", timedelta(minutes=2)), DeliveryPolicy(unless="read", delay=120)),
        (("unless_read", 0), DeliveryPolicy(unless="read")),
    ],
)
def test_email_and_its_delay_say_how(asked: Any, how: DeliveryPolicy | None) -> None:
    assert DeliveryPolicy.from_options(*asked) == how


def test_the_usual_delay_is_a_setting(settings: Any) -> None:
    settings.MONITIO_EMAIL_DELAY = 7
    assert DeliveryPolicy.from_options("unless_read") == DeliveryPolicy(unless="read", delay=7)


@pytest.mark.parametrize(
    ("email", "delay", "error"),
    [
        ("always", None, ValueError),
        (None, None, ValueError),
        (1, None, ValueError),
        (False, 60, ValueError),
        (True, -1, ValueError),
        (True, float("nan"), ValueError),
        (True, LONGEST_DELAY + 1, ValueError),
        (True, True, TypeError),
        (True, "60", TypeError),
    ],
)
def test_what_makes_no_sense_is_refused(email: Any, delay: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="email"):
        DeliveryPolicy.from_options(email, delay)


# With deliveries.

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


def when_due(monkeypatch: pytest.MonkeyPatch) -> str:
    """What has become of the one delivery when its moment has come."""
    later = timezone.now() + timedelta(seconds=61)
    with monkeypatch.context() as clock:
        clock.setattr("django.utils.timezone.now", lambda: later)
        deliveries.run_due()
    return Delivery.objects.get().state


def write(email: Any, level: int = monitio.INFO, **more: Any) -> Message:
    return api.create_message(user(), level, "one", email=email, **more)


@pytest.mark.parametrize("email", ["unless_read", "unless_seen"])
def test_nothing_is_mailed_before_the_delay_is_over(
    email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(email)
    assert deliveries.run_due() == (0, 0)
    assert mail.outbox == []
    assert when_due(monkeypatch) == "sent"
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("email", "deed", "state"),
    [
        ("unless_read", api.mark_read, "skipped"),
        ("unless_read", api.mark_seen, "sent"),
        ("unless_seen", api.mark_read, "skipped"),
        ("unless_seen", api.mark_seen, "skipped"),
    ],
)
def test_what_spares_the_mail(
    email: str, deed: Any, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deed(user(), [write(email).pk])
    assert when_due(monkeypatch) == state
    assert len(mail.outbox) == (state == "sent")


def test_the_admin_learns_why_nothing_was_mailed(monkeypatch: pytest.MonkeyPatch) -> None:
    api.mark_read(user(), [write("unless_read").pk])
    when_due(monkeypatch)
    assert Delivery.objects.get().error == "It was read before."


@pytest.mark.parametrize("email", ["unless_read", "unless_seen"])
def test_who_deletes_a_message_has_read_it(email: str) -> None:
    write(email)
    api.delete_all(user())
    assert not Message.objects.exists()
    assert not Delivery.objects.exists()


def test_a_page_that_showed_a_message_once_spares_its_mail() -> None:
    write("unless_read", level=20)
    request = request_of(user())
    assert shown(request) == ["one"]
    request._messages.update(HttpResponse())
    assert not Delivery.objects.exists()


def test_add_message_and_notify_many_wait_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    api.add_message(request_of(user()), monitio.INFO, "one", email="unless_seen", email_delay=5)
    api.notify_many([user("bob")], monitio.INFO, "two", email=True, email_delay=5)
    assert [row.unless for row in Delivery.objects.order_by("pk")] == ["seen", "read"]
    assert mail.outbox == []


def asking(**how: Any) -> Any:
    """A renderer that asks for a mail like this."""
    return lambda outcome: MessageContent(subject=outcome.state, **how)


def test_who_watched_the_job_finish_gets_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    job = reporter(user(), render=asking(email="unless_seen"))
    job.started()
    api.mark_seen(user(), [Message.objects.get().pk])
    job.succeeded()
    # The open page reports the pop-up of the end.
    api.mark_seen(user(), [Message.objects.get().pk])
    assert when_due(monkeypatch) == "skipped"


def test_having_seen_the_job_run_spares_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    job = reporter(user(), render=asking(email="unless_seen"))
    job.started()
    api.mark_seen(user(), [Message.objects.get().pk])
    job.succeeded()
    assert when_due(monkeypatch) == "sent"
    assert mail.outbox[0].subject == "succeeded"


def test_each_reader_of_a_job_is_mailed_as_their_wording_says() -> None:
    def render(outcome: Outcome) -> MessageContent:
        return MessageContent(subject="done", email=next(kinds))

    kinds = iter([True, "unless_read"])
    reporter(user(), user("bob"), render=render).succeeded()
    assert [row.unless for row in Delivery.objects.order_by("message_id")] == ["", "read"]


def test_a_wording_that_asks_for_nonsense_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    reporter(user(), render=asking(email="sometimes")).succeeded()
    assert "Rendering shop.report failed" in caplog.text
    assert Message.objects.get().subject != "succeeded"


def test_a_job_that_was_given_up_and_lives_is_mailed_at_its_true_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = reporter(user(), render=asking(email="unless_read"))
    job.started()
    job.lost()
    job.recovered()
    assert when_due(monkeypatch) == "pending"
    assert Delivery.objects.get().attempts == 0
    job.succeeded()
    Delivery.objects.update(due_at=timezone.now())
    deliveries.run_due()
    assert [letter.subject for letter in mail.outbox] == ["succeeded"]
