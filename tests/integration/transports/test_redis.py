"""Redis PUB/SUB on a real Valkey that is killed, freezes or closes connections."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from tests.integration.transports.base import (
    PROCESS,
    PROMPT,
    Conformance,
    EventReceiver,
    new_topic,
)
from tests.support.peers import TIMEOUT, Peer, short_timeout
from tests.support.servers.proxy import Proxy
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

PAID = 4.0


def sqlite(factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{factory.mktemp('redis')}/site.sqlite3"


@pytest.mark.main_road
class TestRedis(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def address(
        cls, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
    ) -> tuple[str, dict[str, Any]]:
        return sqlite(tmp_path_factory), {
            "MONITIO_TRANSPORT": "redis",
            "MONITIO_REDIS_URL": valkey_server.url,
        }


@pytest.mark.main_road
class TestRedisInTheEventLoop(TestRedis):
    """What the server sends is read where the streams of ``monitio.asgi`` are."""

    in_event_loop = True


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """A separate server, because the tests kill and freeze it."""
    server = Valkey()
    server.start()
    yield server
    server.close()


@pytest.fixture(
    scope="module", params=[pytest.param("thread", marks=pytest.mark.variant), "event-loop"]
)
def peers(
    server: Valkey, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Peer, Peer]]:
    database = sqlite(tmp_path_factory)
    settings = {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": server.url}
    peers = [Peer(PROCESS, database, **settings) for _ in range(2)]
    for peer in peers:
        peer.patch("monitio.transports.redis.PING_EVERY", 0.5)
        peer.patch("monitio.utils.backoff.MAX_BACKOFF", 0.5)
        if request.param == "event-loop":
            peer.run_event_loop()
    peers[0].migrate()
    yield peers[0], peers[1]
    for peer in peers:
        peer.close()


@pytest.fixture
def listener(server: Valkey, peers: tuple[Peer, Peer]) -> EventReceiver:
    server.start()
    return EventReceiver(peers[0])


@pytest.fixture
def publisher(server: Valkey, peers: tuple[Peer, Peer]) -> Peer:
    """The publisher, with a closed circuit breaker."""
    peers[1].patch("monitio.transports._current", None)
    return peers[1]


def seconds_to_follow(listener: EventReceiver, topic: str) -> float:
    begin = time.monotonic()
    listener.peer.follow([topic])
    return time.monotonic() - begin


@contextmanager
def frozen(server: Valkey) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def warnings(peer: Peer) -> int:
    return sum("cannot be reached" in line for line in peer.logged())


class TestDead:
    def test_publishing_costs_nothing_and_is_logged_once(
        self, server: Valkey, publisher: Peer
    ) -> None:
        before = warnings(publisher)
        server.kill()
        times = [publisher.timed_publish([["user:1", "resync"]]) for _ in range(20)]
        assert not any(published for published, _ in times)
        assert sum(seconds for _, seconds in times) < PROMPT
        assert warnings(publisher) == before + 1

    def test_a_process_that_receives_and_publishes_logs_one_line(
        self, server: Valkey, listener: EventReceiver
    ) -> None:
        listener.follow(new_topic())
        before, cuts = len(listener.peer.logged()), listener.peer.cuts()
        server.kill()
        for _ in range(3):
            listener.peer.timed_publish([["user:1", "resync"]])
        wait_until(lambda: listener.peer.cuts() > cuts + 1, message="it tries to connect again")
        (line,) = listener.peer.logged()[before:]
        assert line.startswith("The live transport") and "\n" not in line

    def test_a_restart_is_a_gap_and_later_events_arrive(
        self, server: Valkey, listener: EventReceiver, publisher: Peer
    ) -> None:
        topics = [new_topic() for _ in range(3)]
        listener.follow(*topics)
        server.kill()
        listener.forget()
        server.start()
        listener.wait_for("gap", *topics)
        assert publisher.timed_publish([[topics[0], "resync"]])[0]
        listener.receive_again(publisher, topics[0])

    def test_a_quick_restart_costs_the_publisher_no_event(
        self, server: Valkey, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        assert publisher.timed_publish([[topic, "resync"]])[0]
        server.kill()
        server.start()
        assert publisher.timed_publish([[topic, "resync"]])[0]

    def test_streams_that_open_meanwhile_get_events_afterwards(
        self, server: Valkey, listener: EventReceiver, publisher: Peer
    ) -> None:
        topics = [new_topic() for _ in range(5)]
        server.kill()
        # The shortest of them: a deliberate wait would be in each.
        assert min(seconds_to_follow(listener, topic) for topic in topics) < 0.7
        server.start()
        listener.wait_for("gap", *topics)


class TestCutOff:
    """The publisher has lost the server, the receiver has not."""

    @pytest.fixture
    def line(self, server: Valkey) -> Iterator[Proxy]:
        server.start()
        proxy = Proxy(server.port)
        yield proxy
        proxy.close()

    @pytest.fixture
    def publisher(self, line: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
        url = f"redis://127.0.0.1:{line.port}/0"
        settings = {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": url}
        peer = Peer(PROCESS, sqlite(tmp_path_factory), **settings)
        yield peer
        peer.close()

    def test_missed_events_are_published_when_it_is_back(
        self, line: Proxy, listener: EventReceiver, publisher: Peer
    ) -> None:
        first, second = new_topic(), new_topic()
        listener.follow(first, second)
        line.cut()
        for topic in (first, second):
            assert not publisher.timed_publish([[topic, "message", {"id": 1}]])[0]
        line.restore()
        listener.wait_for("resync", first, second)


class TestFrozen:
    def test_publishing_costs_a_second_once(self, server: Valkey, publisher: Peer) -> None:
        with short_timeout(publisher, "transports.redis"):
            wait_until(lambda: publisher.timed_publish([["user:1", "resync"]])[0])
            with frozen(server):
                times = [publisher.timed_publish([["user:1", "resync"]]) for _ in range(10)]
        assert not any(published for published, _ in times)
        assert 0.8 < times[0][1] < PROMPT
        assert sum(seconds for _, seconds in times[1:]) < PROMPT

    @pytest.fixture
    def paying_publisher(self, server: Valkey, publisher: Peer) -> Iterator[Peer]:
        """A publisher whose time-out for a dead server exceeds any delay of a busy machine."""
        server.start()
        publisher.patch("monitio.transports.redis.PUBLISH_TIMEOUT", PAID)
        yield publisher
        publisher.patch("monitio.transports.redis.PUBLISH_TIMEOUT", TIMEOUT)

    def test_later_publishers_wait_for_nothing(
        self, server: Valkey, paying_publisher: Peer
    ) -> None:
        publisher = paying_publisher
        assert publisher.timed_publish([["user:1", "resync"]])[0]
        with frozen(server):
            publisher.timed_publish([["user:1", "resync"]])
            # Longer than the breaker's pauses in this module.
            end = time.monotonic() + 2.5
            times = []
            while time.monotonic() < end:
                times.append(publisher.timed_publish([["user:1", "resync"]])[1])
        assert max(times) < PAID / 2
        wait_until(
            lambda: publisher.timed_publish([["user:1", "resync"]])[0], message="found to be back"
        )

    def test_publishing_to_many_costs_a_second_too(self, server: Valkey, publisher: Peer) -> None:
        with short_timeout(publisher, "transports.redis"), frozen(server):
            _, seconds = publisher.timed_publish([[f"user:{one}", "resync"] for one in range(1000)])
        assert seconds < PROMPT

    def test_the_connection_is_closed_and_opened_again(
        self, server: Valkey, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        with short_timeout(listener.peer, "transports.redis", "PONG_WITHIN"), frozen(server):
            before = listener.peer.cuts()
            wait_until(lambda: listener.peer.cuts() > before, message="noticed")
            listener.forget()
        listener.wait_for("gap", topic)
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.receive_again(publisher, topic)


class TestHungUp:
    @pytest.mark.parametrize("kind", ["pubsub", "normal"])
    def test_a_closed_connection_is_a_gap_or_is_not_noticed(
        self, server: Valkey, listener: EventReceiver, publisher: Peer, kind: str
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.forget()
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", kind)
        if kind == "pubsub":
            listener.wait_for("gap", topic)
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.receive_again(publisher, topic)

    def test_foreign_data_on_the_channel_is_a_gap_at_most(
        self, server: Valkey, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        with redis.Redis.from_url(server.url) as client:
            for word in (b"\xff", b"no json", b"[]", b'{"topic": 1}', b"null",
                         b'{"topic": [], "kind": "message", "data": {}}',
                         b'{"topic": "x", "kind": "message", "data": [1]}',
                         b'{"topic": "x", "kind": "exec", "data": {}}'):  # fmt: skip
                client.publish(f"monitio:{topic}", word)
        listener.forget()
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.wait_for("resync", topic)
        # They may come from another release; they are never passed on.
        assert set(listener.kinds(topic)) <= {"gap", "resync"}


def test_an_unreachable_server_is_reported_by_the_check(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    peer = Peer(
        PROCESS,
        sqlite(tmp_path_factory),
        MONITIO_TRANSPORT="redis",
        MONITIO_REDIS_URL="redis://127.0.0.1:1/0",
    )
    (warning,) = peer.check()
    assert "cannot reach Redis" in warning
    peer.close()
