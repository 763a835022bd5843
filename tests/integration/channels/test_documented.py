"""The channel of docs/channels.md, with a real HTTP server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.channels import documented
from tests.integration.channels.base import Conformance, ProcessConformance, Receiver
from tests.integration.channels.base import everybody as everybody
from tests.support.servers.pager import HANG, PagerServer

REPLIES: dict[str, tuple[int, dict[str, str]]] = {
    "later": (503, {}),
    "wait an hour": (429, {"Retry-After": "3600"}),
    "never": (403, {}),
    "gone": (410, {}),
    "hang": (HANG, {}),
}


class Pager(Receiver):
    name = "pager"
    settings = {"MONITIO_CHANNELS": {"pager": f"{documented.__name__}.PagerChannel"}}

    def __init__(self, server: PagerServer) -> None:
        self.server, self.address = server, {"url": server.url}

    def reset(self) -> None:
        self.server.reset()

    def texts(self) -> list[str]:
        return [body["text"] for body in list(self.server.bodies)]

    def times_sent(self) -> Counter[int]:
        return self.server.times_sent()

    def next_reply(self, reply: str) -> None:
        self.server.script = [REPLIES[reply]]


@pytest.fixture(scope="module")
def server_for_all() -> Iterator[Receiver]:
    server = PagerServer()
    server.start()
    yield Pager(server)
    server.close()


@pytest.fixture
def receiver(server_for_all: Receiver) -> Receiver:
    server_for_all.reset()
    return server_for_all


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{tmp_path_factory.mktemp('pager')}/site.sqlite3"


class TestPager(Conformance):
    pass


class TestProcesses(ProcessConformance):
    pass


def test_it_is_short() -> None:
    assert documented.LINES <= 30
