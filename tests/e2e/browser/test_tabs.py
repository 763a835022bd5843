"""The tabs of one browser share one stream: no message is missed or arrives twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, Request, Route, expect

from tests.e2e.browser.conftest import OpenTab, launch
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, message
from tests.support.waiting import wait_until

NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"
# Never takes the lock over from a suspended tab; it waits until the lock is released.
PATIENT = "window.setInterval = () => 0"
# Delays locks until the messages sent before their release have arrived: browsers do not guarantee
# that order. A page that gets the lock first opens a stream, whose response reports the new user.
SLOW_LOCKS = """
const request = LockManager.prototype.request;
LockManager.prototype.request = function (name, options, act) {
  return request.call(this, name, options, async (lock) => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return act(lock);
  });
};
"""
# As in a page that is being unloaded. After 1,000 requests it stops rejecting: a page that retries
# for ever fails by its count, and the browser does not hang.
REFUSED = """
window.refused = 0;
LockManager.prototype.request = () => {
  if (++window.refused > 1000) return new Promise(() => {});
  return Promise.reject(new DOMException("Not fully active", "InvalidStateError"));
};
"""
LOCKS = """async () => {
  const { held, pending } = await navigator.locks.query();
  return [...held, ...pending].map(({ name }) => name);
}"""
# Blocks the main thread until the wire is no longer busy.
BUSY = """() => setTimeout(() => {
  const request = new XMLHttpRequest();
  request.open("GET", "/busy", false);
  request.send();
})"""


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser with the back/forward cache, which Playwright switches off."""
    browser = launch(playwright, ignore_default_args=["--disable-back-forward-cache"])
    yield browser
    browser.close()


def error(pk: int) -> dict[str, object]:
    """A message whose pop-up stays."""
    return message(pk, level="error")


def test_ten_tabs_hold_one_stream_and_all_receive_it(wire: Wire, open_tab: OpenTab) -> None:
    tabs = [open_tab(init_script=PATIENT) for _ in range(10)]
    assert wire.stream_requests == 1
    wire.put(error(1))
    for tab in tabs:
        tab.wait_for(1)
    wire.delete(1)
    for tab in tabs:
        tab.wait_for()


def test_when_the_leading_tab_closes_another_takes_over_at_once(
    wire: Wire, open_tab: OpenTab
) -> None:
    leader, *others = [open_tab(init_script=PATIENT) for _ in range(3)]
    # The snapshots requested at joining must not already report the next message as seen.
    wait_until(lambda: wire.snapshot_requests == len(others))
    # Its event is lost: only the snapshot of a new stream shows it.
    wire.store(error(1))
    leader.page.close()
    for tab in others:
        tab.wait_for(1)
    wait_until(lambda: wire.open == 1)
    assert wire.stream_requests == 2


def test_a_follower_replaces_a_leader_that_hangs(wire: Wire, open_tab: OpenTab) -> None:
    leader, follower = open_tab(), open_tab()
    leader.run(BUSY)
    wait_until(lambda: wire.stream_requests == 2)
    wire.put(error(1))
    follower.wait_for(1)
    wire.busy.set()
    # The former leader resumes, has lost the lock and gets the missed messages from the new leader.
    leader.wait_for(1)
    wait_until(lambda: wire.open == 1)
    wire.put(error(2))
    for tab in (leader, follower):
        tab.wait_for(2, 1)
    assert wire.stream_requests == 2


def test_a_new_follower_requests_what_it_missed_while_loading(
    wire: Wire, open_tab: OpenTab
) -> None:
    open_tab()

    def lose_an_event(route: Route, _request: Request) -> None:
        wire.store(error(1))
        route.continue_()

    follower = open_tab(init_script=PATIENT, before_script=lose_an_event)
    follower.wait_for(1)
    assert wire.stream_requests == 1


