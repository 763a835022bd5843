"""A recipient cancels a task, in every state and with every kind of worker."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.integration.celery.conftest import Site, Staff, until

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


def test_a_waiting_task_ends_at_once_and_never_runs(site: Site, staff: Staff, gate: Path) -> None:
    gate.touch()
    task = site.start("ann", "unaware", how="apply_async", args=[str(gate)], options=staff.options)
    until(lambda: site.job(task))
    assert site.cancel("ann", task) == 302
    assert site.job(task)["state"] == "revoked"
    # The revoke was sent before this worker started.
    staff.hire()
    until(lambda: site.result(task) == "REVOKED")
    assert site.message(task)["subject"] == "Unaware: cancelled"


@pytest.mark.parametrize("pool", ["threads", pytest.param("solo", marks=pytest.mark.variant)])
def test_where_no_process_can_be_stopped_the_task_stops_itself(
    site: Site, staff: Staff, gate: Path, pool: str
) -> None:
    staff.hire(pool)
    task = begin(site, "stops_by_itself", gate, **staff.options)
    site.cancel("ann", task)
    site.ends(task, "revoked")
    assert site.message(task)["subject"] == "Stops by itself: cancelled"
    until(lambda: site.value(task) == "halfway")


def test_raising_ends_it_as_revoked_and_rolls_its_transaction_back(
    site: Site, staff: Staff, gate: Path, environment: dict[str, str]
) -> None:
    if environment["TEST_DATABASE"].startswith("sqlite"):
        pytest.skip("Cancelling cannot be written while the task's transaction writes.")
    staff.hire("threads")
    task = begin(site, "raises_cancelled_inside_atomic", gate, **staff.options)
    site.cancel("ann", task)
    site.ends(task, "revoked")
    assert not site.is_user(f"made in {gate}"[-100:])
    until(lambda: site.result(task) == "REVOKED")


@pytest.fixture(scope="module")
def quiet_site(environment: dict[str, str], site: Site) -> Iterator[Site]:
    """The same site, which sends no signal to a task that is cancelled."""
    quiet = Site({**environment, "TEST_CANCEL_SIGNAL": "none"})
    yield quiet
    quiet.close()


def test_without_a_signal_it_is_only_asked(quiet_site: Site, staff: Staff, gate: Path) -> None:
    staff.hire()
    task = begin(quiet_site, "stops_by_itself", gate, **staff.options)
    quiet_site.cancel("ann", task)
    quiet_site.ends(task, "revoked")
    until(lambda: quiet_site.value(task) == "halfway")


@pytest.mark.only_on("postgres")
@pytest.mark.skipif(find_spec("gevent") is None, reason="pip install gevent")
def test_a_greenlet_that_looks_stops_without_a_signal(
    quiet_site: Site, staff: Staff, gate: Path
) -> None:
    staff.hire("gevent")
    for what in ("stops_by_itself", "raises_cancelled"):
        task = begin(quiet_site, what, gate, **staff.options)
        quiet_site.cancel("ann", task)
        quiet_site.ends(task, "revoked")


def test_a_task_that_is_not_cancelled_runs_to_its_end(site: Site, gate: Path) -> None:
    task = begin(site, "stops_by_itself", gate)
    gate.touch()
    site.ends(task, "succeeded")
    assert site.value(task) == "whole"
