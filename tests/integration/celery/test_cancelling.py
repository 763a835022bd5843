"""Cancelling tasks in every state and with every kind of worker."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.integration.celery.conftest import OwnWorkers, Site, until

pytestmark = pytest.mark.usefixtures("worker")


def begin(site: Site, what: str, gate: Path, **options: str) -> str:
    task = site.start("ann", what, how="apply_async", args=[str(gate)], options=options)
    until(lambda: (job := site.job(task)) and job["state"] == "started")
    return str(task)


def test_a_running_task_is_stopped(site: Site, gate: Path) -> None:
    task = begin(site, "unaware", gate)
    assert site.cancel("ann", task) == 302
    site.ends(task, "revoked")
    assert site.message(task)["subject"] == "Unaware: cancelled"
    until(lambda: site.result(task) == "REVOKED")


def test_a_task_of_another_user_is_not(site: Site, gate: Path) -> None:
    task = begin(site, "unaware", gate)
    site.start("bob", "plain_success")
    assert site.cancel("bob", task) == 404
    gate.touch()
    site.ends(task, "succeeded")


def test_a_task_whose_author_does_not_offer_it_is_not(site: Site, gate: Path) -> None:
    task = begin(site, "wait_for", gate)
    assert site.cancel("ann", task) == 404
    gate.touch()
    site.ends(task, "succeeded")


def test_a_visitor_cancels_their_own(site: Site, gate: Path) -> None:
    task = site.start("?canceller", "unaware", args=[str(gate)])
    until(lambda: (job := site.job(task)) and job["state"] == "started")
    site.start("?stranger", "plain_success")
    assert site.cancel("?stranger", task) == 404
    assert site.cancel("?canceller", task) == 302
    site.ends(task, "revoked")


def test_a_waiting_task_ends_at_once_and_never_runs(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    gate.touch()
    task = site.start(
        "ann", "unaware", how="apply_async", args=[str(gate)], options=own_workers.options
    )
    until(lambda: site.job(task))
    assert site.cancel("ann", task) == 302
    assert site.job(task)["state"] == "revoked"
    # This worker starts after the revoke was sent.
    own_workers.start_worker()
    until(lambda: site.result(task) == "REVOKED")
    assert site.message(task)["subject"] == "Unaware: cancelled"


@pytest.mark.parametrize("pool", ["threads", pytest.param("solo", marks=pytest.mark.variant)])
def test_where_no_process_can_be_stopped_the_task_stops_itself(
    site: Site, own_workers: OwnWorkers, gate: Path, pool: str
) -> None:
    own_workers.start_worker(pool)
    task = begin(site, "stops_by_itself", gate, **own_workers.options)
    site.cancel("ann", task)
    site.ends(task, "revoked")
    assert site.message(task)["subject"] == "Stops by itself: cancelled"
    until(lambda: site.value(task) == "halfway")


def test_raising_ends_it_as_revoked_and_rolls_its_transaction_back(
    site: Site, own_workers: OwnWorkers, gate: Path, environment: dict[str, str]
) -> None:
    if environment["TEST_DATABASE"].startswith("sqlite"):
        pytest.skip("Cancelling cannot be written while the task's transaction writes.")
    own_workers.start_worker("threads")
    task = begin(site, "raises_cancelled_inside_atomic", gate, **own_workers.options)
    site.cancel("ann", task)
    site.ends(task, "revoked")
    assert not site.is_user(f"made in {gate}"[-100:])
    until(lambda: site.result(task) == "REVOKED")


@pytest.fixture(scope="module")
def quiet_site(environment: dict[str, str], site: Site) -> Iterator[Site]:
    """The same site, configured to send no signal to a cancelled task."""
    quiet = Site({**environment, "TEST_CANCEL_SIGNAL": "none"})
    yield quiet
    quiet.close()


def test_without_a_signal_only_the_flag_is_set(
    quiet_site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    own_workers.start_worker()
    task = begin(quiet_site, "stops_by_itself", gate, **own_workers.options)
    quiet_site.cancel("ann", task)
    quiet_site.ends(task, "revoked")
    until(lambda: quiet_site.value(task) == "halfway")


@pytest.mark.only_on("postgres")
@pytest.mark.skipif(find_spec("gevent") is None, reason="pip install gevent")
def test_a_greenlet_that_checks_the_flag_stops_without_a_signal(
    quiet_site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    own_workers.start_worker("gevent")
    for what in ("stops_by_itself", "raises_cancelled"):
        task = begin(quiet_site, what, gate, **own_workers.options)
        quiet_site.cancel("ann", task)
        quiet_site.ends(task, "revoked")


def test_a_task_that_is_not_cancelled_runs_to_its_end(site: Site, gate: Path) -> None:
    task = begin(site, "stops_by_itself", gate)
    gate.touch()
    site.ends(task, "succeeded")
    assert site.value(task) == "whole"
