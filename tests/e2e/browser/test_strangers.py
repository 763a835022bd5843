"""The page of a visitor without a session opens no stream before there is something to show."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import DEADLINE, Tab
from tests.e2e.browser.wire import Wire, message
from tests.support.waiting import wait_until

COOKIE = "monitio_visitor"
SET, REMOVE = f"{COOKIE}=1; Path=/", f"{COOKIE}=; Path=/; Max-Age=0"
# How a page's script can send a request; none reads the response.
FETCH = "() => { fetch('/start', { method: 'POST' }) }"
XHR = "() => { const x = new XMLHttpRequest(); x.open('POST', '/start'); x.send() }"
BEACON = "() => { navigator.sendBeacon('/start') }"
SUBMIT = """() => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/start";
  document.body.append(form);
  form.submit();
}"""
# Ends when the page's performance observers have received the response.
ASK = """() => new Promise((resolve) => {
  const observer = new PerformanceObserver((list) =>
    list.getEntriesByName(`${location.origin}/other`).length && resolve());
  observer.observe({ type: "resource" });
  fetch("/other").then((response) => response.text());
})"""


@pytest.fixture
def stranger(wire: Wire, open_tab: OpenTab) -> Tab:
    """The page of a new visitor, without a session."""
    return open_tab(state="idle", visitor_cookie=COOKIE)


def test_a_page_without_requests_of_its_own_opens_no_stream(wire: Wire, stranger: Tab) -> None:
    stranger.run(ASK)
    assert stranger.connection == "idle"
    assert (wire.stream_requests, wire.snapshot_requests, wire.posts) == (0, 0, [])


@pytest.mark.parametrize("ask", [FETCH, XHR, BEACON])
def test_the_stream_opens_after_the_pages_own_request(wire: Wire, stranger: Tab, ask: str) -> None:
    wire.cookie = SET
    stranger.run(ask)
    stranger.wait_for_connection()
    wire.put(message(1, level="error"))
    stranger.wait_for(1)
    assert wire.stream_requests == 1


def test_a_cached_page_opens_it_after_a_form_was_sent(wire: Wire, stranger: Tab) -> None:
    wire.cookie = SET
    with stranger.page.expect_navigation():
        stranger.run(SUBMIT)
    stranger.open(visitor_cookie=COOKIE)


def test_going_back_to_the_page_opens_it(wire: Wire, stranger: Tab) -> None:
    wire.cookie = SET
    with stranger.page.expect_navigation():
        stranger.run(SUBMIT)
    stranger.page.go_back()
    stranger.wait_for_connection()


def test_all_tabs_of_the_browser_share_the_stream_of_the_first(
    wire: Wire, stranger: Tab, open_tab: OpenTab
) -> None:
    wire.cookie = SET
    tabs = [stranger, open_tab(state="idle", visitor_cookie=COOKIE)]
    stranger.run(FETCH)
    for tab in tabs:
        tab.wait_for_connection()
    wire.put(message(1, level="error"))
    for tab in tabs:
        tab.wait_for(1)
    assert wire.stream_requests == 1


def test_a_tab_that_comes_into_view_looks_for_the_cookie(wire: Wire, stranger: Tab) -> None:
    stranger.page.context.add_cookies([{"name": COOKIE, "value": "1", "url": wire.url}])
    stranger.run("() => { document.dispatchEvent(new Event('visibilitychange')) }")
    stranger.wait_for_connection()


def test_a_visitor_whose_session_has_ended_opens_no_stream(
    wire: Wire, open_tab: OpenTab, context: BrowserContext
) -> None:
    wire.stream_status, wire.cookie = 204, REMOVE
    context.add_cookies([{"name": COOKIE, "value": "1", "url": wire.url}])
    returning = open_tab(state="idle", visitor_cookie=COOKIE)
    wait_until(lambda: wire.stream_requests == 1, DEADLINE)
    wait_until(lambda: not context.cookies(), DEADLINE)
    returning.wait_for_connection("idle")
    assert returning.page.locator("monitio-messages li.toast").count() == 0
    wire.stream_status, wire.cookie = 200, SET
    returning.run(FETCH)
    returning.wait_for_connection()


def test_a_strangers_bell_can_be_opened(wire: Wire, stranger: Tab) -> None:
    wire.stream_status = 204
    stranger.page.locator("monitio-bell").click()
    stranger.run(ASK)
    assert stranger.connection == "idle"
