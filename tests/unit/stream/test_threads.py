"""Threads that keep their database connections: their number and lifetime."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import DatabaseError, connection
from django.db.backends.signals import connection_created

from monitio.stream import asgi, threads
from monitio.stream.protocol import Query
from monitio.stream.threads import DatabaseThreads
from tests.support.waiting import wait_until


@pytest.fixture
def opened() -> Iterator[list[int]]:
    """The threads that have opened a connection."""
    found: list[int] = []

    def note(**kwargs: Any) -> None:
        found.append(threading.get_ident())

    connection_created.connect(note)
    yield found
    connection_created.disconnect(note)


def query() -> int:
    threads.refresh_connections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return threading.get_ident()


@pytest.mark.django_db(transaction=True)
class TestConnections:
    def test_one_serves_many_queries(self, opened: list[int]) -> None:
        pool = DatabaseThreads(1, "test")
        used = {pool.submit(query).result() for _ in range(5)}
        assert opened == list(used)

    def test_an_old_one_is_replaced(
        self, opened: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(threads, "MAX_AGE", 0)
        pool = DatabaseThreads(1, "test")
        for _ in range(3):
            pool.submit(query).result()
        assert len(opened) == 3

    def test_one_without_autocommit_is_replaced(
        self, opened: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such a connection would stay in its first transaction."""
        monkeypatch.setitem(connection.settings_dict, "AUTOCOMMIT", False)
        pool = DatabaseThreads(1, "test")
        for _ in range(3):
            pool.submit(query).result()
        assert len(opened) == 3

    def test_one_of_another_thread_keeps_its_age(self) -> None:
        connection.close()
        connection.ensure_connection()
        assert not connection.health_check_enabled  # type: ignore[attr-defined]

    def test_an_idle_thread_ends_and_closes_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threads, "IDLE", 0.01)
        pool = DatabaseThreads(1, "test-idle")
        held = pool.submit(lambda: (query(), connection)[1]).result()
        wait_until(lambda: "test-idle" not in {thread.name for thread in threading.enumerate()})
        assert held.connection is None
        assert pool.submit(query).result(), "the next call starts another thread"


class TestLongCalls:
    def test_short_calls_share_a_thread(self) -> None:
        pool, go_on = DatabaseThreads(2, "test", patience=60.0), threading.Event()
        first = pool.submit(lambda: (go_on.wait(20), threading.get_ident())[1])
        calls = [first, *(pool.submit(threading.get_ident) for _ in range(19))]
        wait_until(lambda: pool._began and pool._idle, message="a second thread that waits")
        go_on.set()
        assert len({call.result(20) for call in calls}) == 1

    @pytest.mark.parametrize("limit", [0.0, 0.01])
    def test_a_long_call_delays_no_other(self, limit: float) -> None:
        pool, ended = DatabaseThreads(2, "test", limit), threading.Event()
        lasting = pool.submit(ended.wait, 10)
        calls = [pool.submit(threading.get_ident) for _ in range(20)]
        assert len({call.result(10) for call in calls}) == 1
        ended.set()
        assert lasting.result(10)


def test_a_pool_has_no_more_threads_than_its_size() -> None:
    go_on, pool = threading.Event(), DatabaseThreads(2, "test")

    def work() -> int:
        go_on.wait(20)
        return threading.get_ident()

    calls = [pool.submit(work) for _ in range(10)]
    go_on.set()
    assert len({call.result(20) for call in calls}) <= 2


def test_an_exception_of_a_call_is_raised_in_its_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        DatabaseThreads(1, "test").submit(lambda: 1 // 0).result()


def test_calls_of_a_key_share_the_next_one_that_begins() -> None:
    """Not a running one, which may have read before the caller's change was committed."""
    pool, log = DatabaseThreads(1, "test"), []
    begun, go_on = threading.Event(), threading.Event()

    def read(number: int) -> int:
        begun.set()
        go_on.wait(20)
        log.append(number)
        return number

    first = pool.share("ann", read, 1)
    assert begun.wait(20)
    calls = [pool.share(key, read, number) for number, key in enumerate(["ann", "bob", "ann"], 2)]
    go_on.set()
    assert [call.result(20) for call in [first, *calls]] == [1, 2, 3, 2]
    assert log == [1, 2, 3]


def test_a_thread_that_cannot_be_started_costs_no_later_caller_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = DatabaseThreads(1, "test")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("no more threads")))
        with pytest.raises(RuntimeError):
            pool.share("ann", lambda: 1)
    assert pool.share("ann", lambda: 2).result(20) == 2


def test_a_pool_gets_its_connection_back_after_each_query(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    monkeypatch.setattr(asgi, "refresh_connections", lambda: log.append("refresh"))
    asgi._read(Query(lambda: log.append("query")))
    assert log == ["refresh", "query", "refresh"]


def test_a_connection_that_cannot_be_refreshed_ends_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exception in the thread's future would leave it open without events."""
    error = DatabaseError("broken")
    monkeypatch.setattr(asgi, "refresh_connections", Mock(side_effect=error))
    assert asgi._read(Query(lambda: None)) is error
