"""Subscriptions of a connection, and payloads that it does not recognise."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from monitio.transports import postgres, redis
from monitio.transports.base import Waker
from monitio.transports.redis import _Subscription
from tests.support.jobs import FakeClock


class Changes:
    """A listener that returns one change of its topics."""

    def take_changes(self) -> tuple[set[str], set[str]]:
        return {"user:1"}, {"user:2"}


class Gaps:
    """A listener that reads one payload, and records the topics of gaps."""

    def __init__(self) -> None:
        self.missed: list[str | None] = []
        self.stops = iter([False, True])

    def on_gap(self, topic: str | None = None) -> None:
        self.missed.append(topic)

    def take_changes(self) -> tuple[set[str], set[str]]:
        return set(), set()

    def on_tick(self) -> None:
        pass

    def stopping(self) -> bool:
        return next(self.stops)


class BrokenConnection:
    def subscribe(self, *channels: str) -> None:
        raise ConnectionError("the server has closed the connection")


def test_a_change_that_failed_on_a_broken_connection_is_kept_for_the_next() -> None:
    topics = {"user:2", "user:3"}
    listener: Any = Changes()
    waker = Waker()
    subscription = _Subscription(BrokenConnection(), listener, waker, topics)
    with pytest.raises(ConnectionError):
        subscription._follow_changes()
    waker.close()
    assert topics == {"user:1", "user:3"}


class SilentServer:
    """Replaces a pubsub connection; it never answers."""

    def __init__(self) -> None:
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1


def test_a_process_that_was_suspended_does_not_consider_the_server_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, listener, waker = FakeClock(monkeypatch, "monitio.transports.redis"), Mock(), Waker()
    server: Any = SilentServer()
    subscription = _Subscription(server, listener, waker, set())
    # It sent no ping meanwhile.
    subscription._waits_since = None
    clock.forward(60)
    subscription._keep_alive(clock.now)
    assert server.pings == 1
    clock.forward(redis.PONG_WITHIN)
    subscription._keep_alive(clock.now)
    clock.forward(1)
    with pytest.raises(TimeoutError, match="has not answered"):
        subscription._keep_alive(clock.now)
    waker.close()


def test_each_message_takes_one_read_and_one_poll() -> None:
    """Each poll is a system call, in which another thread may take the interpreter's lock."""
    pubsub, listener, waker = Mock(), Mock(), Waker()
    pubsub.get_message.side_effect = [{"type": "pong", "data": b""}] * 3
    pubsub.connection.can_read.side_effect = [True, True, False]
    _Subscription(pubsub, listener, waker, set())._read()
    waker.close()
    assert pubsub.get_message.call_count == pubsub.connection.can_read.call_count == 3


# The topic comes first in every release.
FROM_THE_NEXT_RELEASE = b"user:1\x1fsparkle\x1f{}"


def test_an_event_of_another_release_is_a_gap_of_its_topic_in_redis(settings: Any) -> None:
    settings.MONITIO_REDIS_PREFIX = "site"
    listener: Any = Gaps()
    waker = Waker()
    subscription = _Subscription(BrokenConnection(), listener, waker, {"user:1"})
    for data in (FROM_THE_NEXT_RELEASE, b'{"topic": "user:1", "kind": "message"}'):
        subscription._take({"type": "message", "channel": b"site:user:1", "data": data})
    waker.close()
    assert listener.missed == ["user:1", "user:1"]


def test_an_event_of_another_release_is_a_gap_of_its_topic_in_postgresql() -> None:
    listener: Any = Gaps()
    connection: Any = Mock()
    connection.notifications.return_value = [FROM_THE_NEXT_RELEASE, b"of another program"]
    postgres._Subscription(connection, listener).run()
    # No stream has the second topic.
    assert listener.missed == ["user:1", "of another program"]


def test_wake_ups_share_one_write_until_the_reader_has_read_it() -> None:
    waker = Waker()
    for _ in range(2):
        waker.wake()
        waker.wake()
        assert waker._reader.recv(10) == b"!"
        waker.clear()
    waker.close()
    waker.wake()
