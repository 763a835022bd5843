"""What the tests of a channel need beside its server."""

from __future__ import annotations

import pytest

from tests.integration.channels.base import Receiver


@pytest.fixture
def receiver(server_for_all: Receiver) -> Receiver:
    server_for_all.reset()
    return server_for_all


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{tmp_path_factory.mktemp('channel')}/site.sqlite3"
