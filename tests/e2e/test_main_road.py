"""A message from one process reaches an open page of another, over each transport."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.postgres import Postgres
from tests.support.servers.valkey import Valkey

pytestmark = pytest.mark.main_road


@pytest.fixture(params=["redis", "postgres"])
def place(
    request: pytest.FixtureRequest, valkey_server: Valkey, postgres_server: Postgres
) -> tuple[str, dict[str, Any]]:
    """The address of an empty PostgreSQL database, and the settings of a transport."""
    database = postgres_server.database(f"main-road-{request.param}")
    return database, {"MONITIO_TRANSPORT": request.param, "MONITIO_REDIS_URL": valkey_server.url}


@pytest.fixture
def site(place: tuple[str, dict[str, Any]]) -> Iterator[Peer]:
    site = Peer("tests.integration.stream.process", place[0], **place[1])
    site.migrate()
    yield site
    site.close()


def test_a_message_arrives_live(site: Peer, place: tuple[str, dict[str, Any]]) -> None:
    server = Server("uvicorn", place[0], **place[1], MONITIO_RECONCILE_INTERVAL=9999)
    try:
        browser = site.sign_in("ann")
        site.write(browser["key"], "before")
        with server.stream(browser) as stream:
            stream.wait_until_it_shows("before")
            site.write(browser["key"], "live")
            stream.wait_until_it_shows("before", "live")
    finally:
        server.close()
