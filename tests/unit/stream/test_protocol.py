"""The protocol of one stream, executed step by step without server, database and real clock."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError

from monitio.stream import frames, protocol
from monitio.stream.identity import SiteUnavailable
from monitio.stream.mailbox import Mailbox
from monitio.stream.protocol import (
    Command,
    Query,
    Send,
    StreamProtocol,
    StreamSource,
    Wait,
    finite,
    stream_protocol,
)
from tests.support.jobs import FakeClock

RETRY, HEARTBEAT, RECHECK, AGE = 3000, 15.0, 30.0, 300.0


class Driver:
    """Executes every command of the protocol until it waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, subscribed: bool = True) -> None:
        monkeypatch.setattr(protocol.random, "uniform", lambda low, high: 1.0)
        self.clock = FakeClock(monkeypatch, "monitio.stream.protocol")
        # As in the real drivers, a wake-up since the last wait ends the next wait.
        self.is_woken = False
        self.mailbox = Mailbox("user:1", lambda: setattr(self, "is_woken", True))
        self.mailbox.is_subscribed = subscribed
        self.valid, self.is_stopping = True, False
        self.rechecks = self.snapshots = 0
        self.asked: list[str] = []
        self.broken: Exception | None = None
        self.broken_recheck: Exception | None = None
        # Called while the database is read.
        self.meanwhile: Any = lambda: None
        self.sent: list[bytes] = []
        self.ended = False
        source = StreamSource(
            snapshot=self._snapshot,
            still_valid=self._recheck,
            stopping=lambda: self.is_stopping,
            has="mark",
        )
        self.protocol = stream_protocol(self.mailbox, source)
        self.waiting = self._until_it_waits(None)

    def _snapshot(self, has: str) -> bytes:
        self.snapshots += 1
        self.asked.append(has)
        self.meanwhile()
        if self.broken:
            raise self.broken
        return frames.event("snapshot", {"messages": [], "unread": self.snapshots, "floor": 0})

    def _recheck(self) -> bool:
        self.rechecks += 1
        if self.broken_recheck:
            raise self.broken_recheck
        return self.valid

    def _until_it_waits(self, answer: Any) -> float:
        try:
            command: Command = self.protocol.send(answer)
            while True:
                if isinstance(command, Wait):
                    if not self.is_woken:
                        return command.seconds
                    self.is_woken = False
                    command = self.protocol.send(True)
                    continue
                if isinstance(command, Send):
                    self.sent.append(command.frame)
                    command = self.protocol.send(None)
                    continue
                try:
                    result = command.function()
                except Exception as error:
                    command = self.protocol.throw(error)
                else:
                    command = self.protocol.send(result)
        except StopIteration:
            self.ended = True
            return 0.0

    def wake(self) -> None:
        self.is_woken = False
        self.waiting = self._until_it_waits(True)

    def sleep(self, seconds: float | None = None) -> None:
        """Pass time without an event: as long as the protocol waits, or ``seconds``."""
        self.clock.forward(self.waiting if seconds is None else seconds)
        self.waiting = self._until_it_waits(False)

    def publish(self, text: bytes) -> None:
        self.mailbox.put(text, text)
        self.wake()

    def take(self) -> list[str]:
        """The names of the events sent since the last call."""
        names = [frame.split(b"\n")[0].decode().split(": ")[1] for frame in self.sent]
        self.sent.clear()
        return names


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver(monkeypatch)
    driver.opening = list(driver.sent)  # type: ignore[attr-defined]
    driver.take()
    return driver


def test_it_begins_with_the_retry_delay_and_a_snapshot(driver: Any) -> None:
    assert driver.opening[0] == b"retry: 3000\n\n"
    assert driver.opening[1].startswith(b'event: snapshot\ndata: {"messages":[]')
    assert driver.snapshots == 1


