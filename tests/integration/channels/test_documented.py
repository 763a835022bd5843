"""The example channel of docs/channels.md, with a real HTTP server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.channels import documented
from tests.integration.channels.base import (
    DestinationConformance,
    HttpReceiver,
    ProcessConformance,
    Receiver,
)
from tests.integration.channels.base import all_peers as all_peers
from tests.support.servers.pager import PagerServer


class Pager(HttpReceiver):
    name = "pager"
    settings = {"MONITIO_CHANNELS": {"pager": f"{documented.__name__}.PagerChannel"}}

    def __init__(self, server: PagerServer) -> None:
        super().__init__(server)
        self.address = {"url": server.url}

    def texts(self) -> list[str]:
        return [body["text"] for body in list(self.server.bodies)]

    def times_sent(self) -> Counter[int]:
        return self.server.times_sent()


@pytest.fixture(scope="module")
def server_for_all() -> Iterator[Receiver]:
    server = PagerServer()
    server.start()
    yield Pager(server)
    server.close()


class TestPager(DestinationConformance):
    pass


class TestProcesses(ProcessConformance):
    pass


def test_it_is_short() -> None:
    assert documented.LINES <= 30
