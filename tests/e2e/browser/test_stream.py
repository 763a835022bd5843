"""How the live connection opens, fails, recovers and ends."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.conftest import needs_packages
from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, message
from tests.support.servers.forwarder import Forwarder
from tests.support.waiting import wait_until


def passed(tab: Tab, seconds: float) -> bool:
    """Advance the tab's clock; always true, for conditions of wait_until."""
    tab.pass_time(seconds)
    return True


def test_a_lost_connection_comes_back(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.drop()
    wait_until(lambda: wire.stream_requests == 2 and wire.open == 1)
    tab.wait_for_connection()


def test_reconnecting_to_a_busy_server_backs_off_and_succeeds(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(clock=True)
    wire.stream_status = 503
    wire.drop()
    wait_until(lambda: passed(tab, 1) and wire.stream_requests >= 7)
    tab.wait_for_connection("offline")
    # After six failures the next attempt waits at least 16 seconds.
    passed(tab, 2)
    tab.run("fetch('/elsewhere').then(() => null)")
    assert wire.stream_requests == 7

    wire.stream_status = 200
    wait_until(lambda: passed(tab, 10) and tab.connection == "open")


def test_without_connection_the_inbox_shows_it(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.stream_status = 503
    wire.drop()
    wait_until(lambda: passed(tab, 5) and tab.connection == "offline")
    tab.part("bell").click()
    expect(tab.part("offline")).to_be_visible()


def test_a_page_of_another_user_stops_and_asks_to_reload(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.stream_status = 204
    wire.drop()
    wait_until(lambda: passed(tab, 2) and tab.connection == "stopped")
    expect(tab.page.locator("li.toast")).to_contain_text("been signed out")
    asked = wire.stream_requests
    tab.pass_time(600)
    assert tab.connection == "stopped"
    assert wire.stream_requests == asked


def test_a_bye_after_signing_out_stops_the_page(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.push("bye", {"reason": "signed-out", "retry": 100})
    tab.wait_for_connection("stopped")


def test_after_a_bye_for_age_the_page_reconnects_at_the_given_time(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(clock=True)
    wire.push("bye", {"reason": "age", "retry": 3_600_000})
    wait_until(lambda: wire.open == 0)
    tab.pass_time(1200)
    assert wire.stream_requests == 1
    tab.pass_time(5000)
    wait_until(lambda: wire.stream_requests == 2)
    tab.wait_for_connection()


def test_leaving_the_page_closes_the_stream_and_returning_opens_one(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    tab.page.goto(f"{wire.url}/elsewhere")
    wait_until(lambda: wire.open == 0)
    wire.store(message(1, level="error"))
    tab.page.go_back()
    wait_until(lambda: wire.open == 1)
    tab.wait_for(1)


@pytest.mark.parametrize(
    ("sleep", "wake"),
    [
        (
            "dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))",
            "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
        ),
        (
            "document.dispatchEvent(new Event('freeze'))",
            "document.dispatchEvent(new Event('resume'))",
        ),
    ],
    ids=["back/forward cache", "frozen"],
)
def test_a_page_that_sleeps_has_no_stream_and_misses_nothing(
    wire: Wire, open_tab: OpenTab, sleep: str, wake: str
) -> None:
    tab = open_tab()
    tab.run(sleep)
    wait_until(lambda: wire.open == 0)
    wire.store(message(1, level="error"))
    tab.run(wake)
    tab.wait_for(1)


def test_swapped_elements_keep_the_stream_and_the_pop_ups(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    tab.run(
        """() => {
          const old = document.querySelector("monitio-messages");
          old.replaceWith(old.cloneNode(false));
        }"""
    )
    tab.wait_for(1)
    tab.pass_time(60)
    wire.put(message(2, level="error"))
    tab.wait_for(2, 1)
    assert wire.stream_requests == 1


def test_items_that_a_swap_brings_pop_up(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.run(
        """() => {
          const item = document.createElement("li");
          item.dataset.message = JSON.stringify({ id: null, level: "error", body: "Swapped in" });
          document.querySelector("monitio-messages > ul").append(item);
        }"""
    )
    expect(tab.page.locator("li.toast")).to_contain_text("Swapped in")


def test_without_elements_the_stream_ends(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.run(
        "document.querySelectorAll('monitio-messages, monitio-bell, monitio-progress')"
        ".forEach(element => element.remove())"
    )
    wait_until(lambda: wire.open == 0)


def test_a_silent_connection_is_replaced(wire: Wire, open_tab: OpenTab, line: Forwarder) -> None:
    wire.heartbeat = 0.4
    tab = open_tab(url=f"http://{line.host}:{line.port}")
    line.forget()
    wire.put(message(1, level="error"))
    wait_until(lambda: tab.run("events.some(([type, state]) => state === 'offline')"))
    tab.wait_for(1)
    tab.wait_for_connection()


COUNT_BEATS = """() => {
  window.beats = 0;
  monitio.configure({ EventSourceClass: class extends EventSource {
    constructor(...args) {
      super(...args);
      this.addEventListener("beat", () => beats++);
    }
  } });
}"""


def test_heartbeats_keep_a_quiet_stream(wire: Wire, open_tab: OpenTab) -> None:
    wire.heartbeat = 4.0
    tab = open_tab(clock=True)
    tab.run(COUNT_BEATS)
    for _ in range(5):
        beats = tab.run("beats")
        wait_until(lambda beats=beats: tab.run("beats") > beats)  # type: ignore[misc]
        tab.pass_time(6)
    assert (tab.connection, wire.stream_requests) == ("open", 2)


def test_a_stream_that_promises_no_heartbeat_may_be_silent(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    tab.pass_time(600)
    assert (tab.connection, wire.stream_requests) == ("open", 1)


def test_a_request_without_a_response_is_repeated(wire: Wire, open_tab: OpenTab) -> None:
    wire.heartbeat = 30.0
    tab = open_tab(clock=True)
    tab.page.route("**/stream/*", lambda route: None)
    wire.drop()
    wait_until(lambda: passed(tab, 10) and tab.connection == "offline")
    tab.page.unroute("**/stream/*")
    wait_until(lambda: passed(tab, 10) and tab.connection == "open")


POLYFILL = "/npm/event-source-polyfill/src/eventsource.js"
USE_POLYFILL = """() => monitio.configure({
  EventSourceClass: EventSourcePolyfill, headers: { Authorization: "Bearer xyz" } })"""


def test_another_class_than_eventsource_may_send_headers(wire: Wire, open_tab: OpenTab) -> None:
    needs_packages()
    tab = open_tab()
    tab.run(f"import('{POLYFILL}').then(() => null)")
    tab.run(USE_POLYFILL)
    wait_until(lambda: wire.authorizations[-1] == "Bearer xyz" and wire.open == 1)
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    tab.close(1)
    wait_until(lambda: wire.seen() == [1])
    assert wire.post_authorizations == ["Bearer xyz"]
    # It stops on an error, as the browser's class does.
    asked = wire.stream_requests
    wire.drop()
    wait_until(lambda: wire.stream_requests == asked + 1 and wire.open == 1)


def test_a_server_that_answers_and_ends_is_polled(wire: Wire, open_tab: OpenTab) -> None:
    wire.ends_at_once = True
    tab = open_tab()
    wire.store(message(1, level="error"))
    tab.wait_for(1)
    wire.lose(1)
    tab.wait_for()
    assert wire.stream_requests >= 3
    assert tab.connection == "open"


def test_a_page_that_shows_the_last_snapshot_takes_no_other(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, seen=True))
    wire.mark = "first"
    tab = open_tab()
    wire.drop()
    wait_until(lambda: wire.stream_requests == 2 and wire.open == 1)
    tab.wait_for_connection()
    assert wire.has == ["", "first"]


def test_a_page_to_which_something_came_takes_another_snapshot(
    wire: Wire, open_tab: OpenTab
) -> None:
    """The message may have been deleted while there was no stream."""
    wire.mark = "first"
    tab = open_tab()
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    wire.lose(1)
    wire.drop()
    tab.wait_for()
    assert wire.has == ["", ""]


def test_with_the_stream_of_a_hub_the_page_fetches_its_snapshot(
    wire: Wire, open_tab: OpenTab
) -> None:
    wire.begins_with_snapshot = False
    tab = open_tab(stream_snapshot="json")
    wait_until(lambda: wire.snapshot_requests)
    wire.store(message(1, level="error"))
    asked = wire.snapshot_requests
    wire.drop()
    tab.wait_for(1)
    assert wire.snapshot_requests == asked + 1
    wire.put(message(2, level="error"))
    tab.wait_for(2, 1)
