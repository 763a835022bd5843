"""Webhooks, with a receiver that verifies signatures with the library of Standard Webhooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from monitio.channels.webhook import new_secret
from tests.integration.channels.base import (
    DestinationConformance,
    HttpReceiver,
    ProcessConformance,
    Receiver,
)
from tests.integration.channels.base import all_peers as all_peers
from tests.support.servers.pager import PagerServer


class Webhooks(HttpReceiver):
    name = "webhook"

    def __init__(self, server: PagerServer, secret: str) -> None:
        super().__init__(server)
        self.address = {"url": server.url, "secrets": [secret]}
        self.settings = {
            "MONITIO_CHANNELS": {"webhook": "monitio.channels.webhook.WebhookChannel"},
            "MONITIO_OUTGOING_ORIGINS": [server.url.rstrip("/")],
        }

    def texts(self) -> list[str]:
        return [body["data"]["body"] for body in list(self.server.bodies)]

    def times_sent(self) -> Counter[int]:
        sent = Counter(headers["webhook-id"] for headers in self.server.headers)
        return Counter(sent.values())


@pytest.fixture(scope="module")
def server_for_all() -> Iterator[Receiver]:
    secret = new_secret()
    server = PagerServer(Webhook(secret).verify)
    server.start()
    yield Webhooks(server, secret)
    server.close()


class TestWebhook(DestinationConformance):
    pass


class TestProcesses(ProcessConformance):
    pass
