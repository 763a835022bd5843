from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

import monitio
from monitio import api, dispatch
from monitio.channels import Channel, PermanentFailure, TemporaryFailure, deliveries
from monitio.channels.policy import DeliveryPolicy
from monitio.models import Delivery, Message
from tests.support.people import user
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


class Recording(Channel):
    """A channel that records its calls and raises what the test sets."""

    has_destinations = False
    sent: list[int] = []
    fails: list[Exception] = []

    def plan(self, message: Message, destinations: Any) -> list[str]:
        return [""]

    def send(self, delivery: Delivery) -> None:
        Recording.sent.append(delivery.message_id)
        if Recording.fails:
            raise Recording.fails.pop(0)


@pytest.fixture(autouse=True)
def _channel(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MONITIO_CHANNELS = {"email": f"{__name__}.Recording"}
    Recording.sent, Recording.fails = [], []
    # Deliveries are sent only by the tests.
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)


@pytest.fixture
def delivery() -> Delivery:
    api.create_message(user(), monitio.INFO, "one", email=True)
    return Delivery.objects.get()


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    later = timezone.now() + timedelta(seconds=seconds)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)


def test_a_delivery_is_sent_once(delivery: Delivery) -> None:
    assert deliveries.send(delivery.pk) is True
    assert deliveries.send(delivery.pk) is False
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.error) == ("sent", 1, "")
    assert delivery.sent_at
    assert len(Recording.sent) == 1


def test_of_many_at_once_one_sends(delivery: Delivery) -> None:
    answers = at_once(*[lambda: deliveries.send(delivery.pk)] * 4)
    assert sorted(answers) == [False, False, False, True]
    assert len(Recording.sent) == 1


def test_a_temporary_failure_is_tried_again_later(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recording.fails = [TemporaryFailure("busy")]
    with pytest.raises(TemporaryFailure):
        deliveries.send(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("pending", "busy")
    assert deliveries.send(delivery.pk) is False
    pass_time(monkeypatch, 40)
    assert deliveries.send(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.error) == ("sent", 2, "")


def wait_after(attempts: int) -> float:
    """Seconds until the next attempt after this many failures."""
    api.create_message(user(), monitio.INFO, "one", email=True)
    delivery = Delivery.objects.latest("pk")
    Delivery.objects.filter(pk=delivery.pk).update(attempts=attempts - 1)
    Recording.fails = [TemporaryFailure("busy")]
    with pytest.raises(TemporaryFailure):
        deliveries.send(delivery.pk)
    due_at = deliveries.next_try(delivery.pk)
    assert due_at is not None
    return (due_at - timezone.now()).total_seconds()


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 30), (2, 60), (5, 480), (50, 900)])
def test_the_delay_doubles_after_each_attempt_up_to_a_quarter_of_an_hour(
    attempts: int, seconds: int
) -> None:
    assert 0.7 * seconds < wait_after(attempts) <= 1.25 * seconds


def test_attempts_that_failed_together_are_not_retried_together() -> None:
    assert len({round(wait_after(4), 1) for _ in range(5)}) > 1


def test_the_last_attempt_fails_with_the_reason(delivery: Delivery, settings: Any) -> None:
    settings.MONITIO_DELIVER_RETRIES = 2
    Delivery.objects.update(attempts=2)
    Recording.fails = [TemporaryFailure("busy")]
    assert deliveries.send(delivery.pk) is False
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("failed", 3)
    assert delivery.error == "Given up after 3 tries. The last one: busy"
    assert deliveries.next_try(delivery.pk) is None


def test_a_mail_that_kills_its_senders_is_given_up(delivery: Delivery, settings: Any) -> None:
    settings.MONITIO_DELIVER_RETRIES = 2
    Delivery.objects.update(state="claimed", attempts=3, due_at=timezone.now())
    assert deliveries.send(delivery.pk) is False
    delivery.refresh_from_db()
    assert (delivery.state, Recording.sent) == ("failed", [])


def take_over(*args: Any) -> None:
    """Simulate that the lease has expired and another process has claimed the delivery."""
    Delivery.objects.update(due_at=timezone.now())
    assert deliveries._claim(Delivery.objects.get().pk)


