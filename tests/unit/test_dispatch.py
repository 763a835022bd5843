"""Everything is published and sent once, after the commit; failures do not reach the caller."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from django.core import mail
from django.db import transaction
from django.test import override_settings

from monitio import INFO, api, dispatch
from monitio.channels import TemporaryFailure
from monitio.models import Delivery, Message
from monitio.recipients import Recipient
from monitio.testing import RecordingTransport, capture_events
from monitio.transports import Event
from monitio.utils.deadline import remaining
from tests.support.jobs import FakeClock, payloads, rolled_back
from tests.support.people import user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class DeadTransport(RecordingTransport):
    """A transport that raises while ``dead``, and records the calling threads."""

    callers: ClassVar[list[threading.Thread]] = []
    events: ClassVar[list[Event]] = []
    dead = True

    def publish(self, events: Any) -> None:
        self.callers.append(threading.current_thread())
        if self.dead:
            raise ConnectionError("nobody answers")
        self.events.extend(events)


class SlowMails:
    """Replaces ``deliveries.run``: each e-mail takes ``seconds`` and then fails."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.seconds = clock, 0.0
        self.time_left: list[float] = []

    def run(self, pk: int) -> bool:
        left = remaining(10)
        self.time_left.append(left)
        self.clock.forward(min(self.seconds, left))
        raise TemporaryFailure("slow")


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


@pytest.fixture
def dead() -> Iterator[type[DeadTransport]]:
    DeadTransport.events.clear()
    DeadTransport.callers.clear()
    DeadTransport.dead = True
    with override_settings(MONITIO_TRANSPORT=f"{__name__}.DeadTransport"):
        yield DeadTransport


def write(text: str = "hello", **more: Any) -> Message:
    return api.create_message(user(), INFO, text, email=True, **more)


def texts(events: list[Event]) -> list[str]:
    return [data["body"] for data in payloads(events)]


class TestCommit:
    def test_everything_is_published_after_it_and_nothing_before(self) -> None:
        with capture_events() as events:
            with transaction.atomic():
                write()
                assert not events and not mail.outbox
            assert (texts(events), len(mail.outbox)) == (["hello"], 1)

    def test_without_a_transaction_it_is_published_at_once(self) -> None:
        with capture_events() as events:
            write()
            assert (texts(events), len(mail.outbox)) == (["hello"], 1)

    def test_a_rollback_publishes_nothing(self) -> None:
        with capture_events() as events:
            with rolled_back():
                write()
        assert not events and not mail.outbox and not Delivery.objects.exists()

    def test_a_rolled_back_savepoint_publishes_the_rest_alone(self) -> None:
        with capture_events() as events:
            with transaction.atomic():
                write("outside")
                with rolled_back():
                    write("inside")
        assert texts(events) == ["outside"]
        assert len(mail.outbox) == 1

    def test_a_released_savepoint_waits_for_the_outer_block(self) -> None:
        with capture_events() as events:
            with rolled_back():
                with transaction.atomic():
                    write()
        assert not events

    @pytest.mark.parametrize(
        "announce",
        [
            lambda who: dispatch.announce_news([who]),
            lambda who: dispatch.announce_gone(who, [1]),
            lambda who: dispatch.announce_recheck(who),
        ],
    )
    def test_every_kind_of_event_waits(self, announce: Any) -> None:
        with capture_events() as events:
            with transaction.atomic():
                announce(Recipient.for_user(user()))
                assert not events
            assert len(events) == 1

    def test_a_message_that_is_not_live_publishes_no_event(self) -> None:
        with capture_events() as events:
            write(sse=False)
        assert not events


class TestRobust:
    def test_what_fails_after_the_commit_is_logged_and_the_rest_goes_on(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with capture_events() as events, transaction.atomic():
            dispatch.after_commit(lambda: 1 / 0)
            write()
        assert len(events) == 1
        assert "ZeroDivisionError" in caplog.text

    def test_a_channel_that_is_down_leaves_the_delivery_pending(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*args: Any) -> int:
            raise ConnectionRefusedError("no mail server")

        monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
        write()
        assert Delivery.objects.get().state == "pending"
        assert "waits for the next monitio_deliver" in caplog.text

    @pytest.fixture
    def mails(self, monkeypatch: pytest.MonkeyPatch) -> SlowMails:
        mails = SlowMails(FakeClock(monkeypatch, "monitio.dispatch", "monitio.utils.deadline"))
        monkeypatch.setattr("monitio.channels.deliveries.send", mails.run)
        monkeypatch.setattr(dispatch, "_next_try_here", 0.0)
        return mails

    def test_the_caller_waits_for_the_time_of_one_mail_however_many_there_are(
        self, mails: SlowMails, settings: Any
    ) -> None:
        settings.MONITIO_EMAIL_TIMEOUT = 10
        mails.seconds = 4
        people = [user(f"user{number}") for number in range(5)]
        api.notify_many(people, INFO, "hello", email=True)
        assert mails.time_left == [10, 6, 2]

    def test_a_mail_server_that_used_all_the_time_is_not_used_for_a_while(
        self, mails: SlowMails, settings: Any
    ) -> None:
        settings.MONITIO_EMAIL_TIMEOUT = mails.seconds = 10
        write()
        write()
        assert len(mails.time_left) == 1
        mails.clock.forward(dispatch.PAUSE)
        write()
        assert len(mails.time_left) == 2

    def test_a_dead_queue_is_called_once(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked: list[int] = []

        def refuse(pk: int, due_at: Any) -> None:
            asked.append(pk)
            raise ConnectionRefusedError("no broker")

        monkeypatch.setattr(dispatch.hooks, "deliver", refuse)
        people = [user(f"user{number}") for number in range(5)]
        api.notify_many(people, INFO, "hello", email=True)
        assert len(asked) == 1
        assert set(Delivery.objects.values_list("state", flat=True)) == {"pending"}

    def test_a_temporary_failure_of_one_mail_does_not_keep_the_others(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried: list[int] = []

        def fail_first(pk: int) -> bool:
            tried.append(pk)
            if len(tried) == 1:
                raise TemporaryFailure("later")
            return True

        monkeypatch.setattr("monitio.channels.deliveries.send", fail_first)
        api.notify_many([user("ann"), user("bob")], INFO, "hello", email=True)
        assert len(tried) == 2

    def test_a_transport_that_does_not_exist_breaks_no_request(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with override_settings(MONITIO_TRANSPORT="no.such.Transport"):
            assert write().pk
        assert "Events cannot be published" in caplog.text


class TestDeadTransport:
    def test_it_costs_the_first_caller_alone_and_is_logged_once(
        self, dead: type[DeadTransport], caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(20):
            write()
        assert dead.callers.count(threading.current_thread()) == 1
        assert caplog.text.count("The live transport cannot be reached") == 1
        assert Message.objects.count() == 20

    def test_when_it_is_back_it_publishes_what_was_missed(self, dead: type[DeadTransport]) -> None:
        ann, bob = Recipient.for_user(user("ann")), Recipient.for_user(user("bob"))
        dispatch.announce_news([ann])
        dispatch.announce_recheck(bob)
        dispatch.announce_news([ann])
        assert not dead.events
        dead.dead = False
        wait_until(lambda: set(dead.events) == {Event(ann.topic), Event(bob.topic, "recheck")})
        wait_until(lambda: write() and texts(dead.events[2:])[-1:] == ["hello"])
