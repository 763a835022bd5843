"""One stream's conversation, driven by hand: no server, no database, a fake clock."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError

from monitio.stream import protocol
from monitio.stream.broadcaster import Mailbox
from monitio.stream.identity import SiteUnavailable
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


class Talk:
    """A conversation and whoever drives it: carries out every command until it waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol.random, "uniform", lambda low, high: 1.0)
        self.clock = FakeClock(monkeypatch, "monitio.stream.protocol")
        self.mailbox = Mailbox("user:1", lambda: None)
        self.valid, self.is_stopping = True, False
        self.rechecks = self.snapshots = 0
        self.broken: Exception | None = None
        self.broken_recheck: Exception | None = None
        # Happens while the database is read.
        self.meanwhile: Any = lambda: None
        self.sent: list[bytes] = []
        self.ended = False
        source = StreamSource(
            snapshot=self._snapshot, still_valid=self._recheck, stopping=lambda: self.is_stopping
        )
        self.talk = stream_protocol(self.mailbox, source)
        self.waiting = self._until_it_waits(None)

    def _snapshot(self) -> dict[str, Any]:
        self.snapshots += 1
        self.meanwhile()
        if self.broken:
            raise self.broken
        return {"messages": [], "unread": self.snapshots, "floor": 0}

    def _recheck(self) -> bool:
        self.rechecks += 1
        if self.broken_recheck:
            raise self.broken_recheck
        return self.valid

    def _until_it_waits(self, answer: Any) -> float:
        try:
            command: Command = self.talk.send(answer)
            while not isinstance(command, Wait):
                if isinstance(command, Send):
                    self.sent.append(command.frame)
                    command = self.talk.send(None)
                    continue
                try:
                    result = command.function()
                except Exception as error:
                    command = self.talk.throw(error)
                else:
                    command = self.talk.send(result)
        except StopIteration:
            self.ended = True
            return 0.0
        return command.seconds

    def wake(self) -> None:
        self.waiting = self._until_it_waits(True)

    def sleep(self, seconds: float | None = None) -> None:
        """Time passes without a word: as long as it wanted to wait, or longer."""
        self.clock.forward(self.waiting if seconds is None else seconds)
        self.waiting = self._until_it_waits(False)

    def say(self, text: bytes) -> None:
        self.mailbox.put(text, text)
        self.wake()

    def take(self) -> list[str]:
        """The names of the events sent since the last call."""
        names = [frame.split(b"\n")[0].decode().split(": ")[1] for frame in self.sent]
        self.sent.clear()
        return names


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Talk:
    talk = Talk(monkeypatch)
    talk.opening = list(talk.sent)  # type: ignore[attr-defined]
    talk.wake()  # the mailbox is told to begin with a snapshot, which wakes its stream
    talk.take()
    return talk


def test_it_begins_with_the_pause_and_a_snapshot(talk: Any) -> None:
    assert talk.opening[0] == b"retry: 3000\n\n"
    assert talk.opening[1].startswith(b'event: snapshot\ndata: {"messages":[]')
    assert talk.snapshots == 1


def test_what_rings_is_sent_at_once(talk: Talk) -> None:
    talk.say(b"one")
    talk.say(b"two")
    assert talk.sent == [b"one", b"two"]


def test_what_waits_is_sent_in_one_piece(talk: Talk) -> None:
    talk.mailbox.put(1, b"one")
    talk.mailbox.put(2, b"two")
    talk.wake()
    assert talk.sent == [b"onetwo"]


def test_a_gap_is_a_new_snapshot(talk: Talk) -> None:
    talk.mailbox.resync()
    talk.wake()
    assert talk.take() == ["snapshot"]


def test_what_rings_while_a_snapshot_is_read_follows_it(talk: Talk) -> None:
    talk.meanwhile = lambda: talk.mailbox.put(1, b"event: message\n\n")
    talk.mailbox.resync()
    talk.wake()
    assert talk.take() == ["snapshot", "message"]


def test_a_gap_while_a_snapshot_is_read_is_another_snapshot(talk: Talk) -> None:
    def gap_once() -> None:
        talk.meanwhile = lambda: None
        talk.mailbox.resync()

    talk.meanwhile = gap_once
    talk.mailbox.resync()
    talk.wake()
    assert talk.take() == ["snapshot", "snapshot"]


class TestHeartbeat:
    def test_silence_is_broken_every_15_seconds(self, talk: Talk) -> None:
        assert talk.waiting == HEARTBEAT
        talk.sleep()
        assert talk.sent == [b"event: beat\ndata: {}\n\n"]

    def test_a_stream_that_talks_needs_none(self, talk: Talk) -> None:
        for _ in range(20):
            talk.clock.forward(1)
            talk.say(b"event: message\n\n")
        assert set(talk.take()) == {"message"}

    def test_being_woken_for_nothing_sends_nothing(self, talk: Talk) -> None:
        talk.wake()
        assert talk.take() == []


