"""Several pop-ups: a stack at rest shows one card, and all of them when expanded."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser.conftest import TIMEOUT, OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until

RESTING = ".stack.resting"
# The cards and the line below them, without the space for shadows.
VISIBLE = """stack => {
  const parts = [...stack.querySelectorAll(".list, .footer")].map(n => n.getBoundingClientRect());
  return parts.reduce((sum, { width, height }) => sum + width * height, 0)
    / (innerWidth * innerHeight);
}"""


@pytest.fixture
def tab(wire: Wire, open_tab: OpenTab) -> Tab:
    tab = open_tab(auto_close="off")
    tab.page.mouse.move(5, 5)
    wire.put(
        message(1),
        message(2, level="warning"),
        message(3, level="error", body="Three October invoices have no date.", url="/x"),
    )
    tab.wait_for(3, 2, 1)
    return tab


def test_only_the_first_card_can_be_seen_and_reached_at_rest(tab: Tab) -> None:
    expect(tab.page.locator(RESTING)).to_have_count(1)
    expect(tab.pop_up(3).get_by_text("M3")).to_be_visible()
    expect(tab.pop_up(2).get_by_text("M2")).to_be_hidden()
    expect(tab.part("count")).to_have_text("2 more")


@pytest.mark.parametrize("way", ["pointer", "hotkey", "button"])
def test_the_stack_opens_and_rests_again(tab: Tab, way: str) -> None:
    node = tab.pop_up(1).element_handle()
    if way == "pointer":
        tab.part("stack").hover()
    elif way == "hotkey":
        tab.page.keyboard.press("F8")
    else:
        tab.part("more").focus()
    expect(tab.pop_up(1).get_by_text("M1")).to_be_visible()
    expect(tab.part("count")).to_have_text("Stays open while you are here")
    if way == "pointer":
        tab.page.mouse.move(5, 5)
    else:
        tab.page.keyboard.press("F8")
    expect(tab.page.locator(RESTING)).to_have_count(1)
    assert node.evaluate("node => node.isConnected")


@pytest.mark.parametrize(("width", "height", "most"), [(1280, 800, 0.08), (390, 844, 0.20)])
def test_at_rest_it_covers_little(tab: Tab, width: int, height: int, most: float) -> None:
    tab.page.set_viewport_size({"width": width, "height": height})
    expect(tab.page.locator(RESTING)).to_have_count(1)
    assert tab.part("stack").evaluate(VISIBLE) <= most


def test_a_tap_opens_it_and_a_swipe_closes_a_card(browser: Browser, wire: Wire) -> None:
    wire.head = '<meta name="viewport" content="width=device-width">'
    context = browser.new_context(
        has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}, locale="en-GB"
    )
    context.set_default_timeout(TIMEOUT)
    tab = Tab(context, wire, []).open(auto_close="off")
    wire.put(message(1), message(2), message(3, level="error"))
    tab.wait_for(3, 2, 1)
    tab.pop_up(3).get_by_text("M3").tap()
    expect(tab.page.locator(RESTING)).to_have_count(0)
    box = tab.box(tab.pop_up(2))
    touch = context.new_cdp_session(tab.page)

    def send(kind: str, *points: Any) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    y = box["y"] + 15
    send("touchStart", {"x": 60, "y": y})
    for x in range(80, 320, 20):
        send("touchMove", {"x": x, "y": y})
    send("touchEnd")
    tab.wait_for(3, 1)
    assert tab.page.url.startswith(wire.url)
    context.close()


def test_closing_all_can_be_undone(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(auto_close="off")
    wire.put(job(1, task="1"), message(2), message(3, level="error"))
    tab.wait_for(3, 1, 2)
    tab.page.keyboard.press("F8")
    tab.part("close-all").click()
    tab.wait_for()
    # One was deleted and one has changed meanwhile: neither returns as it was.
    wire.put(job(1, version=2, task="1", percent=20.0))
    wire.push("gone", {"ids": [2]})
    tab.part("undo").click()
    tab.wait_for(3, 1)
    # Reload: a closed task stays closed in this tab.
    tab.reload()
    expect(tab.pop_up(1)).to_be_attached()


def test_from_the_third_on_running_tasks_share_a_card(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(1, task="1", percent=20.0), job(2, task="2", percent=40.0))
    tab.wait_for(2, 1)
    expect(tab.part("tasks")).to_have_count(0)
    wire.put(job(3, task="3", percent=60.0, title="Third"))
    expect(tab.page.locator("[part~=tasks]")).to_contain_text("3 tasks40%")
    expect(tab.page.locator("[part~=tasks] li")).to_have_count(3)
    tab.page.get_by_role("button", name="3 tasks").click()
    expect(tab.pop_up(3)).to_be_hidden()
    wire.put(job(3, "failed", 2, task="3", level="error", title="Third failed"))
    expect(tab.page.locator("li.toast.error")).to_contain_text("Third failed")
    expect(tab.page.locator("[part~=tasks]")).to_have_count(0)


def test_successes_of_many_tasks_share_a_card(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(auto_close="off")
    for pk in range(1, 5):
        wire.put(job(pk, "succeeded", task=f"{pk}", level="success", title=f"Import {pk}"))
    card = tab.page.locator("li.toast")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("4 finished")
    card.locator("[part=close]").click()
    expect(card).to_have_count(0)
    wait_until(lambda: sorted(wire.seen()) == [1, 2, 3, 4])


def test_a_running_task_has_one_height_from_start_to_end(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    heights = set()
    for version, (state, more) in enumerate(
        [
            ("queued", {}),
            ("started", {}),
            ("started", {"percent": 10.0, "eta": 90, "text": "8,000 of 20,000 rows " * 5}),
            ("retrying", {"text": "Retry 2 of 4 in 3 sec"}),
            ("started", {"percent": 99.0}),
        ]
    ):
        wire.put(job(1, state, version, **more))
        wait_until(lambda: tab.run("monitio.messages[0]?.version") == version)  # noqa: B023
        tab.page.evaluate("() => new Promise(done => setTimeout(done, 60))")
        heights.add(tab.box(tab.pop_up(1))["height"])
    assert len(heights) == 1


def test_its_text_changes_at_most_twelve_times_a_minute(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.put(job(1, percent=0.0, text="Row 0"))
    tab.wait_for(1)
    tab.run(
        """() => {
          window.changes = 0;
          new MutationObserver(() => changes++).observe(
            document.querySelector("monitio-messages").shadowRoot.querySelector(".meta span"),
            { childList: true, characterData: true, subtree: true });
        }"""
    )
    start = tab.run("performance.now()")
    for step in range(1, 31):
        wire.push("message", job(1, seq=step, percent=step * 1.0, text=f"Row {step}"))
        tab.pass_time(2)
    expect(tab.pop_up(1)).to_contain_text("Row 30")
    minutes = (tab.run("performance.now()") - start) / 60_000
    assert tab.run("changes") <= 12 * minutes + 1


def test_at_200_percent_zoom_the_line_below_covers_no_card(tab: Tab) -> None:
    tab.page.set_viewport_size({"width": 640, "height": 400})
    tab.expand()
    footer, cards = tab.box(tab.part("count").locator("..")), tab.box(tab.page.locator(".list"))
    # The list has one rem of space for shadows.
    assert cards["y"] + cards["height"] - 16 <= footer["y"]
    assert footer["y"] + footer["height"] <= 400


def test_at_200_percent_zoom_a_tall_card_leaves_the_line_below_in_sight(
    tab: Tab, wire: Wire
) -> None:
    tab.page.set_viewport_size({"width": 640, "height": 400})
    long = "Donaudampfschifffahrtsgesellschaftskapitän " * 9
    wire.put(message(9, level="error", title=long, body=long, url="/x", url_label=long[:160]))
    expect(tab.page.locator(RESTING)).to_have_count(1)
    expect(tab.pop_up(9)).to_be_in_viewport(ratio=1)
    footer = tab.box(tab.part("count").locator(".."))
    assert footer["y"] + footer["height"] <= 400
