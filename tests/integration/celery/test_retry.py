"""Retrying a task from its message, with real workers and a real broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.celery.conftest import OwnWorkers, Site, until
from tests.integration.celery.profiles import Profile


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file without which the task fails."""
    return tmp_path / "rows"


def begin(site: Site, rows: Path, options: dict[str, Any], who: str = "ann", **kwargs: str) -> str:
    asked = {"args": [str(rows)], "kwargs": kwargs, "options": options}
    return str(site.start(who, "needs", how="apply_async", **asked))


def test_a_failed_task_runs_again_in_its_queue(
    site: Site, own_workers: OwnWorkers, rows: Path
) -> None:
    own_workers.start_worker()
    first = begin(site, rows, own_workers.options)
    site.ends(first, "failed")
    (pk,) = site.message_ids(first)
    rows.write_text("123")
    status, second = site.retry("ann", first)
    assert (status, second != first) == (302, True)
    assert site.ends(second, "succeeded")["queue"] == own_workers.queue
    assert site.message_ids(second) == [pk]
    assert site.message(second)["subject"] == "Needs: done"
    assert site.former_ends(second) == ["failed"]


def test_a_lost_task_that_is_alive_does_not_end_its_successor(
    site: Site, own_workers: OwnWorkers, rows: Path, gate: Path
) -> None:
    own_workers.start_worker()
    first = begin(site, rows, own_workers.options, until=str(gate))
    until(lambda: (job := site.job(first)) and job["state"] == "started")

    def try_again() -> str | None:
        # Repeated: each heartbeat of the worker recovers the job.
        site.age_heartbeat(first)
        site.sweep()
        _status, newest = site.retry("ann", first)
        return newest if newest != first else None

    second = until(try_again)
    assert site.former_ends(second) == ["lost"]
    rows.write_text("123")
    gate.touch()
    site.ends(second, "succeeded")
    until(lambda: site.former_ends(second) == ["succeeded"])
    assert site.job(first) is None
    assert len(site.message_ids(second)) == 1


def test_a_visitor_tries_their_own_again(site: Site, own_workers: OwnWorkers, rows: Path) -> None:
    own_workers.start_worker()
    first = begin(site, rows, own_workers.options, "?again")
    site.ends(first, "failed")
    site.start("?other", "plain_success")
    assert site.retry("?other", first) == [404, first]
    rows.write_text("123")
    _status, second = site.retry("?again", first)
    site.ends(second, "succeeded")


def test_a_broker_that_is_down_leaves_the_message_as_it_was(
    site: Site,
    own_workers: OwnWorkers,
    rows: Path,
    request: pytest.FixtureRequest,
    profile: Profile,
) -> None:
    broker = request.getfixturevalue("rabbitmq" if profile.broker == "rabbitmq" else "valkey")
    own_workers.start_worker()
    first = begin(site, rows, own_workers.options)
    site.ends(first, "failed")
    before = site.message(first)
    # Its e-mail may be sent meanwhile.
    del before["mails"]
    own_workers.kill_all()
    broker.stop()
    try:
        assert site.retry("ann", first) == [503, first]
        assert site.message(first).items() >= before.items()
        assert site.job(first)["state"] == "failed"
    finally:
        broker.start()
    rows.write_text("123")
    until(lambda: site.retry("ann", first)[0] == 302)


def test_an_eager_task_is_tried_again(eager_site: Site, rows: Path) -> None:
    before = set(eager_site.jobs())
    eager_site.start("ann", "caught_needs", args=[str(rows)], how="call")
    (first,) = set(eager_site.jobs()) - before
    assert eager_site.job(first)["state"] == "failed"
    rows.write_text("123")
    _status, second = eager_site.retry("ann", first)
    assert eager_site.job(second)["state"] == "succeeded"
