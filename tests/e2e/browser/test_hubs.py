"""A browser with two tabs on a site whose streams are served by nginx with nchan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.integration.hubs import test_nchan
from tests.integration.hubs.base import PROCESS, RECHECK
from tests.integration.hubs.test_nchan import NchanHub
from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.waiting import wait_until

hub = test_nchan.hub
TIMEOUT = 60.0
MONITIO = """(await import("/static/monitio/monitio.js")).monitio"""


class Tab:
    def __init__(self, page: Page, port: int) -> None:
        self.page = page
        page.goto(f"http://127.0.0.1:{port}/messages/")
        self.wait_for_connection("open")

    def wait_for_connection(self, state: str) -> None:
        def connection() -> Any:
            return self.page.evaluate(f"async () => {MONITIO}.connection")

        wait_until(lambda: connection() == state, TIMEOUT, lambda: str(connection()))

    def wait_until_it_shows(self, *texts: str) -> None:
        def shown() -> list[str]:
            return sorted(self.page.evaluate(f"async () => {MONITIO}.messages.map(m => m.body)"))

        wait_until(lambda: shown() == sorted(texts), TIMEOUT, lambda: f"{shown()}")


@pytest.fixture(scope="module")
def site(hub: NchanHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    database = f"sqlite://{tmp_path_factory.mktemp('browser')}/site.sqlite3"
    settings: dict[str, Any] = {"MONITIO_STREAM": hub.options, "MONITIO_STREAM_RECHECK": RECHECK}
    peer = Peer(PROCESS, database, **settings)
    peer.migrate()
    server = Server("endpoint", database, port=hub.app, **settings)
    yield peer
    server.close()
    peer.close()


@pytest.fixture
def person(hub: NchanHub, site: Peer, name: str) -> dict[str, str]:
    """A signed-in user, once the hub runs."""
    hub.start()
    site.forget_failures()
    return dict(site.sign_in(name))


@pytest.fixture
def tabs(hub: NchanHub, person: dict[str, str], browser: Browser) -> Iterator[list[Tab]]:
    context = browser.new_context()
    name, _, value = person["cookie"].partition("=")
    context.add_cookies([{"name": name, "value": value, "url": f"http://127.0.0.1:{hub.public}"}])
    yield [Tab(context.new_page(), hub.public) for _ in range(2)]
    context.close()


def test_every_tab_shows_each_message(site: Peer, person: dict[str, str], tabs: list[Tab]) -> None:
    site.write(person["key"], "live")
    for tab in tabs:
        tab.wait_until_it_shows("live")


def test_every_tab_fetches_a_snapshot_on_resync(
    site: Peer, person: dict[str, str], tabs: list[Tab]
) -> None:
    # Larger than an event may be.
    site.write(person["key"], "ą" * 9_000)
    for tab in tabs:
        tab.wait_until_it_shows("ą" * 9_000)


def test_every_tab_catches_up_when_the_hub_was_away(
    hub: NchanHub,
    site: Peer,
    person: dict[str, str],
    tabs: list[Tab],
) -> None:
    hub.stop()
    site.write(person["key"], "in the dark")
    # The circuit breaker is open: without this, nothing would be published for a while.
    site.forget_failures()
    hub.start()
    for tab in tabs:
        tab.wait_until_it_shows("in the dark")


def test_every_tab_stops_at_the_log_out(
    site: Peer, person: dict[str, str], tabs: list[Tab]
) -> None:
    site.log_out(person["cookie"])
    for tab in tabs:
        tab.wait_for_connection("stopped")
