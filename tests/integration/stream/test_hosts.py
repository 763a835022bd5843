"""Two hosts with two web processes each, behind nginx: every page gets its user's messages.

Each host is a loopback address with its own connection to the transport, which tests can cut.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import missing
from tests.integration.stream.page import Page
from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.forwarder import Forwarder
from tests.support.servers.nginx import Nginx, documented
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

HOSTS = ["127.0.0.2", "127.0.0.3"]
EACH = 2
ALL = EACH * len(HOSTS)
RECONCILE = 3.0


class Host:
    """Web processes that reach the transport through one forwarder."""

    def __init__(self, line: Forwarder, database: str, settings: dict[str, Any]) -> None:
        self.line, self.database, self.settings = line, database, settings
        self.ports = [free_port(line.host) for _ in range(EACH)]
        self.servers: list[Server] = []
        self.start()

    def start(self) -> None:
        def one(port: int) -> Server:
            where = ("--host", self.line.host)
            return Server(
                "endpoint", self.database, 0, port, where, self.line.host, **self.settings
            )

        with ThreadPoolExecutor() as together:
            self.servers = list(together.map(one, self.ports))

    def kill(self) -> None:
        for server in self.servers:
            server.process.kill()
            server.process.wait(40)

    def close(self) -> None:
        for server in self.servers:
            server.close()
        self.line.close()


class Cluster:
    """``port`` is that of nginx, which balances between the processes."""

    def __init__(self, hosts: list[Host], site: Peer) -> None:
        self.hosts, self.site, self.port = hosts, site, free_port()
        apps = [f"{host.line.host}:{port}" for host in hosts for port in host.ports]
        # One nginx worker: each worker would balance on its own.
        self.nginx = Nginx(documented("nginx.conf", apps, self.port), self.port, workers=1)
        self.nginx.start()

    def servers(self) -> list[Server]:
        return [server for host in self.hosts for server in host.servers]

    def write_from_everywhere(self, pages: list[Page], text: str) -> None:
        """Write from each process to each page's user."""
        for server in self.servers():
            if server.process.poll() is None:
                for page in pages:
                    key = page.browser["key"]
                    server.get(f"/write/{key}/{quote(f'{text} for {key} by {server.port}')}/")

    def close(self) -> None:
        self.nginx.close()
        for host in self.hosts:
            host.close()


@pytest.fixture(
    scope="module", params=["redis", pytest.param("postgres", marks=pytest.mark.variant)]
)
def cluster(
    request: pytest.FixtureRequest, valkey_server: Valkey, postgres_server: Postgres
) -> Iterator[Cluster]:
    if not Nginx.is_installed():
        missing("nginx is missing: apt-get install nginx")
    database = postgres_server.database(f"hosts_{request.param}")
    site = Peer("tests.integration.stream.process", database)
    site.migrate()

    def connect() -> socket.socket:
        if request.param == "redis":
            return socket.create_connection(("127.0.0.1", valkey_server.port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{postgres_server.socket_folder}/.s.PGSQL.5432")
        return server

    def settings(line: Forwarder) -> dict[str, Any]:
        return {
            "MONITIO_TRANSPORT": request.param,
            "MONITIO_REDIS_URL": f"redis://{line.host}:{line.port}/0",
            "MONITIO_POSTGRES_DSN": f"host={line.host} port={line.port} user=postgres "
            f"dbname=hosts_{request.param}",
            "MONITIO_RECONCILE_INTERVAL": RECONCILE,
            "MONITIO_STREAM_HEARTBEAT": 1,
        }

    lines = [Forwarder(address, connect) for address in HOSTS]
    cluster = Cluster([Host(line, database, settings(line)) for line in lines], site)
    yield cluster
    cluster.close()
    site.close()


@pytest.fixture
def pages(cluster: Cluster, name: str) -> Iterator[list[Page]]:
    """Two open pages in each process, each of another user."""
    count = 2 * ALL
    names = [f"{name}-{number}" for number in range(count)]
    pages = [Page(cluster.port, cluster.site.sign_in(name)) for name in names]
    for page in pages:
        # The snapshot is sent once the process receives the topic's events.
        wait_until(lambda page=page: "snapshot" in [name for name, _ in page.frames])
    yield pages
    for page in pages:
        page.close()


def wait_until_up_to_date(pages: list[Page], count: int, timeout: float = 60.0) -> None:
    """Each page holds ``count`` messages of its user, exactly what a reload would show."""
    for page in pages:
        wait_until(lambda page=page: len(page.known) == count, timeout, str(page.texts()))
        assert all(f"for {page.browser['key']} by" in text for text in page.texts())
        assert page.equals_its_reload()


def receive_a_round_by_events(cluster: Cluster, pages: list[Page]) -> bool:
    """Whether a message from each process to each page arrives by its event, not by a snapshot."""
    before = {page: set(page.known) for page in pages}
    cluster.write_from_everywhere(pages, "live")
    wait_until_up_to_date(pages, len(before[pages[0]]) + ALL)
    return all(
        set(page.known) - before[page]
        <= {one["id"] for name, one in page.frames if name == "message"}
        for page in pages
    )


def test_each_page_of_each_process_gets_its_own_from_every_process(
    cluster: Cluster, pages: list[Page]
) -> None:
    assert [server.open_streams() for server in cluster.servers()] == [2] * ALL
    # Repeated: reconciliation may deliver a message before its event.
    wait_until(lambda: receive_a_round_by_events(cluster, pages), 120)


def test_a_host_that_is_cut_off_catches_up_and_receives_again(
    cluster: Cluster, pages: list[Page]
) -> None:
    line = cluster.hosts[1].line
    line.cut()
    cluster.write_from_everywhere(pages, "in the dark")
    # Both sides get the messages from the database only.
    wait_until_up_to_date(pages, ALL)
    line.restore()
    wait_until(lambda: receive_a_round_by_events(cluster, pages), 120, interval=1)


def test_pages_of_a_host_that_dies_go_on_with_the_other(
    cluster: Cluster, pages: list[Page]
) -> None:
    cluster.write_from_everywhere(pages, "before")
    cluster.hosts[0].kill()
    cluster.write_from_everywhere(pages, "from the other")
    wait_until_up_to_date(pages, ALL + EACH)
    assert sum(server.open_streams() for server in cluster.hosts[1].servers) == len(pages)
    cluster.hosts[0].start()
    cluster.write_from_everywhere(pages, "together again")
    wait_until_up_to_date(pages, ALL + EACH + ALL)