class TestRecheck:
    def test_it_happens_every_30_seconds(self, talk: Talk) -> None:
        seen = []
        for _ in range(8):
            talk.sleep()
            seen.append(talk.rechecks)
        assert seen == [0, 1, 1, 2, 2, 3, 3, 4]

    def test_also_on_a_stream_that_never_rests(self, talk: Talk) -> None:
        for _ in range(65):
            talk.clock.forward(1)
            talk.say(b"x")
        assert talk.rechecks == 2

    def test_whoever_is_no_longer_signed_in_gets_no_more(self, talk: Talk) -> None:
        talk.valid = False
        talk.clock.forward(RECHECK)
        talk.say(b"event: message\n\n")
        assert talk.take() == ["bye"] and talk.ended

    def test_a_bell_asks_for_it_at_once(self, talk: Talk) -> None:
        talk.valid = False
        talk.mailbox.recheck()
        talk.wake()
        assert talk.ended
        assert json.loads(talk.sent[0].split(b"data: ")[1]) == {
            "reason": "signed-out", "retry": RETRY,
        }  # fmt: skip

    def test_it_looks_again_because_a_log_out_is_said_before_it_is_done(self, talk: Talk) -> None:
        talk.mailbox.recheck()
        talk.wake()
        assert (talk.rechecks, talk.waiting) == (1, 1.0)
        talk.valid = False
        talk.sleep()
        assert talk.ended

    def test_a_gap_asks_for_one_look(self, talk: Talk) -> None:
        talk.mailbox.resync(gap=True)
        talk.wake()
        assert (talk.rechecks, talk.take(), talk.waiting) == (1, ["snapshot"], HEARTBEAT)

    def test_a_gap_does_not_put_the_second_look_off(self, talk: Talk) -> None:
        talk.mailbox.recheck()
        talk.wake()
        talk.mailbox.resync(gap=True)
        talk.wake()
        assert (talk.rechecks, talk.waiting) == (2, 1.0)

    def test_news_ask_for_none(self, talk: Talk) -> None:
        talk.mailbox.resync()
        talk.wake()
        assert talk.rechecks == 0

    def test_after_that_it_goes_on_as_before(self, talk: Talk) -> None:
        talk.mailbox.recheck()
        talk.wake()
        talk.sleep()
        assert (talk.rechecks, talk.waiting) == (2, HEARTBEAT)


class TestEnd:
    def said(self, talk: Talk) -> str:
        assert talk.ended
        return str(json.loads(talk.sent[-1].split(b"data: ")[1])["reason"])

    def test_a_stopping_server_says_so(self, talk: Talk) -> None:
        talk.is_stopping = True
        talk.wake()
        assert self.said(talk) == "shutdown"

    def test_a_stream_ends_of_age(self, talk: Talk) -> None:
        lived = 0.0
        while not talk.ended:
            lived += talk.waiting
            talk.sleep()
        assert lived == AGE
        assert self.said(talk) == "age"

    def test_also_one_that_never_rests(self, talk: Talk) -> None:
        lived = 0
        while not talk.ended:
            lived += 1
            talk.clock.forward(1)
            talk.say(b"x")
        assert lived == AGE

    def test_ages_are_spread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ranges: list[tuple[float, float]] = []
        monkeypatch.setattr(protocol.random, "uniform", lambda a, b: ranges.append((a, b)) or 1.0)
        talk = stream_protocol(Mailbox("user:1", lambda: None), source())
        next(talk)
        next(talk)
        assert ranges == [(0.8, 1.2)]

    def test_a_database_that_is_down_ends_it_politely(
        self, talk: Talk, caplog: pytest.LogCaptureFixture
    ) -> None:
        talk.broken = OperationalError("the server is gone")
        talk.mailbox.resync()
        talk.wake()
        assert self.said(talk) == "busy"
        assert "the database does not answer" in caplog.text

    def test_a_site_that_cannot_say_whose_it_is_ends_it_for_now(self, talk: Talk) -> None:
        talk.broken_recheck = SiteUnavailable("a middleware answers with 503")
        talk.mailbox.recheck()
        talk.wake()
        assert self.said(talk) == "busy"

    def test_a_defect_is_not_hidden(self, talk: Talk) -> None:
        talk.broken = ZeroDivisionError()
        talk.mailbox.resync()
        with pytest.raises(ZeroDivisionError):
            talk.wake()


def source(**more: Any) -> StreamSource:
    return StreamSource(
        snapshot=lambda: {"messages": []},
        still_valid=lambda: True,
        stopping=lambda: False,
        **more,
    )


def test_the_finite_answer_is_a_snapshot_and_a_goodbye() -> None:
    sent = sent_by(finite(source()))
    assert [frame.split(b"\n")[0] for frame in sent] == [
        b"retry: 3000", b"event: snapshot", b"event: bye",
    ]  # fmt: skip
    assert b'"reason":"busy"' in sent[-1]


def sent_by(talk: StreamProtocol) -> list[bytes]:
    """Everything a conversation that never waits sends."""
    sent: list[bytes] = []
    answer: Any = None
    with suppress(StopIteration):
        while True:
            command = talk.send(answer)
            answer = command.function() if isinstance(command, Query) else None
            sent += [command.frame] if isinstance(command, Send) else []
    return sent


def test_the_settings_are_read_for_each_stream(settings: Any) -> None:
    settings.MONITIO_STREAM_RETRY = 7
    assert next(stream_protocol(Mailbox("user:1", lambda: None), source())) == Send(b"retry: 7\n\n")
