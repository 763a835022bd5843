"""Streams of Debian's nginx with nchan, with the documented configuration."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPMessage
from typing import Any, NamedTuple

import pytest

from tests.conftest import missing
from tests.integration.hubs.base import RECHECK, Browser, Conformance, stream_of
from tests.integration.stream.client import EventSource
from tests.integration.stream.page import Page
from tests.support.peers import ROOT, Peer
from tests.support.servers.nginx import Nginx, documented
from tests.support.servers.ports import free_port
from tests.support.waiting import wait_until


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    text: str


def request(port: int, path: str, cookie: str = "", method: str = "GET") -> Answer:
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, headers={"Cookie": cookie})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())


class NchanHub:
    def __init__(self, recheck: float = RECHECK) -> None:
        self.app, self.public, self.publish = free_port(), free_port(), free_port()
        spots = {
            r"listen 127.0.0.1:8081;": f"listen 127.0.0.1:{self.publish};",
            r"alias /srv/contacts/static/;": f"alias {ROOT}/monitio/static/;",
            r"ping_interval 30;": f"ping_interval {recheck:.0f};",
            r"subscriber_timeout 60;": f"subscriber_timeout {2 * recheck:.0f};",
        }
        config = documented("nchan.conf", [f"127.0.0.1:{self.app}"], self.public, spots)
        self.nginx = Nginx(config, self.public, self.publish)
        self.options: dict[str, Any] = {
            "BACKEND": "nchan",
            "PUBLISH_URL": f"http://127.0.0.1:{self.publish}/publish",
        }
        self.stop, self.close = self.nginx.stop, self.nginx.close

    def start(self) -> None:
        self.nginx.start()
        # Each channel belongs to one of nginx's workers; the others wait until that one runs.
        for number in range(8):
            wait_until(lambda number=number: self._takes(f"{number}"))

    def _takes(self, channel: str) -> bool:
        try:
            return request(self.publish, f"/publish?id={channel}", method="POST").status == 202
        except OSError:
            return False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.nginx.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.nginx.signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def hub() -> Iterator[NchanHub]:
    if not Nginx.is_installed(nchan=True):
        missing("nchan is missing: apt-get install nginx libnginx-mod-nchan")
    hub = NchanHub()
    hub.start()
    yield hub
    hub.close()


class TestNchan(Conformance):
    def was_ended(self, stream: EventSource) -> bool:
        return "410: 410 Gone" in stream.comments

    @pytest.fixture
    def location(self, hub: NchanHub, port: int, browser: Browser) -> Callable[[], str]:
        """Returns the internal address to which the site redirects this browser's stream."""
        path = f"/messages/stream/?page={browser['page']}"
        return lambda: str(request(hub.app, path, browser["cookie"]).headers["X-Accel-Redirect"])

    def test_a_channel_cannot_be_requested_from_outside(
        self, port: int, browser: Browser, location: Callable[[], str]
    ) -> None:
        assert re.fullmatch("/monitio/nchan/[0-9a-f]{32}", location())
        assert request(port, location(), browser["cookie"]).status == 404

    def test_a_channels_name_reveals_nothing_and_does_not_last(
        self, browser: Browser, location: Callable[[], str]
    ) -> None:
        first = location()
        assert browser["key"] not in first
        wait_until(lambda: location() != first, message="the next span")

    def test_a_stream_without_nginx_is_refused_with_the_reason(
        self, hub: NchanHub, port: int, browser: Browser
    ) -> None:
        answer = request(hub.app, f"/messages/stream/?page={browser['page']}", browser["cookie"])
        assert "has not come through it" in answer.text

    def test_publishing_from_outside_is_refused(self, port: int, browser: Browser) -> None:
        assert request(port, "/publish?id=0", method="POST").status in (403, 404)

    def test_a_foreign_origin_is_refused(self, port: int, browser: Browser) -> None:
        with stream_of(port, browser, headers={"Origin": "https://evil.example"}) as stream:
            assert stream.status == 403

    def test_neither_channels_nor_texts_are_logged(
        self, hub: NchanHub, site: Peer, browser: Browser, page: Page, location: Callable[[], str]
    ) -> None:
        channel = location().rpartition("/")[2]
        site.write(browser["key"], "a secret")
        page.wait_until_it_shows("a secret")
        log = hub.nginx.log()
        assert "/messages/json/" in log
        assert "a secret" not in log and channel not in log
