"""What the tests of e-mails by several processes have in common."""

from __future__ import annotations

import pytest

from tests.integration.races.test_races import address


@pytest.fixture(scope="module", params=["sqlite", "plain", "postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> str:
    return address(request)