class TestBeginning:
    """A first SUBSCRIBE is not a gap: the stream gets one snapshot, once events are received."""

    @pytest.fixture
    def driver(self, monkeypatch: pytest.MonkeyPatch) -> Driver:
        return Driver(monkeypatch, subscribed=False)

    def test_the_snapshot_waits_for_the_subscription(self, driver: Driver) -> None:
        assert (driver.snapshots, driver.waiting) == (0, protocol.SUBSCRIBE_TIMEOUT)
        driver.wake()
        assert driver.snapshots == 0, "it was woken by something else"
        driver.mailbox.subscribed()
        driver.wake()
        assert (driver.snapshots, driver.rechecks) == (1, 0)
        driver.wake()
        assert driver.snapshots == 1

    def test_what_came_before_the_snapshot_is_in_it(self, driver: Driver) -> None:
        driver.mailbox.put(1, b"event: message\n\n")
        driver.mailbox.subscribed()
        driver.wake()
        assert driver.snapshots == 1
        assert b"event: message\n\n" not in driver.sent

    def test_a_transport_that_does_not_answer_delays_it_a_second(self, driver: Driver) -> None:
        driver.sleep()
        assert driver.snapshots == 1

    def test_a_subscription_that_comes_late_is_a_gap(self, driver: Driver) -> None:
        driver.sleep()
        driver.mailbox.subscribed()
        driver.wake()
        assert (driver.snapshots, driver.rechecks) == (2, 1)

    def test_a_second_subscription_is_a_gap(self, driver: Driver) -> None:
        for _ in range(2):
            driver.mailbox.subscribed()
            driver.wake()
        assert (driver.snapshots, driver.rechecks) == (2, 1)


def test_an_event_is_sent_at_once(driver: Driver) -> None:
    driver.publish(b"one")
    driver.publish(b"two")
    assert driver.sent == [b"one", b"two"]


def test_waiting_events_are_sent_in_one_chunk(driver: Driver) -> None:
    driver.mailbox.put(1, b"one")
    driver.mailbox.put(2, b"two")
    driver.wake()
    assert driver.sent == [b"onetwo"]


def test_a_gap_is_a_new_snapshot(driver: Driver) -> None:
    driver.mailbox.resync()
    driver.wake()
    assert driver.take() == ["snapshot"]
    assert driver.asked == ["mark", ""], "the page has another one now"


def test_an_event_while_a_snapshot_is_read_follows_it(driver: Driver) -> None:
    driver.meanwhile = lambda: driver.mailbox.put(1, b"event: message\n\n")
    driver.mailbox.resync()
    driver.wake()
    assert driver.take() == ["snapshot", "message"]


def test_a_gap_while_a_snapshot_is_read_is_another_snapshot(driver: Driver) -> None:
    def gap_once() -> None:
        driver.meanwhile = lambda: None
        driver.mailbox.resync()

    driver.meanwhile = gap_once
    driver.mailbox.resync()
    driver.wake()
    assert driver.take() == ["snapshot", "snapshot"]


class TestHeartbeat:
    def test_it_is_sent_after_15_seconds_without_an_event(self, driver: Driver) -> None:
        assert driver.waiting == HEARTBEAT
        driver.sleep()
        assert driver.sent == [b"event: beat\ndata: {}\n\n"]

    def test_a_busy_stream_needs_no_heartbeat(self, driver: Driver) -> None:
        for _ in range(20):
            driver.clock.forward(1)
            driver.publish(b"event: message\n\n")
        assert set(driver.take()) == {"message"}

    def test_a_wake_up_without_an_event_sends_nothing(self, driver: Driver) -> None:
        driver.wake()
        assert driver.take() == []


class TestRecheck:
    def test_it_happens_every_30_seconds(self, driver: Driver) -> None:
        seen = []
        for _ in range(8):
            driver.sleep()
            seen.append(driver.rechecks)
        assert seen == [0, 1, 1, 2, 2, 3, 3, 4]

    def test_it_happens_on_a_busy_stream_too(self, driver: Driver) -> None:
        for _ in range(65):
            driver.clock.forward(1)
            driver.publish(b"x")
        assert driver.rechecks == 2

    def test_a_user_who_was_signed_out_gets_no_more(self, driver: Driver) -> None:
        driver.valid = False
        driver.clock.forward(RECHECK)
        driver.publish(b"event: message\n\n")
        assert driver.take() == ["bye"] and driver.ended

    def test_a_recheck_event_is_handled_at_once(self, driver: Driver) -> None:
        driver.valid = False
        driver.mailbox.recheck()
        driver.wake()
        assert driver.ended
        assert json.loads(driver.sent[0].split(b"data: ")[1]) == {
            "reason": "signed-out", "retry": RETRY,
        }  # fmt: skip

    def test_it_rechecks_twice_because_a_log_out_is_announced_before_it_is_done(
        self, driver: Driver
    ) -> None:
        driver.mailbox.recheck()
        driver.wake()
        assert (driver.rechecks, driver.waiting) == (1, 1.0)
        driver.valid = False
        driver.sleep()
        assert driver.ended

    def test_a_gap_causes_one_recheck(self, driver: Driver) -> None:
        driver.mailbox.resync(gap=True)
        driver.wake()
        assert (driver.rechecks, driver.take(), driver.waiting) == (1, ["snapshot"], HEARTBEAT)

    def test_a_gap_does_not_delay_the_second_recheck(self, driver: Driver) -> None:
        driver.mailbox.recheck()
        driver.wake()
        driver.mailbox.resync(gap=True)
        driver.wake()
        assert (driver.rechecks, driver.waiting) == (2, 1.0)

    def test_a_resync_without_a_gap_causes_no_recheck(self, driver: Driver) -> None:
        driver.mailbox.resync()
        driver.wake()
        assert driver.rechecks == 0

    def test_after_two_rechecks_the_usual_interval_applies(self, driver: Driver) -> None:
        driver.mailbox.recheck()
        driver.wake()
        driver.sleep(1.0)
        assert (driver.rechecks, driver.waiting) == (2, HEARTBEAT - 1)

    def test_a_check_without_a_frame_is_no_heartbeat(self, driver: Driver) -> None:
        driver.mailbox.recheck()
        driver.wake()
        driver.sleep(1.0)
        assert driver.take() == []
        driver.sleep(HEARTBEAT - 1)
        assert driver.take() == ["beat"]


