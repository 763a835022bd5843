"""Apprise, with a server at an address that the site allows: json://127.0.0.1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.channels.base import (
    HttpReceiver,
    ProcessConformance,
    Receiver,
    TargetConformance,
)
from tests.integration.channels.base import all_peers as all_peers
from tests.support.servers.pager import PagerServer


class Services(HttpReceiver):
    name = "apprise"
    address = {"name": "test"}

    def __init__(self, server: PagerServer) -> None:
        super().__init__(server)
        self.settings = {
            "MONITIO_CHANNELS": {"apprise": "monitio.channels.apprise.AppriseChannel"},
            "MONITIO_APPRISE_URLS": {"test": server.url.replace("http://", "json://")},
        }

    def texts(self) -> list[str]:
        return [body["message"] for body in list(self.server.bodies)]

    def times_sent(self) -> Counter[int]:
        # Apprise sends no id, but the texts of these tests are unique.
        return Counter(Counter(self.texts()).values())


@pytest.fixture(scope="module")
def server_for_all() -> Iterator[Receiver]:
    server = PagerServer()
    server.start()
    yield Services(server)
    server.close()


class TestApprise(TargetConformance):
    pass


class TestProcesses(ProcessConformance):
    pass