def test_messages_newer_than_a_followers_snapshot_are_kept(wire: Wire, open_tab: OpenTab) -> None:
    leader, follower = open_tab(), open_tab()
    wire.put(error(1))
    follower.wait_for(1)
    wait_until(lambda: 1 in wire.seen())

    def answer_late(route: Route, _request: Request) -> None:
        response = route.fetch()
        wire.put(error(2))
        follower.wait_for_unread("2")
        wire.delete(1)
        follower.wait_for_unread("1")
        route.fulfill(response=response)

    follower.page.route("**/m/json/**", answer_late)
    with follower.page.expect_response("**/m/json/**"):
        sleep_and_wake(follower)
    follower.catch_up()
    assert follower.shown() == [2]
    assert follower.unread() == "1"
    leader.wait_for(2)


def sleep_and_wake(tab: Tab) -> None:
    tab.run(
        """() => {
          dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
          dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        }"""
    )


def test_tabs_of_different_users_share_nothing(wire: Wire, open_tab: OpenTab) -> None:
    ann, bob = open_tab(), open_tab(stream_url="/m/stream/?page=bob")
    wire.push("message", error(1), "bob")
    bob.wait_for(1)
    wire.push("message", error(2), "ann")
    ann.wait_for(2)
    assert bob.shown() == [1]
    assert wire.open == 2


def test_when_the_user_has_changed_all_their_tabs_stop_and_show_it(
    wire: Wire, open_tab: OpenTab
) -> None:
    tabs = [open_tab(init_script=f"{PATIENT};{SLOW_LOCKS}") for _ in range(2)]
    wire.push("bye", {"reason": "signed-out", "retry": 100})
    for tab in tabs:
        tab.wait_for_connection("stopped")
        expect(tab.page.locator("li.toast")).to_contain_text("been signed out")
    assert wire.stream_requests == 1


def test_all_tabs_get_the_state_of_the_connection(wire: Wire, open_tab: OpenTab) -> None:
    leader, follower = open_tab(clock=True), open_tab()
    wire.stream_status = 503
    wire.drop()
    wait_until(lambda: leader.pass_time(1) or leader.connection == "offline")
    follower.wait_for_connection("offline")
    wire.stream_status = 200
    wait_until(lambda: leader.pass_time(5) or leader.connection == "open")
    follower.wait_for_connection("open")


def test_without_locks_each_tab_in_sight_has_a_stream_of_its_own(
    wire: Wire, open_tab: OpenTab
) -> None:
    tabs = [open_tab(init_script=NO_LOCKS) for _ in range(2)]
    assert wire.open == 2
    tabs[0].hide()
    wait_until(lambda: wire.open == 1)
    wire.put(error(1))
    tabs[1].wait_for(1)
    wait_until(lambda: wire.seen() == [1])
    tabs[0].hide(False)
    wait_until(lambda: wire.open == 2)
    tabs[0].wait_for_unread("1")


def test_a_page_being_unloaded_requests_no_lock_when_it_becomes_hidden(open_tab: OpenTab) -> None:
    tab = open_tab()
    assert len(tab.run(LOCKS)) == 1
    tab.run("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    wait_until(lambda: tab.run(LOCKS) == [])
    tab.hide()
    assert tab.run(LOCKS) == []


def test_a_page_does_not_retry_a_refused_lock(wire: Wire, context: BrowserContext) -> None:
    """WebKit refuses every lock to a page that is being unloaded."""
    page = context.new_page()
    page.add_init_script(REFUSED)
    page.goto(wire.url)
    wait_until(lambda: page.evaluate("window.refused"))
    assert page.evaluate("window.refused") == 1


# Chromium crashes when such a tab is closed before its window.
@pytest.mark.usefixtures("own_window")
def test_a_tab_in_the_back_forward_cache_gives_up_the_lead_and_returns(
    wire: Wire, open_tab: OpenTab
) -> None:
    leader, other = (open_tab(init_script=PATIENT) for _ in range(2))
    leader.run("addEventListener('pageshow', ({ persisted }) => { window.restored = persisted })")
    leader.page.goto(f"{wire.url}/elsewhere")
    wait_until(lambda: wire.stream_requests == 2)
    wire.put(error(1))
    other.wait_for(1)
    leader.page.go_back(wait_until="commit")
    wait_until(lambda: leader.run("window.restored"))
    leader.wait_for_unread("1")
    wire.put(error(2))
    for tab in (leader, other):
        wait_until(lambda tab=tab: 2 in tab.shown())
    wait_until(lambda: wire.open == 1)
    assert wire.stream_requests == 2
