"""Webhooks, with a receiver that verifies signatures by the library of Standard Webhooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from monitio.channels.webhook import new_secret
from tests.integration.channels.base import Conformance, ProcessConformance, Receiver
from tests.integration.channels.base import everybody as everybody
from tests.integration.channels.test_documented import REPLIES
from tests.support.servers.pager import PagerServer


class Webhooks(Receiver):
    name = "webhook"

    def __init__(self, server: PagerServer, secret: str) -> None:
        self.server = server
        self.address = {"url": server.url, "secrets": [secret]}
        self.settings = {
            "MONITIO_CHANNELS": {"webhook": "monitio.channels.webhook.WebhookChannel"},
            "MONITIO_OUTGOING_ORIGINS": [server.url.rstrip("/")],
        }

    def reset(self) -> None:
        self.server.reset()

    def texts(self) -> list[str]:
        return [body["data"]["body"] for body in list(self.server.bodies)]

    def times_sent(self) -> Counter[int]:
        sent = Counter(headers["webhook-id"] for headers in self.server.headers)
        return Counter(sent.values())

    def next_reply(self, reply: str) -> None:
        self.server.script = [REPLIES[reply]]


@pytest.fixture(scope="module")
def server_for_all() -> Iterator[Receiver]:
    secret = new_secret()
    server = PagerServer(Webhook(secret).verify)
    server.start()
    yield Webhooks(server, secret)
    server.close()


@pytest.fixture
def receiver(server_for_all: Receiver) -> Receiver:
    server_for_all.reset()
    return server_for_all


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{tmp_path_factory.mktemp('webhook')}/site.sqlite3"


class TestWebhook(Conformance):
    pass


class TestProcesses(ProcessConformance):
    pass
