"""The broadcaster and its mailboxes: delivery, rechecks, reconciliation, and the loop."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.test import override_settings

from monitio import INFO, api
from monitio.models import Message
from monitio.recipients import Recipient
from monitio.stream.broadcaster import (
    LOOK_EVERY,
    Broadcaster,
    Limits,
    _fingerprints,
    get_broadcaster,
    reset_broadcaster,
)
from monitio.stream.mailbox import CAPACITY, Mailbox
from monitio.stream.protocol import FIRST_CHECK
from monitio.transports import Event
from monitio.transports.events import EVERYBODY
from tests.support.jobs import FakeClock
from tests.support.people import user
from tests.support.waiting import wait_until

TOPIC = "user:1"


class CountingMailbox(Mailbox):
    """A mailbox that counts how often its stream was woken."""

    def __init__(self, topic: str = TOPIC) -> None:
        self.woken = 0
        super().__init__(topic, self._count)

    def _count(self) -> None:
        self.woken += 1

    def data(self) -> list[dict[str, Any]]:
        return [json.loads(frame.split(b"data: ")[1]) for frame in self.take().frames]


class QuietBroadcaster(Broadcaster):
    """A broadcaster without a transport."""

    def _ensure_running(self) -> None:
        pass


@pytest.fixture
def broadcaster(settings: Any) -> Iterator[Broadcaster]:
    """A broadcaster that delivers only what the test publishes."""
    settings.MONITIO_TRANSPORT = "monitio.testing.RecordingTransport"
    broadcaster = QuietBroadcaster()
    yield broadcaster
    broadcaster.stop()


@pytest.fixture
def mailbox(broadcaster: Broadcaster) -> CountingMailbox:
    mailbox = CountingMailbox()
    broadcaster.subscribe(mailbox)
    return mailbox


def state(pk: int = 1, version: int = 1, seq: int = 0) -> Event:
    return Event(TOPIC, "message", {"id": pk, "version": version, "seq": seq})


class TestMailbox:
    def test_it_keeps_what_came_in_order(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        for number in (3, 1, 2):
            broadcaster.receive(state(number))
        assert [entry["id"] for entry in mailbox.data()] == [3, 1, 2]

    def test_it_wakes_its_stream(self, broadcaster: Broadcaster, mailbox: CountingMailbox) -> None:
        for event in (
            state(),
            Event(TOPIC),
            Event(TOPIC, "recheck"),
            Event(TOPIC, "gone", {"ids": [1]}),
        ):
            before = mailbox.woken
            broadcaster.receive(event)
            assert mailbox.woken == before + 1

    def test_taken_events_are_removed(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.receive(state())
        mailbox.take()
        contents = mailbox.take()
        assert (contents.frames, contents.resync, contents.recheck) == ([], False, False)

    @pytest.mark.parametrize(
        ("first", "second"),
        [((1, 5), (2, 0)), ((2, 0), (1, 5)), ((2, 3), (2, 1)), ((2, 1), (2, 3))],
    )
    def test_of_one_message_the_newest_state_is_kept(
        self,
        broadcaster: Broadcaster,
        mailbox: CountingMailbox,
        first: tuple[int, int],
        second: tuple[int, int],
    ) -> None:
        for version, seq in (first, second):
            broadcaster.receive(state(1, version, seq))
        (kept,) = mailbox.data()
        assert (kept["version"], kept["seq"]) == max(first, second)

    def test_a_bar_that_moves_does_not_fill_it(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        for seq in range(10 * CAPACITY):
            broadcaster.receive(state(seq=seq))
        contents = mailbox.take()
        assert len(contents.frames) == 1 and not contents.resync

    def test_a_full_one_becomes_a_snapshot(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        for number in range(CAPACITY):
            broadcaster.receive(state(number))
        assert len(mailbox.take().frames) == CAPACITY
        for number in range(CAPACITY + 1):
            broadcaster.receive(state(number))
        contents = mailbox.take()
        assert contents.resync and not contents.frames

    def test_what_comes_after_a_gap_is_in_the_snapshot(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.receive(state(1))
        broadcaster.on_gap(TOPIC)
        broadcaster.receive(state(2))
        contents = mailbox.take()
        assert contents.resync and not contents.frames

    def test_removals_are_never_merged(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.receive(Event(TOPIC, "gone", {"ids": [1]}))
        broadcaster.receive(Event(TOPIC, "gone", {"ids": [2]}))
        assert [entry["ids"] for entry in mailbox.data()] == [[1], [2]]

    def test_only_a_gap_may_have_hidden_a_log_out(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.receive(Event(TOPIC))
        assert not mailbox.take().gap
        broadcaster.on_gap(TOPIC)
        assert mailbox.take().gap and not mailbox.take().gap

    @pytest.mark.parametrize(
        ("data", "asked"), [({"session": "a"}, [True, False]), (None, [True, True])]
    )
    def test_a_session_that_ended_affects_its_streams_only(
        self, broadcaster: Broadcaster, data: dict[str, Any] | None, asked: list[bool]
    ) -> None:
        mailboxes = [
            Mailbox(f"user:{mark}", lambda: None, SimpleNamespace(session_mark=mark))  # type: ignore[arg-type]
            for mark in ("a", "b")
        ]
        for mailbox in mailboxes:
            broadcaster.subscribe(mailbox)
        broadcaster.receive(Event(EVERYBODY, "recheck", data))
        assert [mailbox.take().recheck for mailbox in mailboxes] == asked

    def test_a_recheck_survives_a_gap(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.receive(Event(TOPIC, "recheck"))
        broadcaster.on_gap()
        contents = mailbox.take()
        assert contents.recheck and contents.resync


class TestSubscribing:
    """The transport follows changes of topics, and each stream waits once for its subscription."""

    def test_a_topic_is_opened_once_and_closed_with_its_last_stream(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        other = CountingMailbox()
        broadcaster.subscribe(other)
        assert broadcaster.take_changes() == ({TOPIC}, set())
        broadcaster.unsubscribe(other)
        assert broadcaster.take_changes() == (set(), set())
        broadcaster.unsubscribe(mailbox)
        assert broadcaster.take_changes() == (set(), {TOPIC})

    def test_one_that_comes_and_goes_between_two_reads_is_no_change(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.unsubscribe(mailbox)
        assert broadcaster.take_changes() == (set(), set())

    def test_one_that_is_left_and_opened_again_stays_subscribed(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.take_changes()
        broadcaster.on_subscribed([TOPIC])
        broadcaster.unsubscribe(mailbox)
        again = CountingMailbox()
        broadcaster.subscribe(again)
        assert broadcaster.take_changes() == (set(), set())
        assert again.is_subscribed

    def test_one_that_was_closed_has_to_be_subscribed_again(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.on_subscribed([TOPIC])
        broadcaster.take_changes()
        broadcaster.unsubscribe(mailbox)
        broadcaster.take_changes()
        again = CountingMailbox()
        broadcaster.subscribe(again)
        assert not again.is_subscribed and broadcaster.take_changes() == ({TOPIC}, set())

    def test_a_second_stream_of_a_topic_does_not_wait(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.on_subscribed([TOPIC])
        second = CountingMailbox()
        broadcaster.subscribe(second)
        assert second.is_subscribed and mailbox.is_subscribed


class TestDelivery:
    def test_only_the_topics_streams_receive_it(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        other = CountingMailbox("user:2")
        broadcaster.subscribe(other)
        broadcaster.receive(state())
        assert (mailbox.woken, other.woken) == (1, 0)

    def test_every_stream_of_the_topic_receives_it_encoded_once(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        second = CountingMailbox()
        broadcaster.subscribe(second)
        broadcaster.receive(state())
        assert mailbox.take().frames[0] is second.take().frames[0]

    def test_a_stream_that_left_receives_nothing_more(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.unsubscribe(mailbox)
        broadcaster.unsubscribe(mailbox)
        broadcaster.receive(state())
        assert mailbox.woken == 0
        assert broadcaster.topics() == set()

    def test_a_gap_of_all_topics_reaches_every_stream(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        other = CountingMailbox("user:2")
        broadcaster.subscribe(other)
        broadcaster.on_gap()
        assert mailbox.take().resync and other.take().resync

    def test_an_event_without_data_is_a_gap(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.receive(Event(TOPIC, "message", None))
        assert mailbox.take().resync

    @pytest.mark.parametrize(
        ("limits", "room"),
        [(Limits(2, 9), True), (Limits(1, 9), False), (Limits(9, 1), False), (Limits(0, 9), False)],
    )
    def test_it_refuses_above_the_limits(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox, limits: Limits, room: bool
    ) -> None:
        assert broadcaster.subscribe(CountingMailbox(), limits) is room
        assert broadcaster.open_streams() == 1 + room

    def test_a_user_does_not_use_up_the_limit_of_others(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        assert broadcaster.subscribe(CountingMailbox("user:2"), Limits(9, 1))

    def test_streams_are_counted_once_however_often_they_come_and_go(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        other = CountingMailbox("user:2")
        for _ in range(2):
            broadcaster.subscribe(mailbox)
            broadcaster.subscribe(other)
        assert (broadcaster.open_streams(), broadcaster.open_streams(TOPIC)) == (2, 1)
        for _ in range(2):
            broadcaster.unsubscribe(mailbox)
        assert (broadcaster.open_streams(), broadcaster.open_streams(TOPIC)) == (1, 0)

    def test_an_address_does_not_use_up_the_limit_of_others(self, broadcaster: Broadcaster) -> None:
        here, there, unknown = (Limits(9, 9, 1, address) for address in ("8.8.4.4", "1.1.1.1", ""))
        first = CountingMailbox("user:2")
        assert broadcaster.subscribe(first, here)
        assert not broadcaster.subscribe(CountingMailbox("user:3"), here)
        assert broadcaster.subscribe(CountingMailbox("user:4"), there)
        assert all(broadcaster.subscribe(CountingMailbox("user:5"), unknown) for _ in range(3))
        broadcaster.unsubscribe(first)
        broadcaster.unsubscribe(first)
        assert broadcaster.subscribe(CountingMailbox("user:3"), here)

    def test_addresses_that_were_left_are_forgotten(self, broadcaster: Broadcaster) -> None:
        mailbox = CountingMailbox()
        broadcaster.subscribe(mailbox, Limits(9, 9, 1, "8.8.4.4"))
        broadcaster.unsubscribe(mailbox)
        assert not broadcaster._addresses

    def test_setting_another_transport_starts_a_new_one(self) -> None:
        first = get_broadcaster()
        with override_settings(MONITIO_TRANSPORT="monitio.testing.RecordingTransport"):
            assert get_broadcaster() is not first
        reset_broadcaster()


class StreamIdentity(SimpleNamespace):
    """The identity of a stream, which the database confirms or not."""

    __hash__ = object.__hash__


class TestRecheck:
    """The broadcaster confirms many streams with one query; the others recheck individually."""

    @pytest.fixture(autouse=True)
    def _database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unchanged(identities: list[Any]) -> set[Any]:
            if any(one.breaks for one in identities):
                raise OperationalError("the server is gone")
            return {one for one in identities if one.is_same}

        monkeypatch.setattr("monitio.stream.broadcaster.unchanged", unchanged)

    def open_stream(
        self,
        broadcaster: Broadcaster,
        *,
        due_in: float,
        topic: str = TOPIC,
        same: bool = True,
        breaks: bool = False,
    ) -> Mailbox:
        mailbox = Mailbox(topic, lambda: None, StreamIdentity(is_same=same, breaks=breaks))  # type: ignore[arg-type]
        mailbox.recheck_at = time.monotonic() + due_in
        broadcaster.subscribe(mailbox)
        return mailbox

    def due_in(self, mailbox: Mailbox) -> float:
        return round(mailbox.recheck_at - time.monotonic(), -1)

    def test_a_confirmed_stream_rechecks_later(self, broadcaster: Broadcaster) -> None:
        mailbox = self.open_stream(broadcaster, due_in=1)
        broadcaster.recheck(broadcaster.due())
        assert self.due_in(mailbox) == 30

    def test_a_stream_that_is_not_confirmed_rechecks_individually(
        self, broadcaster: Broadcaster
    ) -> None:
        mailbox = self.open_stream(broadcaster, due_in=1, same=False)
        broadcaster.recheck(broadcaster.due())
        assert self.due_in(mailbox) == 0

    def test_a_stream_that_is_not_due_is_not_rechecked(self, broadcaster: Broadcaster) -> None:
        mailbox = self.open_stream(broadcaster, due_in=10, breaks=True)
        broadcaster.recheck(broadcaster.due())
        assert self.due_in(mailbox) == 10

    def test_a_new_stream_is_due_seconds_before_it_checks_itself(
        self, broadcaster: Broadcaster
    ) -> None:
        # Looks are up to a tick, a second, late; then snapshots of other streams go first.
        left = FIRST_CHECK - LOOK_EVERY - 1
        mailbox = self.open_stream(broadcaster, due_in=left)
        assert broadcaster.due() == [mailbox]
        assert left >= 2

    def test_a_database_that_fails_for_one_scope_confirms_the_others(
        self,
        broadcaster: Broadcaster,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("monitio.stream.broadcaster.activate", lambda scope: nullcontext())
        broken = self.open_stream(broadcaster, due_in=1, breaks=True)
        other = self.open_stream(broadcaster, due_in=1, topic="acme/user:1")
        broadcaster.recheck(broadcaster.due())
        assert (self.due_in(broken), self.due_in(other)) == (0, 30)
        assert "could not be looked up" in caplog.text


@pytest.mark.django_db(transaction=True)
class TestReconciliation:
    def test_a_stream_that_has_its_snapshot_is_not_resynced_at_its_first_comparison(
        self, broadcaster: Broadcaster
    ) -> None:
        mailbox = CountingMailbox(Recipient.for_user(user()).topic)
        api.create_message(user(), INFO, "here before")
        broadcaster.subscribe(mailbox)
        broadcaster.before_snapshot(mailbox.topic)
        assert not self.resynced(broadcaster, mailbox)
        api.create_message(user(), INFO, "its event was lost")
        assert self.resynced(broadcaster, mailbox)

    @pytest.fixture
    def mailbox(self, broadcaster: Broadcaster) -> CountingMailbox:
        """An open stream of ann that was compared once."""
        mailbox = CountingMailbox(Recipient.for_user(user()).topic)
        broadcaster.subscribe(mailbox)
        broadcaster.reconcile()
        mailbox.take()
        return mailbox

    def resynced(self, broadcaster: Broadcaster, mailbox: CountingMailbox) -> bool:
        broadcaster.reconcile()
        return mailbox.take().resync

    def test_a_stream_that_opened_since_is_compared_with_nothing(
        self, broadcaster: Broadcaster
    ) -> None:
        mailbox = CountingMailbox()
        broadcaster.subscribe(mailbox)
        assert self.resynced(broadcaster, mailbox), (
            "an event may be lost before the first comparison, too"
        )
        assert not self.resynced(broadcaster, mailbox)

    def test_no_change_publishes_nothing(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        api.create_message(user("bob"), INFO, "not hers")
        assert not self.resynced(broadcaster, mailbox)

    @pytest.mark.parametrize("action", ["write", "change", "delete", "replace", "older"])
    def test_every_change_is_found(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox, action: str
    ) -> None:
        row = api.create_message(user(), INFO, "here before")
        self.resynced(broadcaster, mailbox)
        if action == "write":
            api.create_message(user(), INFO, "new")
        elif action == "change":
            api.mark_read(user(), [row.pk])
        elif action == "delete":
            api.delete_all(user())
        elif action == "replace":
            api.delete_all(user())
            api.create_message(user(), INFO, "instead")
        else:  # committed later, with a lower id
            Message(
                pk=row.pk - 1, user=user(), level=INFO, message="late", created=row.created
            ).save(force_insert=True)
        assert self.resynced(broadcaster, mailbox)
        assert not self.resynced(broadcaster, mailbox)

    def test_it_happens_at_an_interval(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = FakeClock(monkeypatch, "monitio.stream.broadcaster")
        broadcaster._next_reconcile = clock.now + 30
        looked: list[float] = []
        monkeypatch.setattr(broadcaster, "reconcile", lambda: looked.append(clock.now))
        for _ in range(90):
            clock.forward(1)
            broadcaster.on_tick()
            if broadcaster._checking is not None:
                broadcaster._checking.result()
        assert looked == [1030, 1060, 1090]

    def test_many_topics_are_looked_up_in_the_index_and_few_compared_in_full(
        self, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
    ) -> None:
        monkeypatch.setattr("monitio.stream.broadcaster.FULLY", 1)
        people = [user(f"user{number}") for number in range(3)]
        rows = [api.create_message(who, INFO, "text") for who in people]
        topics = [row.recipient_key for row in rows]
        known = _fingerprints(topics)
        api.create_message(people[0], INFO, "lost")
        with django_assert_num_queries(2):
            now = _fingerprints(topics, known)
        assert [now[topic] == known[topic] for topic in topics] == [False, True, True]
        # A change outside of the index is found when the topic is compared in full.
        Message.objects.filter(pk=rows[1].pk).touch(read=True)
        monkeypatch.setattr("monitio.stream.broadcaster.FULLY", 3)
        assert _fingerprints(topics, now)[topics[1]] != now[topics[1]]

    def test_topics_that_were_left_are_forgotten(
        self, broadcaster: Broadcaster, mailbox: CountingMailbox
    ) -> None:
        broadcaster.unsubscribe(mailbox)
        broadcaster.reconcile()
        assert broadcaster._fingerprints == {}

    def test_a_database_that_is_down_is_logged_and_nothing_is_forgotten(
        self,
        broadcaster: Broadcaster,
        mailbox: CountingMailbox,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fail(*args: object) -> None:
            raise ConnectionError("gone")

        with monkeypatch.context() as patch:
            patch.setattr("monitio.stream.broadcaster._fingerprints", fail)
            broadcaster.reconcile()
        assert "could not be compared" in caplog.text
        assert not self.resynced(broadcaster, mailbox)


class TestLoop:
    def test_a_transport_that_fails_is_tried_again_and_logged_once(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Any
    ) -> None:
        settings.MONITIO_TRANSPORT = "monitio.testing.RecordingTransport"
        monkeypatch.setattr("monitio.stream.broadcaster.backoff", lambda failures: 0.001)
        tries: list[int] = []

        def listen(self: Any, broadcaster: Broadcaster) -> None:
            tries.append(1)
            raise ConnectionError("nobody there")

        monkeypatch.setattr("monitio.testing.RecordingTransport.listen", listen)
        broadcaster = Broadcaster()
        broadcaster.subscribe(CountingMailbox())
        wait_until(lambda: len(tries) > 5)
        broadcaster.stop()
        assert caplog.text.count("is cut off") == 1

    def test_it_is_stopped_while_a_stream_opens(
        self, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.MONITIO_TRANSPORT = "monitio.testing.RecordingTransport"
        starting, goes_on = threading.Event(), threading.Event()

        start = threading.Thread.start

        def start_slowly(thread: threading.Thread) -> None:
            if thread.name == "monitio-broadcaster":
                starting.set()
                goes_on.wait(10)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_slowly)
        broadcaster = Broadcaster()
        with ThreadPoolExecutor() as pool:
            opening = pool.submit(broadcaster.subscribe, CountingMailbox())
            assert starting.wait(10)
            stopping = pool.submit(broadcaster.stop)
            wait([stopping], timeout=0.1)
            goes_on.set()
            stopping.result(10)
            assert opening.result(10)

    def test_a_stream_that_opens_during_a_stop_starts_a_thread_that_can_be_stopped(
        self, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.MONITIO_TRANSPORT = "monitio.testing.RecordingTransport"
        broadcaster, join = Broadcaster(), threading.Thread.join
        broadcaster.subscribe(CountingMailbox())

        def join_and_open(thread: threading.Thread, timeout: float | None = None) -> None:
            join(thread, timeout)
            broadcaster.subscribe(CountingMailbox("user:2"))

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "join", join_and_open)
            broadcaster.stop()
        (thread,) = (one for one in threading.enumerate() if one is broadcaster._thread)
        broadcaster.stop()
        assert not thread.is_alive()
