"""Fixtures of channel tests besides the server."""

from __future__ import annotations

import pytest

from tests.integration.channels.base import Receiver
from tests.integration.races.test_races import address


@pytest.fixture
def receiver(server_for_all: Receiver) -> Receiver:
    server_for_all.reset()
    return server_for_all


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> str:
    return address(request)
