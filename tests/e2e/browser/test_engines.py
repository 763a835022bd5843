"""The main features in browsers other than Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.browser.engines import ENGINES, Engine
from tests.e2e.browser.wire import Wire, job, message
from tests.support.servers.forwarder import Forwarder
from tests.support.waiting import wait_until

DEADLINE = 60.0
TOASTS = "document.querySelector('monitio-messages').shadowRoot"
BELL = "document.querySelector('monitio-bell').shadowRoot"
SHOWN = f"[...{TOASTS}.querySelectorAll('li.toast')].map((node) => +node.dataset.id)"


@pytest.fixture(scope="module", params=ENGINES, ids=lambda kind: getattr(kind, "name", None))
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = request.param()
    yield engine
    engine.close()


@pytest.fixture
def page(engine: Engine, wire: Wire) -> Iterator[Page]:
    """A page of the fake site; a report of its strict CSP fails the test."""
    yield Page(engine, wire)
    engine.close_tabs()
    wire.drop()
    # Browsers request a site's icon themselves.
    assert [one for one in wire.reports if "favicon.ico" not in one] == []


class Page:
    """An engine's current tab with the fake site."""

    def __init__(
        self, engine: Engine, wire: Wire, url: str = "", path: str = "", state: str = "open"
    ) -> None:
        self.engine, self.wire, self.url = engine, wire, f"{url or wire.url}/{path}"
        self.run = engine.run
        self.open(state)

    def open(self, state: str = "open") -> None:
        self.engine.go(self.url)
        self.wait_for("window.monitio?.connection", state)

    def wait_for(self, expression: str, value: Any) -> None:
        wait_until(
            lambda: self.run(expression) == value,
            DEADLINE,
            lambda: f"{expression} = {value!r}, not {self.run(expression)!r}",
        )

    def shows(self, *pks: int) -> None:
        self.wait_for(SHOWN, list(pks))

    def click(self, root: str, selector: str) -> None:
        self.run(f"{root}.querySelector('{selector}').click()")

    def open_inbox(self) -> None:
        self.click(BELL, "[part=bell]")
        self.wait_for(f"{BELL}.querySelector('[part=panel]')?.matches(':popover-open')", True)

    def wait_for_unread(self, number: str) -> None:
        self.wait_for(f"{BELL}.querySelector('[part=badge]').textContent", number)


