"""Workers that die, and task messages that are delivered twice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import billiard
import celery
import pytest

from tests.integration.celery.conftest import OwnWorkers, Shared, Site, begin, until

# The shared worker sends the e-mails of these tests.
pytestmark = [
    pytest.mark.usefixtures("worker"),
    pytest.mark.also_on("sqlite", "rabbitmq", "no-results"),
]
# Seconds after which the broker redelivers an unacknowledged message.
VISIBILITY = 1


def test_a_worker_that_dies_is_found_by_the_sweep(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    worker = own_workers.start_worker()
    task = begin(site, own_workers, "wait_for", gate)
    worker.kill()
    site.age_heartbeat(task)
    assert site.sweep() == 1
    assert site.job(task)["state"] == "lost"
    assert site.message(task)["subject"] == "Wait for: interrupted"


def test_a_job_that_no_worker_begins_is_found_by_the_sweep(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    gate.touch()
    args = [str(gate)]
    task = site.start("ann", "wait_for", how="apply_async", args=args, options=own_workers.options)
    assert site.sweep() == 0
    site.make_overdue(task)
    assert site.sweep() == 1
    assert site.job(task)["state"] == "lost"
    assert site.message(task)["subject"] == "Wait for: interrupted"
    # A worker that starts late still runs the task.
    own_workers.start_worker()
    site.ends(task, "succeeded")
    assert site.message(task)["subject"] == "Wait for: done"


def test_a_dead_workers_message_goes_on_elsewhere(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    worker = own_workers.start_worker(TEST_VISIBILITY=str(VISIBILITY))
    task = begin(site, own_workers, "wait_with_late_ack", gate)
    worker.kill()
    site.age_heartbeat(task)
    assert site.sweep() == 1
    (before,) = site.message_ids(task)
    # Redis counts these seconds itself, and there is no condition to wait for. RabbitMQ redelivers
    # when the connection ends.
    time.sleep(VISIBILITY)
    own_workers.start_worker(TEST_VISIBILITY=str(VISIBILITY))
    until(lambda: site.job(task)["state"] == "started")
    gate.touch()
    site.ends(task, "succeeded")
    assert site.message_ids(task) == [before]
    message = site.message(task)
    assert message["subject"] == "Wait with late ack: done"
    assert len(message["mails"]) == 1


# RabbitMQ redelivers no message while its first worker is connected.
@pytest.mark.only_on("sqlite", "postgres", "django-db", "no-results")
def test_a_task_delivered_twice_is_reported_and_emailed_once(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    first = own_workers.start_worker(TEST_VISIBILITY=str(VISIBILITY))
    task = begin(site, own_workers, "wait_with_late_ack", gate)
    time.sleep(VISIBILITY)
    second = own_workers.start_worker(TEST_VISIBILITY=str(VISIBILITY))
    until(lambda: "received" in second.log.read_text())
    gate.touch()
    until(lambda: all("succeeded in" in worker.log.read_text() for worker in (first, second)))
    assert site.job(task)["state"] == "succeeded"
    assert len(site.message(task)["mails"]) == 1


def test_a_child_that_dies_when_its_retry_is_published_goes_on(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    args = [str(gate), own_workers.queue]
    task = site.start("ann", "dies_after_its_retry", how="apply_async", args=args)
    # No worker serves the queue of the retry yet.
    site.ends(task, "failed")
    (before,) = site.message_ids(task)
    own_workers.start_worker()
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


def test_a_cold_shutdown_interrupts(site: Site, own_workers: OwnWorkers, gate: Path) -> None:
    worker = own_workers.start_worker()
    task = begin(site, own_workers, "wait_for", gate)
    # The child may report to the site before the main process, which gets the signal, does.
    until(lambda: task in site.running_on(worker.name))
    os.kill(worker.process.pid, signal.SIGQUIT)
    until(lambda: worker.process.poll() is not None)
    # Celery 5.4 reports a child that it has stopped as one that died.
    state, word = ("lost", "interrupted") if celery.VERSION >= (5, 7) else ("failed", "failed")
    site.ends(task, state)
    assert site.message(task)["subject"] == f"Wait for: {word}"


def test_a_task_without_memory_fails(site: Site, own_workers: OwnWorkers) -> None:
    worker = own_workers.start_worker()
    task = site.start("ann", "out_of_memory", how="apply_async", options=own_workers.options)
    site.ends(task, "failed")
    assert len(site.message(task)["mails"]) == 1
    if billiard.VERSION >= (4, 3):
        # Celery ends the whole worker then.
        assert until(lambda: worker.process.poll() is not None)