class TestEnd:
    def reason(self, driver: Driver) -> str:
        assert driver.ended
        return str(json.loads(driver.sent[-1].split(b"data: ")[1])["reason"])

    def test_a_stopping_server_sends_bye(self, driver: Driver) -> None:
        driver.is_stopping = True
        driver.wake()
        assert self.reason(driver) == "shutdown"

    def test_a_stream_ends_of_age(self, driver: Driver) -> None:
        lived = 0.0
        while not driver.ended:
            lived += driver.waiting
            driver.sleep()
        assert lived == AGE
        assert self.reason(driver) == "age"

    def test_a_busy_stream_ends_of_age_too(self, driver: Driver) -> None:
        lived = 0
        while not driver.ended:
            lived += 1
            driver.clock.forward(1)
            driver.publish(b"x")
        assert lived == AGE

    def test_ages_are_spread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ranges: list[tuple[float, float]] = []
        monkeypatch.setattr(protocol.random, "uniform", lambda a, b: ranges.append((a, b)) or 1.0)
        stream = stream_protocol(Mailbox("user:1", lambda: None), source())
        next(stream)
        next(stream)
        assert ranges == [(0.8, 1.2)]

    def test_a_database_that_is_down_ends_it_politely(
        self, driver: Driver, caplog: pytest.LogCaptureFixture
    ) -> None:
        driver.broken = OperationalError("the server is gone")
        driver.mailbox.resync()
        driver.wake()
        assert self.reason(driver) == "busy"
        assert "the database does not answer" in caplog.text

    def test_a_site_that_cannot_identify_the_user_ends_it_for_now(self, driver: Driver) -> None:
        driver.broken_recheck = SiteUnavailable("a middleware answers with 503")
        driver.mailbox.recheck()
        driver.wake()
        assert self.reason(driver) == "busy"

    def test_a_defect_is_not_hidden(self, driver: Driver) -> None:
        driver.broken = ZeroDivisionError()
        driver.mailbox.resync()
        with pytest.raises(ZeroDivisionError):
            driver.wake()


def source(**more: Any) -> StreamSource:
    return StreamSource(
        snapshot=lambda has: frames.event("snapshot", {"messages": []}),
        still_valid=lambda: True,
        stopping=lambda: False,
        **more,
    )


def test_the_finite_response_is_a_snapshot_and_a_bye() -> None:
    sent = sent_by(finite(source()))
    assert [frame.split(b"\n")[0] for frame in sent] == [
        b"retry: 3000", b"event: snapshot", b"event: bye",
    ]  # fmt: skip
    assert b'"reason":"busy"' in sent[-1]


def sent_by(stream: StreamProtocol) -> list[bytes]:
    """All frames of a stream that never waits."""
    sent: list[bytes] = []
    answer: Any = None
    with suppress(StopIteration):
        while True:
            command = stream.send(answer)
            answer = command.function() if isinstance(command, Query) else None
            sent += [command.frame] if isinstance(command, Send) else []
    return sent


def test_the_settings_are_read_for_each_stream(settings: Any) -> None:
    settings.MONITIO_STREAM_RETRY = 7
    assert next(stream_protocol(Mailbox("user:1", lambda: None), source())) == Send(b"retry: 7\n\n")
