"""Many messages at once: the page stays responsive, and a screen reader announces few."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until


class Layouts:
    """The number of layouts since its creation. Not their seconds, which differ by machine."""

    def __init__(self, tab: Tab) -> None:
        self._session = tab.page.context.new_cdp_session(tab.page)
        # The counter runs only while enabled.
        self._session.send("Performance.enable")
        self._before = self._counted()

    def _counted(self) -> int:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        found = {one["name"]: one["value"] for one in metrics}
        return int(found["LayoutCount"] + found["RecalcStyleCount"])

    def __int__(self) -> int:
        return self._counted() - self._before


def test_two_thousand_messages_in_a_burst_are_little_work(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(title_badge="")
    layouts = Layouts(tab)
    tab.run(
        "() => { for (let n = 0; n < 2000; n++) monitio.add({ title: `M${n}`, level: 'error' }) }"
    )
    expect(tab.part("count")).to_have_text("1,999 more, 1,999 errors")
    assert 0 < int(layouts) < 20


def test_two_thousand_messages_over_the_stream_keep_the_page_quick(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(title_badge="")
    layouts = Layouts(tab)
    wire.put(*(message(pk, level="error") for pk in range(1, 2001)))
    expect(tab.part("count")).to_have_text("1,999 more, 1,999 errors")
    expect(tab.page).to_have_title("(99+) Page")
    # At most one per frame; a slow stream takes more frames.
    assert 0 < int(layouts) < 1000


def test_a_flood_that_goes_on_does_not_flicker_past(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    popped_up: set[int] = set()
    for second in range(30):
        last = 7 * (second + 1)
        wire.put(*(message(pk) for pk in range(last - 6, last + 1)))
        tab.wait_for_unread(f"{min(last, 99)}{'+' * (last > 99)}")
        tab.pass_time(1)
        popped_up |= set(tab.shown())
    # Each of the five stays for eight seconds.
    assert 5 < len(popped_up) <= 5 * (seconds(tab) / 8 + 1)
    expect(tab.part("more")).to_be_visible()
    # At most four announcements in seven seconds.
    assert len(tab.announced()) <= 4 * (seconds(tab) / 7 + 1)
    # The longest wait, and the duration of the last one.
    tab.pass_time(3 * 8 + 8 + 1)
    wait_until(lambda: tab.pass_time(0.1) or tab.shown() == [])
    wait_until(lambda: tab.pass_time(0.1) or popped_up <= {*wire.seen()})
    assert len(wire.seen()) <= 5 * (seconds(tab) / 8 + 1)


def seconds(tab: Tab) -> float:
    """Seconds since the page was loaded, by the tab's clock, which also advances by itself."""
    return float(tab.run("performance.now()")) / 1000


def test_in_a_flood_an_error_pops_up_and_is_announced_at_once(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(duration=600_000)
    wire.put(*(message(pk) for pk in range(1, 31)))
    # The five ids depend on how many messages the stream delivers at a time.
    wait_until(lambda: len(tab.shown()) == 5)
    five = tab.shown()
    tab.wait_for_unread("30")
    tab.wait_to_receive("more notifications")
    wire.put(*(message(pk) for pk in range(31, 61)), message(61, level="error"))
    tab.wait_for(61, *five[:4])
    expect(tab.part("count")).to_have_text("60 more")
    tab.wait_to_receive("Error: M61")


def test_what_there_was_no_room_for_pops_up_with_the_next_page(
    wire: Wire, open_tab: OpenTab
) -> None:
    wire.store(*(message(pk) for pk in range(1, 31)))
    tab = open_tab(clock=True)
    tab.pass_time(60)
    tab.wait_for()
    shown = tab.run("monitio.messages.filter(({ seen }) => seen).length")
    wait_until(lambda: tab.pass_time(0.1) or len(wire.seen()) == shown)
    unseen = {*range(1, 31)} - {*wire.seen()}
    assert unseen
    tab.page.close()
    open_tab(auto_close="off").wait_for(*sorted(unseen, reverse=True)[:5])


def test_errors_come_first_in_the_summary_of_a_flood(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(*(message(pk) for pk in range(1, 20)), message(20, level="error"))
    wire.store(*(message(pk) for pk in range(21, 121)))
    tab = open_tab()
    tab.wait_to_receive("117 more notifications")
    assert tab.announced()[0] == "Error: M20"
    assert len(tab.announced()) == 4


def test_progress_is_announced_to_screen_readers_at_most_twice_a_minute(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(clock=True)
    wire.put(job(1, percent=0.0))
    tab.wait_for(1)
    tab.pass_time(1)
    for percent in range(1, 100):
        wire.push("message", job(1, seq=percent, percent=float(percent)))
    expect(tab.pop_up(1)).to_contain_text("99%")
    tab.pass_time(1)
    assert len(tab.announced()) <= 2
    tab.pass_time(31)
    wire.push("message", job(1, seq=100, percent=99.5))
    wait_until(lambda: tab.pass_time(1) or len(tab.announced()) == 2)
