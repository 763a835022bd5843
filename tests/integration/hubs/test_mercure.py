"""Streams of a Mercure hub, by the double in tests/support/servers/mercure.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from tests.integration.hubs.base import RECHECK, Browser, Conformance
from tests.integration.stream.client import EventSource
from tests.support.peers import Peer
from tests.support.servers.mercure import Mercure
from tests.support.servers.ports import free_port

PUBLISHER_KEY, SUBSCRIBER_KEY = "publisher " * 4, "subscriber " * 4


class MercureHub:
    def __init__(self) -> None:
        self.app = self.public = free_port()
        self.mercure = Mercure(PUBLISHER_KEY, SUBSCRIBER_KEY)
        self.options: dict[str, Any] = {
            "BACKEND": "mercure",
            "PUBLISH_URL": self.mercure.url,
            "SUBSCRIBE_URL": self.mercure.url,
            "PUBLISHER_KEY": PUBLISHER_KEY,
            "SUBSCRIBER_KEY": SUBSCRIBER_KEY,
        }
        self.start, self.stop, self.close = self.mercure.start, self.mercure.stop, self.mercure.stop

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.mercure.frozen.set()
        try:
            yield
        finally:
            self.mercure.frozen.clear()


@pytest.fixture(scope="module")
def hub() -> Iterator[MercureHub]:
    hub = MercureHub()
    hub.start()
    yield hub
    hub.close()


class TestMercure(Conformance):
    def was_ended(self, stream: EventSource) -> bool:
        return "recheck" in [bye["reason"] for bye in stream.of("bye")]

    @pytest.fixture
    def location(self, port: int, browser: Browser) -> str:
        """The address to which the site redirects this browser's stream."""
        path = f"/messages/stream/?page={browser['page']}"
        with EventSource(port, path, browser["cookie"]) as answer:
            return str(answer.headers["Location"])

    def test_the_token_reads_one_topic_for_one_span(self, location: str, browser: Browser) -> None:
        query = parse_qs(urlsplit(location).query)
        claims = jwt.decode(query["authorization"][0], SUBSCRIBER_KEY, ["HS256"])
        assert claims["mercure"] == {"subscribe": query["topic"]}
        assert query["topic"][0].startswith("urn:monitio:") and browser["key"] not in location
        assert claims["exp"] <= time.time() + RECHECK

    def test_another_topic_in_the_address_gets_no_private_event(
        self, hub: MercureHub, location: str, site: Peer, browser: Browser, name: str
    ) -> None:
        token = parse_qs(urlsplit(location).query)["authorization"][0]
        other = site.sign_in(f"{name}-other")
        path = urlsplit(location).path
        with EventSource(hub.mercure.port, f"{path}?topic=*&authorization={token}") as stream:
            site.write(other["key"], "a secret")
            site.write(browser["key"], "her own")
            assert stream.wait_for("message")["body"] == "her own"

    def test_a_reader_cannot_publish(self, hub: MercureHub, location: str) -> None:
        token = parse_qs(urlsplit(location).query)["authorization"][0]
        assert hub.mercure.claims(token, "publish") is None