class TestMainRoad:
    def test_a_message_pops_up_while_the_page_is_open(self, page: Page) -> None:
        page.wire.put(message(1, level="error", title="News"))
        page.shows(1)
        page.wait_for(f"{TOASTS}.querySelector('li.toast [part=title]').textContent", "News")
        page.wait_for(f"{TOASTS}.querySelector('[part=stack]').matches(':popover-open')", True)
        page.wait_for("window.announced.join().includes('News')", True)

    def test_a_bar_moves_and_becomes_the_end(self, page: Page) -> None:
        page.wire.put(job(1, percent=20.0))
        page.shows(1)
        page.run(f"window.node = {TOASTS}.querySelector('li.toast'), null")
        page.wire.put(job(1, version=2, percent=60.0))
        page.wait_for(f"{TOASTS}.querySelector('progress').value", 60)
        page.wire.put(job(1, "failed", 3, level="error", title="It failed"))
        page.wait_for(f"{TOASTS}.querySelector('li.toast [part=title]').textContent", "It failed")
        page.wait_for(
            "node.isConnected && !node.querySelector('progress')?.checkVisibility()", True
        )

    def test_what_is_closed_is_sent_to_the_server(self, page: Page) -> None:
        page.wire.put(message(1, level="error"), message(2, level="error"))
        page.shows(2, 1)
        page.click(TOASTS, 'li.toast[data-id="2"] [part=close]')
        page.shows(1)
        wait_until(lambda: 2 in page.wire.seen(), DEADLINE, "the report")

    def test_the_inbox_marks_read(self, page: Page) -> None:
        page.wire.put(message(1, read=True, seen=True), message(2, level="error"))
        page.wait_for_unread("1")
        page.open_inbox()
        page.wait_for(f"{BELL}.querySelectorAll('li.entry').length", 2)
        page.click(BELL, "[part=mark-read]")
        wait_until(lambda: page.wire.messages[2]["read"], DEADLINE, "the mark")
        page.wait_for(f"{BELL}.querySelector('[part=badge]').checkVisibility()", False)

    def test_a_reload_shows_the_same(self, page: Page) -> None:
        page.wire.put(message(1, level="error"), job(2, percent=42.0))
        page.shows(1, 2)
        wait_until(lambda: 1 in page.wire.seen(), DEADLINE, "the report")
        unread = page.run("monitio.unread")
        page.open()
        # A seen message does not pop up again; a running job does.
        page.shows(2)
        assert page.run("monitio.unread") == unread
        page.open_inbox()
        page.wait_for(f"{BELL}.querySelectorAll('li.entry').length", 2)

    def test_scrolling_reaches_the_oldest(self, page: Page) -> None:
        """Rows are loaded above and below without moving the user's position."""
        page.wire.store(*(message(pk, seen=True, read=True) for pk in range(1, 701)))
        page.open()
        page.open_inbox()
        scroll = f"{BELL}.querySelector('.scroll')"
        page.run(f"void setInterval(() => {scroll}.scrollTop += 400, 20)")
        page.wait_for(f"[...{BELL}.querySelectorAll('.entry .title')].pop().textContent", "M1")

    def test_a_missing_file_is_requested_again(self, page: Page) -> None:
        page.wire.missing.add("monitio-cards.js")
        page.wire.put(message(1, level="error"), message(2, level="error"))
        wait_until(lambda: "monitio-cards.js" in page.wire.files, DEADLINE, "the request")
        page.wire.missing.clear()
        page.wait_for(f"{TOASTS}.querySelectorAll('.stack.resting').length", 1)

    def test_two_tabs_share_one_stream(self, page: Page) -> None:
        page.engine.open_tab()
        page.open()
        page.wire.put(message(1, level="error"))
        page.shows(1)
        assert page.wire.stream_requests == 1

    def test_a_lost_connection_comes_back_and_nothing_is_missed(self, page: Page) -> None:
        page.wire.store(message(1, level="error"))
        page.wire.drop()
        page.shows(1)
        assert page.wire.stream_requests == 2

    def test_a_silent_connection_is_replaced(
        self, engine: Engine, wire: Wire, line: Forwarder
    ) -> None:
        wire.heartbeat = 0.4
        page = Page(engine, wire, f"http://{line.host}:{line.port}")
        line.forget()
        wire.put(message(1, level="error"))
        page.wait_for("events.some(([type, state]) => state === 'offline')", True)
        page.shows(1)
        page.wait_for("monitio.connection", "open")
        engine.close_tabs()

    def test_a_strangers_page_opens_its_stream_after_its_own_request(
        self, engine: Engine, wire: Wire
    ) -> None:
        page = Page(engine, wire, path="?visitor-cookie=monitio_visitor", state="idle")
        wire.cookie = "monitio_visitor=1; Path=/"
        page.run("fetch('/start', { method: 'POST' }), null")
        page.wait_for("monitio.connection", "open")
        wire.put(message(1, level="error"))
        page.shows(1)
        page.run("document.cookie = 'monitio_visitor=; Max-Age=0; Path=/', null")
        engine.close_tabs()

    def test_right_to_left_the_pop_ups_are_on_the_left(self, page: Page) -> None:
        page.run("document.documentElement.dir = 'rtl'")
        page.wire.put(message(1, level="error"))
        page.shows(1)
        page.wait_for(f"{TOASTS}.querySelector('li.toast').getBoundingClientRect().x < 50", True)

    def test_it_is_as_dark_as_the_page(self, page: Page) -> None:
        page.wire.put(message(1, level="error"))
        page.shows(1)
        color = f"getComputedStyle({TOASTS}.querySelector('[part=stack]')).color"
        light = page.run(color)
        page.run("document.documentElement.style.colorScheme = 'dark'")
        page.wait_for(f"{color} !== '{light}'", True)

    def test_what_the_policy_forbids_is_reported(self, engine: Engine, wire: Wire) -> None:
        """Otherwise an empty list of reports would prove nothing."""
        page = Page(engine, wire)
        page.run("document.body.setAttribute('style', 'color: red'), null")
        wait_until(lambda: any("style-src" in one for one in wire.reports), DEADLINE, "the report")
        engine.close_tabs()
