"""Scripts loaded on demand: monitio-cards.js with a pop-up, monitio-inbox.js with the bell."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until

FILE = "**/monitio-cards.js"
RESTING = ".stack.resting"
LEAVE = """() => {
  const start = setTimeout;
  window.timers = 1;
  window.setTimeout = (...how) => (timers++, start(...how));
  document.querySelector("monitio-messages").remove();
}"""


@pytest.mark.parametrize("first", [message(1), job(1, percent=10.0)], ids=["message", "task"])
def test_the_first_pop_up_loads_it_and_nothing_else(
    wire: Wire, open_tab: OpenTab, first: dict[str, Any]
) -> None:
    tab = open_tab()
    assert "monitio-cards.js" not in wire.files
    wire.put(first)
    tab.wait_for(1)
    wait_until(lambda: "monitio-cards.js" in wire.files)
    assert sorted(wire.files) == ["monitio-cards.js", "monitio.css", "monitio.js"]


def test_when_the_bell_has_loaded_it_pop_ups_have_its_style(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(auto_close="off")
    tab.part("bell").click()
    expect(tab.part("panel")).to_be_visible()
    tab.part("panel-close").click()
    wire.put(message(1), message(2))
    expect(tab.page.locator(RESTING)).to_have_count(1)
    expect(tab.pop_up(1)).to_have_css("position", "absolute")


def test_without_it_pop_ups_are_a_list_until_it_can_be_loaded(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(auto_close="off")
    tab.page.route(FILE, lambda route: route.abort())
    wire.put(message(1), message(2, level="error"), job(3, percent=20.0))
    tab.wait_for(2, 3, 1)
    expect(tab.pop_up(1).get_by_text("M1")).to_be_visible()
    tab.close(1)
    tab.wait_for(2, 3)
    node = tab.pop_up(3).element_handle()
    tab.page.mouse.move(5, 5)
    tab.page.unroute(FILE)
    wire.put(message(4))
    expect(tab.page.locator(RESTING)).to_have_count(1)
    tab.expand()
    expect(tab.pop_up(3).get_by_role("progressbar")).to_have_attribute("value", "20")
    assert node.evaluate("node => node.isConnected")


def test_a_pop_up_waits_two_seconds_for_it_and_does_not_move_when_it_is_loaded(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(clock=True)
    # Stop the tab's clock: on a busy machine it would advance meanwhile.
    tab.page.clock.pause_at(datetime.now() + timedelta(minutes=1))
    held: list[Route] = []
    tab.page.route(FILE, lambda route: held.append(route))
    wire.put(message(1, level="error"))
    wait_until(lambda: tab.pass_time(0.001) or held)
    assert tab.shown() == []
    tab.pass_time(2.1)
    tab.wait_for(1)
    before = tab.box(tab.pop_up(1))
    held[0].continue_()
    wait_until(lambda: tab.pass_time(0.1) or tab.part("close-all").count())
    assert tab.box(tab.pop_up(1)) == before


def test_an_element_removed_before_it_is_loaded_starts_no_timer(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(auto_close="off")
    held: list[Route] = []
    tab.page.route(FILE, lambda route: held.append(route))
    wire.put(message(1))
    wait_until(lambda: tab.run("document.readyState") and held)
    tab.run(LEAVE)
    held[0].continue_()
    wait_until(lambda: tab.run("timers") and "monitio-cards.js" in wire.files)
    tab.page.wait_for_timeout(300)
    before = tab.run("timers")
    tab.page.wait_for_timeout(600)
    # Otherwise a timer would run every 30 ms as long as the page is open.
    assert tab.run("timers") <= before + 5


def test_an_inbox_closed_while_its_script_loads_stays_closed(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    held: list[Route] = []
    tab.page.route("**/monitio-inbox.js", lambda route: held.append(route))
    tab.page.evaluate("""() => {
      const bell = document.querySelector("monitio-bell");
      bell.open();
      bell.close();
    }""")
    wait_until(lambda: tab.run("document.readyState") and held)
    held[0].continue_()
    expect(tab.part("panel")).to_be_attached()
    expect(tab.part("panel")).to_be_hidden()
    tab.part("bell").click()
    expect(tab.part("panel")).to_be_visible()


@pytest.mark.parametrize("name", ["monitio-cards.js", "monitio-inbox.js"])
def test_a_failed_load_is_retried_with_backoff_and_when_the_browser_is_online(
    wire: Wire, open_tab: OpenTab, name: str
) -> None:
    tab = open_tab(clock=True, auto_close="off")
    tab.page.clock.pause_at(datetime.now() + timedelta(minutes=1))
    requests: list[str] = []

    def refuse(route: Route) -> None:
        requests.append(name)
        route.abort()

    def wait_for(number: int) -> None:
        wait_until(lambda: tab.pass_time(0.01) or len(requests) >= number)
        assert len(requests) == number

    tab.page.route(f"**/{name}", refuse)
    tab.part("bell").hover()
    wait_for(1)
    for pk in range(1, 6):
        wire.put(message(pk))
        wait_until(lambda pk=pk: tab.run("monitio.messages.length") == pk)
        tab.pass_time(0.05)
    wait_for(1)
    for number, pause in enumerate((1, 2, 4, 8), 2):
        tab.pass_time(0.6 * pause)
        wait_for(number - 1)
        tab.pass_time(0.4 * pause)
        wait_for(number)
    tab.run("dispatchEvent(new Event('online'))")
    wait_for(6)
    tab.page.unroute(f"**/{name}")
    tab.run("dispatchEvent(new Event('online'))")
    tab.part("bell").click()
    wait_until(lambda: tab.pass_time(0.1) or tab.entries().count() == 5)


def test_it_is_loaded_under_a_policy_with_nonces_and_hashed_names(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    policy = "default-src 'none'; script-src 'nonce-n1'; style-src 'self'; connect-src 'self'"

    def page_with_nonces(route: Route) -> None:
        response = route.fetch()
        body = re.sub("<script", '<script nonce="n1"', response.text())
        body = body.replace("monitio-cards.js", "monitio-cards.0123456789ab.js")
        headers = {**response.headers, "content-security-policy": policy}
        route.fulfill(response=response, body=body, headers=headers)

    tab.page.route(f"{wire.url}/?", page_with_nonces)
    hashed = "**/monitio-cards.0123456789ab.js"
    tab.page.route(
        hashed, lambda route: route.continue_(url=route.request.url.replace(".0123456789ab", ""))
    )
    with tab.page.expect_request(hashed):
        wire.store(message(1, level="error"), message(2, level="error"))
        tab.reload()
    expect(tab.page.locator(RESTING)).to_have_count(1)
