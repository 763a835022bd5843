from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers.valkey import Valkey


@pytest.fixture
def redis() -> Iterator[Valkey]:
    """A separate server, because the tests kill and freeze it."""
    server = Valkey()
    server.start()
    yield server
    server.close()
