"""Reports that failed because the database was unavailable."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError, transaction

from monitio_celery import retry

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "backoff", lambda failures: 0.0)


def failing(times: int, done: threading.Event) -> Callable[[], None]:
    """A report that finds no database in its first ``times`` calls."""
    left = iter(range(times))

    def report() -> None:
        if next(left, None) is not None:
            raise OperationalError("away")
        done.set()

    return report


def test_it_is_repeated_until_the_database_is_back() -> None:
    done = threading.Event()
    with pytest.raises(OperationalError):
        retry.report_with_retry(failing(3, done))
    assert done.wait(20)


def test_a_bug_is_not_repeated() -> None:
    calls: list[int] = []

    def report() -> None:
        calls.append(1)
        raise KeyError

    with pytest.raises(KeyError):
        retry.report_with_retry(report)
    assert calls == [1]


def test_what_fails_in_a_transaction_fails_with_it() -> None:
    done = threading.Event()
    with pytest.raises(OperationalError), transaction.atomic():
        retry.report_with_retry(failing(1, done))
    assert not done.wait(0.2)


def test_repeating_ends_when_a_table_stays_missing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "monitio")
    retry._repeat(failing(10, threading.Event()), deadline=0.0)
    assert "report is dropped" in caplog.text


def test_reports_that_wait_are_reported_in_order() -> None:
    reported: list[int] = []
    gate, done = threading.Event(), threading.Event()
    queue = retry._Queue()
    queue.add(lambda: gate.wait(20))
    for number in range(3):
        queue.add(lambda number=number: reported.append(number))  # type: ignore[misc]
    queue.add(done.set)
    gate.set()
    assert done.wait(20)
    assert reported == [0, 1, 2]


def test_where_no_thread_starts_the_next_report_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    queue, done = retry._Queue(), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            queue.add(lambda: None)
    queue.add(done.set)
    assert done.wait(20)
