"""A page acts for the user it was rendered for, and pages of other users or sites stay separate."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.wire import Wire, message
from tests.support.waiting import wait_until

DAY = 86_400
LONGEST_TIMEOUT = 2**31 - 1
COUNT_TIMERS = """
window.delays = [];
const setTimer = window.setTimeout;
window.setTimeout = (act, delay, ...rest) => {
  delays.push(delay);
  return setTimer(act, delay, ...rest);
};
"""


def test_each_post_names_the_page_and_carries_the_csrf_token_as_a_form_does(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    tab.run("monitio.markRead(1)")
    tab.run("monitio.remove('all')")
    wait_until(lambda: {"seen/", "mark_read/1/", "delete/all/"} <= {path for path, _ in wire.posts})
    for _, fields in wire.posts:
        assert (fields["page"], fields["csrfmiddlewaretoken"]) == (["ann"], ["token"])


def test_a_refused_page_stops_and_asks_to_reload(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    wire.post_status = 409
    tab.run("monitio.remove('all')")
    tab.wait_for_connection("stopped")
    expect(tab.page.locator("li.toast").first).to_contain_text("been signed out")
    # Nothing was deleted, so the page still shows it.
    assert tab.run("monitio.messages.map(({ id }) => id)").count(1) == 1


def test_a_pop_up_that_is_closed_stays_in_the_page_of_another_user_or_site(
    wire: Wire, open_tab: OpenTab
) -> None:
    one, same = open_tab(), open_tab()
    other = open_tab(stream_url="/m/stream/?page=bob")
    site = open_tab(stream_url="/m/../m/stream/?page=ann")
    wire.put(message(1, level="error"))
    tabs = (one, same, other, site)
    for tab in tabs:
        tab.wait_for(1)
    for tab in (other, site):
        tab.run("addEventListener('storage', ({ key }) => { if (key === 'done') window.done = 1 })")
    wire.post_status = 500
    one.close(1)
    same.wait_for()
    # Storage events arrive in order, so this one arrives last.
    one.run("localStorage.done = 'yes'")
    for tab in (other, site):
        wait_until(lambda tab=tab: tab.run("window.done") == 1)  # type: ignore[misc]
        assert tab.shown() == [1]


def test_each_site_on_one_origin_has_its_own_preferences(wire: Wire, open_tab: OpenTab) -> None:
    checkbox = "input[type=checkbox]"
    tab = open_tab(api_url="/m/")
    tab.open_settings()
    tab.page.locator(checkbox).first.check()
    for api_url, is_on in (("/m/", True), ("/m/../m/", False)):
        another = open_tab(api_url=api_url)
        another.open_settings()
        expect(another.page.locator(checkbox).first).to_be_checked(checked=is_on)


def test_no_timer_is_longer_than_a_browser_can_count(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(init_script=COUNT_TIMERS)
    wire.put(message(1, close_timeout=30 * DAY), message(2, expires_in=40 * DAY, level="error"))
    tab.wait_for(2, 1)
    wire.push("bye", {"reason": "age", "retry": 1000 * 50 * DAY})
    wait_until(lambda: wire.open == 0)
    delays = tab.run("delays")
    assert max(delays) == LONGEST_TIMEOUT
    # For the pop-up's end, the message's expiry and the delay before a new stream.
    assert delays.count(LONGEST_TIMEOUT) >= 3
