"""The broker, the result backend or the database is away for a while."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.celery.conftest import Site, Staff, until
from tests.servers.ports import free_port
from tests.servers.valkey import Valkey

# The mails of these tests are sent by the worker that all tests share.
pytestmark = pytest.mark.usefixtures("worker")


@contextmanager
def database_away(address: str) -> Iterator[None]:
    """Nobody can write to the site's database: it is locked, or takes no connection."""
    if address.startswith("sqlite"):
        with sqlite3.connect(address.removeprefix("sqlite://"), isolation_level=None) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")
        connection.close()
        return
    import psycopg

    with psycopg.connect(address.replace("/celery?", "/postgres?"), autocommit=True) as connection:
        connection.execute("ALTER DATABASE celery ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'celery'"
        )
        try:
            yield
        finally:
            connection.execute("ALTER DATABASE celery ALLOW_CONNECTIONS true")


@pytest.fixture
def cut_off_site(environment: dict[str, str]) -> Iterator[Site]:
    """The same site, whose broker does not answer."""
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    results = environment["TEST_BROKER"]
    site = Site({**environment, "TEST_BROKER": nowhere, "TEST_RESULTS": results})
    yield site
    site.close()


@pytest.mark.parametrize("how", ["delay", "delay_on_commit"])
def test_a_broker_that_is_down_leaves_no_message(cut_off_site: Site, how: str) -> None:
    jobs, messages = cut_off_site.jobs(), cut_off_site.count_messages()
    # The view hears of it as without monitio.
    assert cut_off_site.start("ann", "plain_success", how=how) == 500
    assert "OperationalError" in cut_off_site.last_error("ann")
    assert cut_off_site.jobs() == jobs
    assert cut_off_site.count_messages() == messages


def test_a_group_whose_broker_is_down_leaves_no_message(cut_off_site: Site) -> None:
    jobs = cut_off_site.jobs()
    assert cut_off_site.start("ann", "one_bar_group", how="call") == 500
    assert "OperationalError" in cut_off_site.last_error("ann")
    assert cut_off_site.jobs() == jobs


def test_a_result_backend_that_is_down_at_the_end(site: Site, staff: Staff, gate: Path) -> None:
    results = Valkey()
    results.start()
    try:
        staff.hire(TEST_RESULTS=results.url)
        task = site.start(
            "ann", "wait_for", how="apply_async", args=[str(gate)], options=staff.options
        )
        until(lambda: (job := site.job(task)) and job["state"] == "started")
        results.kill()
        gate.touch()
        # Celery's own verdict: it calls the errbacks, and a chord's body never runs.
        site.ends(task, "failed")
        assert site.message(task)["subject"] == "Wait for: failed"
    finally:
        results.close()


def test_the_database_is_away_while_the_task_runs(
    site: Site, staff: Staff, environment: dict[str, str], gate: Path
) -> None:
    worker = staff.hire()
    task = site.start(
        "ann", "count_until", how="apply_async", args=[str(gate)], options=staff.options
    )
    until(lambda: (job := site.job(task)) and job["done"])
    with database_away(environment["TEST_DATABASE"]):
        until(lambda: "could not be" in worker.log.read_text())
    site.reconnect()
    gate.touch()
    ended = site.ends(task)
    assert ended["state"] == "succeeded", worker.log.read_text()
    assert ended["done"] == ended["total"]
    assert len(site.message(task)["mails"]) == 1


def test_the_database_is_away_at_the_end(
    site: Site, staff: Staff, environment: dict[str, str], gate: Path
) -> None:
    staff.hire()
    task = site.start(
        "ann", "wait_with_late_ack", how="apply_async", args=[str(gate)], options=staff.options
    )
    until(lambda: (job := site.job(task)) and job["state"] == "started")
    with database_away(environment["TEST_DATABASE"]):
        gate.touch()
        until(lambda: site.result(task) == "SUCCESS")
    site.reconnect()
    site.forget_sign_of_life(task)
    until(lambda: site.sweep() or site.job(task)["state"] == "succeeded")
    assert site.job(task)["state"] == "succeeded"
    assert site.message(task)["subject"] == "Wait with late ack: done"
    assert len(site.message(task)["mails"]) == 1
