"""Fixtures: the site that the servers of one module serve."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.peers import Peer
from tests.support.servers.valkey import Valkey


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{tmp_path_factory.mktemp('streams')}/site.sqlite3"


@pytest.fixture(scope="module")
def transport(valkey_server: Valkey) -> dict[str, str]:
    return {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": valkey_server.url}


@pytest.fixture(scope="module")
def site(database: str, transport: dict[str, str]) -> Iterator[Peer]:
    """Another process of the same site."""
    peer = Peer("tests.integration.stream.process", database, **transport)
    peer.migrate()
    yield peer
    peer.close()
