"""Progress, stored and pushed by a real worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.celery.conftest import EventListener, Site, until

pytestmark = [pytest.mark.usefixtures("worker"), pytest.mark.also_on("sqlite")]


def test_progress_is_stored_while_the_task_runs(site: Site, gate: Path) -> None:
    task = site.start("ann", "count_rows", args=[1000, str(gate)])
    job = until(lambda: (job := site.job(task)) and job["total"] and job)
    assert job["total"] == 1000
    assert job["state"] == "started"
    gate.touch()
    job = site.ends(task, "succeeded")
    assert (job["done"], job["total"]) == (1000, 1000)


def test_the_text_is_pushed_with_the_bar(site: Site, listener: EventListener, gate: Path) -> None:
    task = site.start("ann", "count_rows", args=[10, str(gate)])
    until(lambda: any(bar["text"] == "reading" for bar in listener.bars(task)))


def test_a_text_is_shown_before_the_long_step_it_announces(
    site: Site, listener: EventListener, gate: Path
) -> None:
    task = site.start("ann", "two_texts", args=[str(gate)])
    until(lambda: any(bar["text"] == "writing" for bar in listener.bars(task)))
    assert site.job(task)["state"] == "started"


def test_the_bar_moves_inside_a_transaction_that_writes_nothing(
    site: Site, listener: EventListener, gate: Path
) -> None:
    task = site.start("ann", "count_inside_atomic", args=[str(gate)])
    until(lambda: any(bar["total"] == 10 for bar in listener.bars(task)))
    assert site.job(task)["total"] is None
    gate.touch()
    assert site.ends(task, "succeeded")["total"] == 10


def test_a_slow_task_without_progress_sends_a_late_start_notice(site: Site, gate: Path) -> None:
    task = site.start("ann", "slow", args=[str(gate)])
    until(lambda: site.messages(task))
    assert site.reported_after(task) >= 1
    assert site.message(task)["subject"] == "Slow"
    gate.touch()
    site.ends(task, "succeeded")
    assert site.message(task)["subject"] == "Slow: done"


def test_at_most_four_pushes_a_second(site: Site, listener: EventListener, gate: Path) -> None:
    def moves() -> int:
        return sum(bar["state"] == "started" and bool(bar["done"]) for bar in listener.bars(task))

    task = site.start("ann", "hurry", args=[str(gate)])
    until(lambda: moves() > 6)
    gate.touch()
    site.ends(task, "succeeded")
    seconds = until(lambda: site.value(task))
    until(lambda: any(bar["state"] == "succeeded" for bar in listener.bars(task)))
    # Four in each started second, and the last one.
    assert moves() <= 4 * (int(seconds) + 1) + 1


def test_it_works_in_an_event_loop(site: Site, listener: EventListener, gate: Path) -> None:
    task = site.start("ann", "count_asynchronously", args=[4, str(gate)])
    until(lambda: any(bar["total"] == 4 for bar in listener.bars(task)))
    gate.touch()
    assert site.ends(task, "succeeded")["done"] == 4


def test_it_is_found_in_a_thread_with_the_context(site: Site) -> None:
    task = site.start("ann", "count_in_a_thread")
    assert site.ends(task, "succeeded")["total"] == 5


def test_the_next_task_of_the_process_does_not_inherit_it(site: Site) -> None:
    for _ in range(4):
        site.ends(site.start("ann", "count_in_a_thread"))
    task = site.start("ann", "is_outside")
    assert until(lambda: site.result(task) == "SUCCESS")
    assert site.value(task) == "no run"
