"""The database as transport: SQLite by its change counter, other databases by one query."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.integration.transports.base import PROMPT, Conformance, EventReceiver, new_topic
from tests.support.databases import database
from tests.support.peers import Peer, short_timeout
from tests.support.servers.postgres import Postgres


class Polling(Conformance):
    carries_data = False


class TestSQLite(Polling):
    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
        path = tmp_path_factory.mktemp("polling") / "site.sqlite3"
        return f"sqlite://{path}", {"MONITIO_TRANSPORT": "polling"}

    def test_a_database_that_others_keep_locked_costs_a_second_once(
        self, listener: EventReceiver, publisher: Peer, address: tuple[str, dict[str, Any]]
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        rival = sqlite3.connect(Path(urlsplit(address[0]).path), isolation_level=None)
        rival.execute("BEGIN IMMEDIATE")
        try:
            with short_timeout(publisher, "utils.database", "LOCK_TIMEOUT"):
                published, seconds = publisher.timed_publish([[topic, "resync"]])
                assert not published and 0.8 < seconds < PROMPT
                later = [publisher.timed_publish([[topic, "resync"]]) for _ in range(3)]
                assert not any(published for published, _ in later)
                # The shortest of them: a wait for the time-out would be in each.
                assert min(seconds for _, seconds in later) < 0.7
        finally:
            rival.rollback()
            rival.close()
        assert len([line for line in publisher.logged() if "cannot be reached" in line]) == 1


class TestPostgres(Polling):
    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, postgres_server: Postgres) -> tuple[str, dict[str, Any]]:
        url = postgres_server.database("polling")
        return url, {"MONITIO_TRANSPORT": "polling", "MONITIO_POLL_INTERVAL": 0.1}

    def test_a_cut_connection_is_a_gap_and_nothing_stays_lost(
        self, listener: EventReceiver, publisher: Peer, address: tuple[str, dict[str, Any]]
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        listener.forget()
        options = database(address[0])
        with psycopg.connect(
            dbname="postgres", user=options["USER"], host=options["HOST"], autocommit=True
        ) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [options["NAME"]],
            )
        listener.wait_for("gap", topic)
        publisher.timed_publish([[topic, "resync"]])  # the publisher's connection was closed, too
        publisher.patch("monitio.transports._current", None)
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.receive_again(publisher, topic)
