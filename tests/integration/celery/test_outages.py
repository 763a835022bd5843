"""Outages of the broker, the result backend or the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.integration.celery.conftest import OwnWorkers, Site, begin, until
from tests.integration.celery.profiles import Profile
from tests.support.servers.ports import free_port
from tests.support.servers.valkey import Valkey

# The shared worker sends the e-mails of these tests.
pytestmark = [pytest.mark.usefixtures("worker"), pytest.mark.also_on("sqlite", "rabbitmq")]


@contextmanager
def database_away(address: str) -> Iterator[None]:
    """Lock the site's database, or make it refuse connections."""
    if address.startswith("sqlite"):
        with sqlite3.connect(address.removeprefix("sqlite://"), isolation_level=None) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")
        connection.close()
        return
    import psycopg

    parts = urlsplit(address)
    name = parts.path.lstrip("/")
    other = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def with_short_lock_timeout(address: str) -> str:
    """The same database; on SQLite, processes wait five seconds for locks instead of twenty."""
    return f"{address}?plain" if address.startswith("sqlite") else address


@pytest.fixture
def cut_off_site(environment: dict[str, str]) -> Iterator[Site]:
    """The same site with a broker that does not answer."""
    parts = urlsplit(environment["TEST_BROKER"])
    nowhere = urlunsplit(parts._replace(netloc=f"127.0.0.1:{free_port()}"))
    site = Site({**environment, "TEST_BROKER": nowhere})
    yield site
    site.close()


@pytest.mark.parametrize("how", ["delay", "delay_on_commit"])
def test_a_broker_that_is_down_leaves_no_message(cut_off_site: Site, how: str) -> None:
    jobs, messages = cut_off_site.jobs(), cut_off_site.count_messages()
    # The view gets the same error as without monitio.
    assert cut_off_site.start("ann", "plain_success", how=how) == 500
    assert "OperationalError" in cut_off_site.last_error("ann")
    assert cut_off_site.jobs() == jobs
    assert cut_off_site.count_messages() == messages


def test_a_group_whose_broker_is_down_leaves_no_message(cut_off_site: Site) -> None:
    jobs = cut_off_site.jobs()
    assert cut_off_site.start("ann", "one_bar_group", how="call") == 500
    assert "OperationalError" in cut_off_site.last_error("ann")
    assert cut_off_site.jobs() == jobs


@pytest.fixture
def broker(request: pytest.FixtureRequest, profile: Profile) -> Any:
    """The broker's server, which the test may restart."""
    return request.getfixturevalue("rabbitmq" if profile.broker == "rabbitmq" else "valkey")


def restart(broker: Any) -> None:
    broker.stop()
    broker.start()


def test_the_broker_is_restarted_in_mid_run(
    site: Site, own_workers: OwnWorkers, gate: Path, broker: Any
) -> None:
    own_workers.start_worker()
    task = begin(site, own_workers, "wait_for", gate)
    restart(broker)
    gate.touch()
    site.ends(task, "succeeded")
    assert site.message(task)["subject"] == "Wait for: done"


@pytest.mark.only_on("rabbitmq")
def test_an_email_leaves_at_once_after_a_restart_of_the_broker(
    site: Site, own_workers: OwnWorkers, broker: Any
) -> None:
    def report() -> None:
        task = site.start(
            "ann", "report", args=["May"], how="apply_async", options=own_workers.options
        )
        # No beat runs that would send it later.
        until(lambda: site.messages(task) and site.message(task)["mails"] == ["sent"])
        assert site.job(task)["state"] == "succeeded"

    own_workers.start_worker()
    report()
    restart(broker)
    report()


def test_a_restarted_broker_that_delivers_again(
    site: Site, own_workers: OwnWorkers, gate: Path, broker: Any, profile: Profile
) -> None:
    worker = own_workers.start_worker()
    task = begin(site, own_workers, "wait_with_late_ack", gate)
    restart(broker)
    # RabbitMQ redelivers unacknowledged messages; this Redis loses its data at a restart.
    deliveries = 2 if profile.broker == "rabbitmq" else 1
    gate.touch()
    until(lambda: worker.log.read_text().count("succeeded in") == deliveries)
    assert site.job(task)["state"] == "succeeded"
    assert len(site.message(task)["mails"]) == 1


@pytest.mark.only_on("rabbitmq")
def test_a_task_that_is_cancelled_because_the_broker_went_away_goes_on(
    site: Site, own_workers: OwnWorkers, gate: Path, broker: Any
) -> None:
    worker = own_workers.start_worker(TEST_CANCEL_ON_LOSS="yes")
    task = begin(site, own_workers, "wait_with_late_ack", gate)
    broker.stop()
    site.ends(task, "lost")
    broker.start()
    until(lambda: site.job(task)["state"] == "started")
    gate.touch()
    until(lambda: "succeeded in" in worker.log.read_text())
    assert site.job(task)["state"] == "succeeded"
    assert len(site.message(task)["mails"]) == 1


def test_a_result_backend_that_is_down_at_the_end(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    results = Valkey()
    results.start()
    try:
        own_workers.start_worker(TEST_RESULTS=results.url)
        task = begin(site, own_workers, "wait_for", gate)
        results.kill()
        gate.touch()
        # Celery itself considers the task failed: it calls errbacks, and a chord's body never runs.
        site.ends(task, "failed")
        assert site.message(task)["subject"] == "Wait for: failed"
    finally:
        results.close()


def test_a_broken_table_harms_neither_view_nor_task(site: Site, own_workers: OwnWorkers) -> None:
    worker = own_workers.start_worker()
    site.break_table()
    try:
        # The view's transaction stays usable.
        assert (
            site.start("ann", "plain_success", how="apply_async", options=own_workers.options)
            != 500
        )
        until(lambda: "succeeded in" in worker.log.read_text())
    finally:
        site.restore_table()
    assert "the task is not affected" in worker.log.read_text()


def test_the_database_is_away_while_the_task_runs(
    site: Site, own_workers: OwnWorkers, environment: dict[str, str], gate: Path
) -> None:
    worker = own_workers.start_worker()
    task = site.start(
        "ann", "count_until", how="apply_async", args=[str(gate)], options=own_workers.options
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
    site: Site, own_workers: OwnWorkers, environment: dict[str, str], gate: Path, profile: Profile
) -> None:
    worker = own_workers.start_worker(
        TEST_DATABASE=with_short_lock_timeout(environment["TEST_DATABASE"])
    )
    task = begin(site, own_workers, "wait_with_late_ack", gate)
    with database_away(environment["TEST_DATABASE"]):
        gate.touch()
        until(lambda: "report is repeated" in worker.log.read_text())
    site.reconnect()
    # Celery considers a task failed whose result it could not store.
    ended = site.ends(task)
    assert ended["state"] == ("failed" if profile.results == "django-db" else "succeeded")
    assert len(site.message(task)["mails"]) == 1


@pytest.mark.only_on("sqlite", "postgres")
def test_the_database_comes_back_after_the_worker_has_gone(
    site: Site, own_workers: OwnWorkers, environment: dict[str, str], gate: Path
) -> None:
    worker = own_workers.start_worker()
    task = begin(site, own_workers, "wait_with_late_ack", gate)
    with database_away(environment["TEST_DATABASE"]):
        gate.touch()
        until(lambda: site.result(task) == "SUCCESS")
        worker.kill()
    site.reconnect()
    site.age_heartbeat(task)
    assert site.sweep() == 0
    assert site.job(task)["state"] == "succeeded"
    assert site.message(task)["subject"] == "Wait with late ack: done"
    assert len(site.message(task)["mails"]) == 1