@pytest.mark.parametrize("failure", [TemporaryFailure("slow"), PermanentFailure("no")])
def test_a_sender_that_was_replaced_no_longer_changes_the_state(
    delivery: Delivery, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(*args: Any) -> None:
        take_over()
        raise failure

    monkeypatch.setattr(Recording, "send", send)
    with suppress(TemporaryFailure):
        deliveries.send(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("claimed", 2)


def test_what_was_sent_is_sent_also_when_it_took_too_long(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recording, "send", take_over)
    assert deliveries.send(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == "sent"


def test_an_expired_message_is_not_mailed(delivery: Delivery) -> None:
    Message.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert deliveries.send(delivery.pk) is False
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("skipped", "The message has expired.")
    assert Recording.sent == []


@pytest.mark.parametrize(
    ("failure", "error"),
    [(PermanentFailure("no such mailbox"), "no such mailbox"), (KeyError("x"), "See the log.")],
)
def test_any_other_failure_ends_it(delivery: Delivery, failure: Exception, error: str) -> None:
    Recording.fails = [failure]
    assert deliveries.send(delivery.pk) is False
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("failed", error)
    assert deliveries.send(delivery.pk) is False


def test_a_channel_that_is_not_configured_ends_it(delivery: Delivery, settings: Any) -> None:
    settings.MONITIO_CHANNELS = {}
    assert deliveries.send(delivery.pk) is False
    delivery.refresh_from_db()
    assert delivery.state == "failed"


def test_a_sender_that_died_is_replaced_after_a_while(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deliveries._claim(delivery.pk)
    assert deliveries.send(delivery.pk) is False
    pass_time(monkeypatch, deliveries.LEASE.total_seconds() + 5)
    assert deliveries.send(delivery.pk) is True


def test_nothing_is_sent_before_it_is_due(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_at = timezone.now() + timedelta(hours=1)
    Delivery.objects.update(due_at=due_at)
    assert (deliveries.send(delivery.pk), deliveries.run_due()) == (False, (0, 0))
    monkeypatch.setattr("django.utils.timezone.now", lambda: due_at)
    assert deliveries.run_due() == (1, 0)


def test_what_is_due_later_is_not_sent_by_the_process_that_commits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    message = api.create_message(user(), monitio.INFO, "one")
    steps = (("email", DeliveryPolicy(delay=60)),)
    dispatch.deliver(deliveries.create_deliveries([message], steps))
    assert Recording.sent == []
    assert Delivery.objects.get().state == "pending"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others may read a table of one row")
def test_the_query_for_due_deliveries_uses_an_index(delivery: Delivery) -> None:
    assert "INDEX monitio_due (state=? AND due_at<?)" in deliveries.oldest_due().explain()


def test_deleting_a_message_deletes_its_delivery(delivery: Delivery) -> None:
    Message.objects.all().delete()
    assert deliveries.send(delivery.pk) is False
    assert Recording.sent == []


def test_a_message_deleted_while_it_is_claimed_is_no_error(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = type(Delivery.objects.all()).update

    def update_and_delete(self: Any, **changes: Any) -> int:
        rows = due(self, **changes)
        Message.objects.all().delete()
        return rows

    monkeypatch.setattr(
        "monitio.models.deliveries.DeliveryQuerySet.update", update_and_delete, raising=False
    )
    assert deliveries.send(delivery.pk) is False


@pytest.mark.parametrize("failure", [None, PermanentFailure("no")])
def test_a_hidden_message_is_deleted_when_its_email_is_settled(
    delivery: Delivery, failure: Exception | None
) -> None:
    api.delete_all(user())
    assert Message.objects.get().hidden
    Recording.fails = [failure] if failure else []
    deliveries.send(delivery.pk)
    assert not Message.objects.exists()


def test_a_hidden_message_stays_while_its_mail_waits(delivery: Delivery) -> None:
    api.delete_all(user())
    Recording.fails = [TemporaryFailure("busy")]
    with pytest.raises(TemporaryFailure):
        deliveries.send(delivery.pk)
    assert Message.objects.get().hidden


def test_planning_twice_mails_once(delivery: Delivery) -> None:
    message = Message.objects.get()
    assert [row.pk for row in deliveries.create_deliveries([message])] == [delivery.pk]
    assert deliveries.create_deliveries([]) == []
    deliveries.send(delivery.pk)
    assert deliveries.create_deliveries([message]) == []


def test_what_is_due_is_sent_oldest_first_up_to_a_limit() -> None:
    rows = [api.create_message(user(), monitio.INFO, str(n), email=True) for n in range(4)]
    Recording.fails = [TemporaryFailure("busy")]
    assert deliveries.run_due(3) == (2, 1)
    assert Recording.sent == [row.pk for row in rows[:3]]
    assert deliveries.run_due() == (1, 0)


def test_a_dead_server_stops_the_round_after_a_few_attempts() -> None:
    for number in range(8):
        api.create_message(user(), monitio.INFO, str(number), email=True)
    Recording.fails = [TemporaryFailure("down") for _ in range(8)]
    assert deliveries.run_due() == (0, 5)
    assert Delivery.objects.filter(state="pending").count() == 8


def test_the_process_that_commits_sends_when_no_worker_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    api.create_message(user(), monitio.INFO, "one", email=True)
    assert Delivery.objects.get().state == "sent"
    assert mail.outbox == []  # it was sent by the configured channel
