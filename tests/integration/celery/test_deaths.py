"""Workers that die, and messages that are delivered more than once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import billiard
import celery
import pytest

from tests.integration.celery.conftest import Shared, Site, Staff, begin, until

# The mails of these tests are sent by the worker that all tests share.
pytestmark = [
    pytest.mark.usefixtures("worker"),
    pytest.mark.also_on("sqlite", "rabbitmq", "no-results"),
]
# Seconds after which the broker redelivers an unacknowledged message.
VISIBILITY = 1


def test_a_worker_that_dies_is_found_by_the_sweep(site: Site, staff: Staff, gate: Path) -> None:
    worker = staff.hire()
    task = begin(site, staff, "wait_for", gate)
    worker.kill()
    site.forget_sign_of_life(task)
    assert site.sweep() == 1
    assert site.job(task)["state"] == "lost"
    assert site.message(task)["subject"] == "Wait for: interrupted"


def test_a_job_that_no_worker_begins_is_found_by_the_sweep(
    site: Site, staff: Staff, gate: Path
) -> None:
    gate.touch()
    args = [str(gate)]
    task = site.start("ann", "wait_for", how="apply_async", args=args, options=staff.options)
    assert site.sweep() == 0
    site.make_overdue(task)
    assert site.sweep() == 1
    assert site.job(task)["state"] == "lost"
    assert site.message(task)["subject"] == "Wait for: interrupted"
    # The queue was not lost after all.
    staff.hire()
    site.ends(task, "succeeded")
    assert site.message(task)["subject"] == "Wait for: done"


def test_a_dead_workers_message_goes_on_elsewhere(site: Site, staff: Staff, gate: Path) -> None:
    worker = staff.hire(TEST_VISIBILITY=str(VISIBILITY))
    task = begin(site, staff, "wait_with_late_ack", gate)
    worker.kill()
    site.forget_sign_of_life(task)
    assert site.sweep() == 1
    (before,) = site.message_ids(task)
    # Redis itself counts these seconds, nothing can be asked; RabbitMQ saw the connection end.
    time.sleep(VISIBILITY)
    staff.hire(TEST_VISIBILITY=str(VISIBILITY))
    until(lambda: site.job(task)["state"] == "started")
    gate.touch()
    site.ends(task, "succeeded")
    assert site.message_ids(task) == [before]
    message = site.message(task)
    assert message["subject"] == "Wait with late ack: done"
    assert len(message["mails"]) == 1


# RabbitMQ gives no message to another worker while the first one is there.
@pytest.mark.only_on("sqlite", "postgres", "django-db", "no-results")
def test_a_task_delivered_twice_is_reported_and_emailed_once(
    site: Site, staff: Staff, gate: Path
) -> None:
    first = staff.hire(TEST_VISIBILITY=str(VISIBILITY))
    task = begin(site, staff, "wait_with_late_ack", gate)
    time.sleep(VISIBILITY)
    second = staff.hire(TEST_VISIBILITY=str(VISIBILITY))
    until(lambda: "received" in second.log.read_text())
    gate.touch()
    until(lambda: all("succeeded in" in worker.log.read_text() for worker in (first, second)))
    assert site.job(task)["state"] == "succeeded"
    assert len(site.message(task)["mails"]) == 1


def test_a_child_that_dies_when_its_retry_is_published_goes_on(
    site: Site, staff: Staff, gate: Path
) -> None:
    args = [str(gate), staff.queue]
    task = site.start("ann", "dies_after_its_retry", how="apply_async", args=args)
    # No worker serves the queue of the retry yet.
    site.ends(task, "failed")
    (before,) = site.message_ids(task)
    staff.hire()
    until(lambda: site.job(task)["state"] == "started")
    assert site.message(task)["subject"] == "Dies after its retry"
    gate.touch()
    assert site.ends(task, "succeeded")["attempt"] == 1
    assert site.message_ids(task) == [before]
    assert len(site.message(task)["mails"]) == 1


def test_a_death_that_is_noticed_during_the_next_attempt_changes_nothing(
    site: Site, shared: Shared, gate: Path
) -> None:
    args = [str(gate), "celery"]
    task = site.start("ann", "dies_after_its_retry", how="apply_async", args=args)
    until(
        lambda: (
            f"{task}] received" in (log := shared.alive().log.read_text())
            and "WorkerLost" in log[log.index(task) :]
        )
    )
    until(lambda: site.job(task)["state"] == "started" and site.job(task)["attempt"] == 1)
    gate.touch()
    site.ends(task, "succeeded")
    assert site.message(task)["subject"] == "Dies after its retry: done"


def test_a_cold_shutdown_interrupts(site: Site, staff: Staff, gate: Path) -> None:
    worker = staff.hire()
    task = begin(site, staff, "wait_for", gate)
    # Its child may report to the site sooner than the process that gets the signal.
    until(lambda: task in site.running_on(worker.name))
    os.kill(worker.process.pid, signal.SIGQUIT)
    until(lambda: worker.process.poll() is not None)
    # Celery 5.4 takes the child it has stopped for one that died.
    state, word = ("lost", "interrupted") if celery.VERSION >= (5, 7) else ("failed", "failed")
    site.ends(task, state)
    assert site.message(task)["subject"] == f"Wait for: {word}"


def test_a_task_without_memory_fails(site: Site, staff: Staff) -> None:
    worker = staff.hire()
    task = site.start("ann", "out_of_memory", how="apply_async", options=staff.options)
    site.ends(task, "failed")
    assert len(site.message(task)["mails"]) == 1
    if billiard.VERSION >= (4, 3):
        # Celery gives up the whole worker then.
        assert until(lambda: worker.process.poll() is not None)
