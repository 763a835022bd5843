"""Soft time limits that are reached while monitio reports the task."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from billiard.pool import soft_timeout_sighandler
from celery.utils.dispatch import Signal

from monitio.integrations import run
from monitio.integrations.run import TaskRun
from monitio_celery import cancelled, progress
from monitio_celery.integration import celery
from monitio_celery.signals import base
from monitio_celery.time_limits import defer_soft_timeout
from tests.integration.celery.conftest import Site


class Reporter:
    """A reporter whose every method reaches the time limit."""

    def __init__(self) -> None:
        self.went_on: list[str] = []

    def progressed(self, *args: Any, **options: Any) -> bool:
        signal.raise_signal(signal.SIGUSR1)
        self.went_on.append("progressed")
        return True

    def cancel_requested(self) -> bool:
        signal.raise_signal(signal.SIGUSR1)
        self.went_on.append("cancel_requested")
        return False


@pytest.fixture
def limited() -> Iterator[None]:
    """Install Celery's handler for soft time limits, as in a worker process."""
    before = signal.signal(signal.SIGUSR1, soft_timeout_sighandler)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def reporter(db: None, limited: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reporter]:
    monkeypatch.setattr("monitio.dispatch.in_transaction", lambda: False)
    reporter = Reporter()
    run.activate(TaskRun("1", carried=None, reporter=reporter, integration=celery))  # type: ignore[arg-type]
    yield reporter
    run.deactivate("1")


def test_the_limit_is_raised_in_the_task_after_its_progress_is_reported(reporter: Reporter) -> None:
    bar = progress(total=3)
    with pytest.raises(SoftTimeLimitExceeded):
        bar.advance()
    assert reporter.went_on == ["progressed"]


def test_the_limit_is_raised_in_the_task_after_the_cancellation_check(reporter: Reporter) -> None:
    with pytest.raises(SoftTimeLimitExceeded):
        cancelled()
    assert reporter.went_on == ["cancel_requested"]


def test_a_report_of_a_signal_is_completed(
    limited: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(base, "HANDLERS", {})
    ended = Signal(name="ended")
    reported: list[int] = []

    @base.on(ended)
    def report(**_: Any) -> None:
        signal.raise_signal(signal.SIGUSR1)
        reported.append(1)

    base.connect()
    ended.send(None)
    assert reported == [1]
    assert "the task is not affected" not in caplog.text


def test_a_nested_block_defers_the_limit_to_the_end_of_the_outer_one(limited: None) -> None:
    reached: list[str] = []

    def nested() -> None:
        with defer_soft_timeout():
            with defer_soft_timeout():
                signal.raise_signal(signal.SIGUSR1)
            reached.append("the end of the outer one")

    with pytest.raises(SoftTimeLimitExceeded):
        nested()
    assert reached == ["the end of the outer one"]


def test_other_handlers_of_the_signal_are_kept() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with defer_soft_timeout():
        assert signal.getsignal(signal.SIGUSR1) is before


def test_other_threads_are_not_affected(limited: None) -> None:
    def block() -> None:
        with defer_soft_timeout():
            seen.append(signal.getsignal(signal.SIGUSR1))

    seen: list[Any] = []
    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert seen == [soft_timeout_sighandler]


@pytest.mark.usefixtures("worker")
def test_a_real_task_fails_when_its_bar_meets_its_limit(site: Site) -> None:
    task = site.start("ann", "limited_while_its_bar_moves")
    assert "SoftTimeLimitExceeded" in site.ends(task, "failed")["error"]
    assert site.job(task)["done"] == 1
