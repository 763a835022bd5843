"""Fixtures for e-mails sent by several processes."""

from __future__ import annotations

import pytest

from tests.integration.races.test_races import address


@pytest.fixture(scope="module", params=["sqlite", "plain", "postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> str:
    return address(request)
