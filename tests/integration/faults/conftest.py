from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers.valkey import Valkey


@pytest.fixture
def redis() -> Iterator[Valkey]:
    """One of our own: it is ill treated."""
    server = Valkey()
    server.start()
    yield server
    server.close()
