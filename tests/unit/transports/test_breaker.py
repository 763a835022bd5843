"""The circuit breaker of a dead transport: probes, limits, and events published afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from monitio.transports.breaker import Breaker
from monitio.transports.events import Event
from tests.support.waiting import wait_until

ANN, BOB = Event("user:1"), Event("user:2")


class Server:
    """A double of a transport's server."""

    def __init__(self) -> None:
        self.dead = True
        self.published: list[Event] = []
        self.tries = 0

    def publish(self, events: Sequence[Event]) -> None:
        self.tries += 1
        if self.dead:
            raise ConnectionError("nobody answers")
        self.published += events


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def breaker(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Breaker]:
    """A breaker without delays; it ends with the test."""
    monkeypatch.setattr("monitio.transports.breaker.backoff", lambda failures: 0.001)
    breaker = Breaker(server.publish)
    yield breaker
    breaker.stop()
    wait_until(lambda: not probes(breaker))


def probes(breaker: Breaker) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is breaker._thread]


def test_it_keeps_nothing_while_all_is_well(breaker: Breaker) -> None:
    assert not breaker.is_blocking([ANN])
    assert not probes(breaker)


def test_a_thread_retries_and_no_caller(breaker: Breaker, server: Server) -> None:
    breaker.failed([ANN])
    assert breaker.is_blocking([BOB])
    wait_until(lambda: server.tries > 3)
    assert len(probes(breaker)) == 1


def test_when_it_is_back_missed_events_are_published_once_and_the_thread_ends(
    breaker: Breaker, server: Server
) -> None:
    breaker.failed([Event("user:1", "message", {"id": 1})])
    breaker.is_blocking([BOB, BOB])
    server.dead = False
    wait_until(lambda: not breaker.is_blocking([]))
    assert sorted(server.published, key=lambda event: event.topic) == [ANN, BOB], "to be looked up"
    wait_until(lambda: not probes(breaker))


def test_events_during_the_retry_are_published_too(server: Server, breaker: Breaker) -> None:
    publish, server.dead = server.publish, False

    def publish_and_retry(events: Sequence[Event]) -> None:
        if BOB not in server.published and ANN in events:
            assert breaker.is_blocking([BOB])
        publish(events)

    breaker._publish = publish_and_retry
    breaker.failed([ANN])
    wait_until(lambda: server.published == [ANN, BOB])


def test_very_many_events_are_published_in_parts_and_none_twice(
    server: Server, breaker: Breaker
) -> None:
    sizes: list[int] = []
    publish, server.dead = server.publish, False

    def fail_in_the_middle(events: Sequence[Event]) -> None:
        sizes.append(len(events))
        if len(sizes) == 2:
            raise ConnectionError("for a moment")
        publish(events)

    breaker._publish = fail_in_the_middle
    breaker.failed([Event(f"user:{number}") for number in range(1200)])
    wait_until(lambda: not breaker.is_blocking([]))
    assert sizes == [500, 500, 500, 200]
    assert len(server.published) == len(set(server.published)) == 1200


def test_one_that_dies_while_it_closes_opens_again(server: Server, breaker: Breaker) -> None:
    def publish_one_only(events: Sequence[Event]) -> None:
        if ANN in events:
            breaker.is_blocking([BOB])
        elif server.dead:
            raise ConnectionError("again")
        server.published += events

    breaker._publish = publish_one_only
    breaker.failed([ANN])
    wait_until(lambda: server.published == [ANN] and breaker.is_blocking([]))
    server.dead = False
    wait_until(lambda: server.published == [ANN, BOB] and not breaker.is_blocking([]))


def test_the_probe_ends_when_no_more_events_are_published(
    breaker: Breaker, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Breaker, "IDLE", 0.05)
    breaker.failed([ANN])
    wait_until(lambda: not probes(breaker))
    server.dead = False
    assert breaker.is_blocking([BOB]), "it does not wait for it either"
    wait_until(lambda: {ANN, BOB} == set(server.published))


def test_callers_retry_if_no_thread_can_be_started(
    breaker: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    breaker.failed([ANN])
    assert not breaker.is_blocking([ANN])


def test_the_number_of_missed_events_is_bounded(breaker: Breaker) -> None:
    breaker.failed([])
    for number in range(3 * breaker.CAPACITY // 100):
        breaker.is_blocking([Event(f"user:{number}-{one}") for one in range(100)])
    assert len(breaker._missed) <= breaker.CAPACITY + 100


def test_the_number_of_events_during_the_retry_is_bounded(
    breaker: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def events(kind: str) -> list[Event]:
        return [Event(f"{kind}:{number}") for number in range(breaker.CAPACITY)]

    def fail(missed: Sequence[Event]) -> None:
        breaker.is_blocking(events("visitor"))
        raise ConnectionError

    monkeypatch.setattr(breaker, "_ensure_trying", lambda: True)
    breaker._publish = fail
    breaker.failed(events("user"))
    assert not breaker._is_back()
    assert len(breaker._missed) == breaker.CAPACITY
