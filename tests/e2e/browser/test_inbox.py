"""The bell and its inbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import POP_UPS, Tab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until

# Puts an element of the page into a slot of the bell.
SLOTTED = """([slot, textContent]) => document.querySelector("monitio-bell")
  .append(Object.assign(document.createElement("b"), { slot, textContent }))"""


@pytest.fixture
def tab(wire: Wire, open_tab: OpenTab) -> Tab:
    """A tab whose open inbox has one read and two unread messages."""
    wire.store(message(1, read=True, seen=True), message(2), message(3, **{"from": "Bob"}))
    tab = open_tab(auto_close="off")
    tab.part("bell").click()
    tab.wait_for_focus("h2")
    return tab


def test_the_newest_comes_first(tab: Tab) -> None:
    expect(tab.entries().locator("[part=title]")).to_have_text(["M3", "M2", "M1"])


def test_the_bell_is_named_with_its_number(tab: Tab) -> None:
    expect(tab.part("bell")).to_have_accessible_name("Notifications, 2 unread")


def test_the_inbox_can_show_unread_messages_only(tab: Tab) -> None:
    tab.part("tab").filter(has_text="Unread").click()
    expect(tab.entries().locator("[part=title]")).to_have_text(["M3", "M2"])


def test_marking_one_read_counts_down(tab: Tab) -> None:
    tab.entries().first.get_by_role("button", name="Mark as read").click()
    tab.wait_for_unread("1")
    expect(tab.page.locator("monitio-bell li.unread")).to_have_count(1)


def test_a_read_one_can_be_marked_unread_again(wire: Wire, tab: Tab) -> None:
    tab.entries().last.get_by_role("button", name="Mark as unread").click()
    tab.wait_for_unread("3")
    wait_until(lambda: wire.messages[1]["read"] is False)
    expect(tab.page.locator("monitio-bell li.unread")).to_have_count(3)


def test_marking_all_read_leaves_no_number(wire: Wire, tab: Tab) -> None:
    tab.part("mark-all").click()
    tab.wait_for_unread("")
    expect(tab.page.locator("monitio-bell li.unread")).to_have_count(0)
    expect(tab.part("mark-all")).to_be_disabled()


def test_deleting_everything_shows_that_it_is_empty(tab: Tab) -> None:
    for left in (2, 1, 0):
        tab.entries().first.get_by_role("button", name="Delete").click()
        expect(tab.entries()).to_have_count(left)
    expect(tab.part("empty")).to_be_visible()


def test_the_page_may_have_its_own_text_for_an_empty_inbox(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.page.evaluate(SLOTTED, ["empty", "All quiet"])
    tab.part("bell").click()
    expect(tab.page.get_by_text("All quiet")).to_be_visible()
    expect(tab.part("empty")).to_be_hidden()


def test_the_page_can_replace_the_icon(open_tab: OpenTab) -> None:
    tab = open_tab()
    expect(tab.part("bell").locator("svg")).to_be_visible()
    tab.page.evaluate(SLOTTED, ["icon", "!"])
    expect(tab.page.get_by_text("!", exact=True)).to_be_visible()
    expect(tab.part("bell").locator("svg")).to_be_hidden()


def test_the_page_gets_events_when_the_inbox_opens_and_closes(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.run(
        """() => { for (const type of ["open", "closed"])
          document.addEventListener(`monitio:${type}`, () => events.push([type])); }"""
    )
    tab.part("bell").click()
    wait_until(lambda: ["open"] in tab.run("events"))
    assert ["closed"] not in tab.run("events")
    tab.page.keyboard.press("Escape")
    wait_until(lambda: ["closed"] in tab.run("events"))


def test_only_messages_with_a_sender_can_be_answered(tab: Tab) -> None:
    expect(tab.page.get_by_role("button", name="Reply")).to_have_count(1)


def answer(tab: Tab, text: str) -> None:
    tab.page.get_by_role("button", name="Reply").click()
    tab.wait_for_focus("textarea")
    tab.page.keyboard.type(text)
    tab.page.get_by_role("button", name="Send").click()


def test_an_answer_is_written_in_its_place(wire: Wire, tab: Tab) -> None:
    answer(tab, "Thanks, Bob & Co.")
    wait_until(lambda: wire.posted("reply/3/", message=["Thanks, Bob & Co."]))
    expect(tab.part("reply-form").first).to_be_hidden()
    expect(tab.page.locator("monitio-bell [role=status]")).to_have_text("Sent")
    tab.wait_for_focus("reply")


def test_an_answer_that_was_not_sent_stays_to_be_sent_again(wire: Wire, tab: Tab) -> None:
    wire.post_status = 500
    answer(tab, "Thanks")
    tab.wait_to_receive("Couldn’t save that")
    field = tab.page.get_by_role("textbox", name="Your reply")
    expect(field).to_have_value("Thanks")
    expect(tab.page.get_by_role("button", name="Send")).to_be_enabled()


def test_new_messages_do_not_interrupt_a_reply_being_written(wire: Wire, tab: Tab) -> None:
    tab.page.get_by_role("button", name="Reply").click()
    tab.page.keyboard.type("Than")
    wire.put(message(4))
    expect(tab.entries()).to_have_count(4)
    tab.page.keyboard.type("ks")
    expect(tab.page.get_by_role("textbox", name="Your reply")).to_have_value("Thanks")


def delete_first(tab: Tab) -> None:
    tab.entries().first.get_by_role("button", name="Delete").click()


def test_a_deletion_can_be_undone(wire: Wire, tab: Tab) -> None:
    delete_first(tab)
    expect(tab.entries()).to_have_count(2)
    tab.wait_for_unread("1")
    tab.part("undo").click()
    expect(tab.entries()).to_have_count(3)
    tab.wait_for_unread("2")
    tab.wait_for_focus("h2")
    assert wire.deleted() == []


def test_what_changed_while_it_was_deleted_comes_back_as_it_is(wire: Wire, tab: Tab) -> None:
    delete_first(tab)
    expect(tab.entries()).to_have_count(2)
    wire.put(message(3, version=5, title="New words"), message(4))
    expect(tab.entries()).to_have_count(3)
    tab.part("undo").click()
    expect(tab.entries().filter(has_text="New words")).to_have_count(1)
    tab.wait_for_unread("3")


def test_a_deletion_is_sent_when_the_time_to_undo_it_is_over(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1), message(2))
    tab = open_tab(clock=True)
    tab.part("bell").click()
    tab.pass_time(0.1)
    delete_first(tab)
    # The tab's clock also advances by itself.
    tab.pass_time(3)
    assert wire.deleted() == []
    tab.pass_time(8)
    wait_until(lambda: wire.deleted() == [2])
    expect(tab.part("undo")).to_be_hidden()


def test_the_next_deletion_makes_the_one_before_final(wire: Wire, tab: Tab) -> None:
    delete_first(tab)
    expect(tab.entries()).to_have_count(2)
    delete_first(tab)
    wait_until(lambda: wire.deleted() == [3])
    tab.part("undo").click()
    expect(tab.entries()).to_have_count(2)
    assert wire.deleted() == [3]


def test_leaving_the_page_makes_a_deletion_final(wire: Wire, tab: Tab) -> None:
    delete_first(tab)
    tab.page.goto(f"{wire.url}/elsewhere")
    wait_until(lambda: wire.deleted() == [3])


def mark_all(tab: Tab) -> None:
    tab.part("mark-all").click()


def delete_all(tab: Tab) -> None:
    tab.part("settings").click()
    tab.page.get_by_role("button", name="Delete all").click()


@pytest.mark.parametrize("act", [mark_all, delete_all])
def test_an_action_on_all_can_be_undone(wire: Wire, tab: Tab, act: Callable[[Tab], None]) -> None:
    before = tab.entries().locator("[part=title]").all_inner_texts()
    act(tab)
    tab.wait_for_unread("")
    tab.part("undo").click()
    tab.wait_for_unread("2")
    expect(tab.entries().locator("[part=title]")).to_have_text(before)
    assert not [path for path, _ in wire.posts if "all" in path]


@pytest.mark.parametrize(
    ("act", "path"), [(mark_all, "mark_read/all/"), (delete_all, "delete/all/")]
)
def test_what_is_done_to_all_leaves_later_messages_alone(
    wire: Wire, tab: Tab, act: Callable[[Tab], None], path: str
) -> None:
    act(tab)
    wire.put(message(9))
    tab.wait_for_unread("1")
    tab.part("dismiss").click()
    wait_until(lambda: path in dict(wire.posts))
    assert dict(wire.posts)[path]["until"] == ["3"]


def test_a_deletion_that_fails_is_undone_and_announced(wire: Wire, tab: Tab) -> None:
    wire.post_status = 500
    delete_first(tab)
    expect(tab.entries()).to_have_count(2)
    delete_first(tab)
    tab.wait_to_receive("Couldn’t save that")
    expect(tab.entries().locator("[part=title]")).to_have_text(["M3", "M1"])
    tab.wait_for_unread("1")


def test_a_job_shows_its_time_left_and_rate(wire: Wire, tab: Tab) -> None:
    wire.put(job(4, percent=42.5, eta=170, rate=119.7))
    expect(tab.entries().first).to_contain_text("120/s42% · 3 min left")
    wire.put(job(4, version=2, percent=42.5, eta=None, rate=None))
    expect(tab.entries().first.locator(".meta")).to_have_text("Started42%")


def test_a_job_that_can_be_cancelled_has_a_button_for_it(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(4, cancel=True), job(5))
    cancel = tab.pop_up(4).get_by_role("button", name="Cancel: Job")
    tab.expand()
    cancel.click()
    wait_until(lambda: wire.posted("cancel/4/"))
    expect(cancel).to_be_disabled()
    expect(tab.pop_up(5).get_by_role("button", name="Cancel")).to_have_count(0)
    wire.put(job(4, "revoked", 2, cancel=False))
    expect(cancel).to_have_count(0)


def test_a_cancellation_that_failed_can_be_tried_again(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(4, cancel=True))
    wire.post_status = 500
    cancel = tab.pop_up(4).get_by_role("button", name="Cancel")
    cancel.click()
    tab.wait_to_receive("Couldn’t save that")
    expect(cancel).to_be_enabled()


def test_a_job_moves_in_the_open_inbox(wire: Wire, tab: Tab) -> None:
    wire.put(job(4, percent=10.0))
    wire.put(job(4, version=2, percent=60.0))
    expect(tab.entries().first).to_contain_text("60%")


def test_what_arrives_meanwhile_pops_up_when_the_inbox_closes(wire: Wire, tab: Tab) -> None:
    wire.put(message(4, level="error"))
    expect(tab.entries()).to_have_count(4)
    assert tab.shown() == []
    tab.part("panel-close").click()
    tab.wait_for(4, 3, 2)


def mark_read(tab: Tab) -> None:
    tab.entries().first.get_by_role("button", name="Mark as read").click()


@pytest.mark.parametrize("status", [500, 403])
def test_an_action_that_fails_in_the_panel_has_a_line_there(
    wire: Wire, tab: Tab, status: int
) -> None:
    wire.post_status = status
    mark_read(tab)
    expect(tab.part("failed")).to_have_text("Couldn’t save that. Try again.")
    wire.post_status = 200
    mark_read(tab)
    expect(tab.part("failed")).to_be_hidden()


def test_an_action_that_fails_offline_has_a_line_in_the_panel(tab: Tab) -> None:
    tab.page.context.set_offline(True)
    mark_read(tab)
    expect(tab.part("failed")).to_be_visible()


def test_an_action_that_fails_outside_of_the_panel_pops_up_and_is_no_entry(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    wire.put(message(4))
    tab.wait_for_unread("1")
    wire.post_status = 500
    failed = tab.page.locator(POP_UPS, has_text="Couldn’t save that")
    for _ in range(2):
        tab.run("monitio.markRead(4)")
        tab.wait_for_unread("1")
        expect(failed).to_have_count(1)
    tab.part("bell").click()
    expect(tab.entries().locator("[part=title]")).to_have_text(["M4"])


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


def test_a_plain_entry_is_low_and_seven_are_in_sight(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(*(message(pk, body="Every row was imported.", seen=True) for pk in range(1, 21)))
    tab = open_tab()
    tab.page.set_viewport_size({"width": 1280, "height": 640})
    tab.part("bell").click()
    expect(tab.entries()).to_have_count(20)
    heights = tab.entries().evaluate_all("nodes => nodes.map(node => node.offsetHeight)")
    assert max(heights) <= 72
    inside = """nodes => {
      const { bottom } = nodes[0].closest(".scroll").getBoundingClientRect();
      return nodes.filter(node => node.getBoundingClientRect().bottom <= bottom).length;
    }"""
    assert tab.entries().evaluate_all(inside) >= 7


def test_entries_stand_below_their_day(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, seen=True, created=ago(days=1)), message(2, seen=True))
    tab = open_tab()
    tab.part("bell").click()
    expect(tab.page.locator("monitio-bell li.day")).to_have_text(["Today", "Yesterday"])
    expect(tab.entries().first.locator("time")).to_have_text("now")
    expect(tab.entries().first.locator("time")).to_have_attribute("title", re.compile(r"\d{4}"))


def test_ages_are_updated(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, seen=True))
    tab = open_tab(clock=True)
    tab.part("bell").click()
    expect(tab.entries().locator("time")).to_have_text("now")
    tab.pass_time(130)
    expect(tab.entries().locator("time")).to_have_text(re.compile(r"[23] min"))


def test_a_long_text_is_clamped_until_it_is_expanded(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, seen=True, body="word " * 500), message(2, seen=True, body="short"))
    tab = open_tab()
    tab.part("bell").click()
    expect(tab.part("show-more").first).to_be_hidden()
    entry = tab.entries().last
    box = entry.bounding_box()
    assert box and box["height"] < 120
    entry.get_by_role("button", name="Show more").click()
    box = entry.bounding_box()
    assert box and box["height"] > 300
    expect(entry.get_by_role("button", name="Show less")).to_be_visible()


def test_each_tab_has_its_own_text_when_it_is_empty(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, read=True, seen=True))
    tab = open_tab()
    tab.part("bell").click()
    for name, text in (("Unread", "Nothing unread"), ("Running", "Nothing is running")):
        tab.part("tab").filter(has_text=name).click()
        expect(tab.part("empty")).to_contain_text(text)


def test_the_inbox_can_show_running_tasks_only(wire: Wire, tab: Tab) -> None:
    wire.put(job(4))
    tab.part("tab").filter(has_text="Running").click()
    expect(tab.entries().locator("[part=title]")).to_have_text(["Job"])


def test_the_inbox_can_be_searched(tab: Tab) -> None:
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("bob")
    expect(tab.entries().locator("[part=title]")).to_have_text(["M3"])
    tab.page.keyboard.type("by")
    expect(tab.part("empty")).to_contain_text("Nothing found")


def test_keys_move_read_and_delete(wire: Wire, tab: Tab) -> None:
    for key in "jjek":
        tab.page.keyboard.press(key)
    wait_until(lambda: wire.posted("mark_read/2/"))
    tab.page.keyboard.press("#")
    expect(tab.entries().locator("[part=title]")).to_have_text(["M2", "M1"])
    expect(tab.page.locator("monitio-bell .undo").first).to_contain_text("“M3” deleted")
    tab.page.keyboard.press("j")
    tab.page.keyboard.press("u")
    wait_until(lambda: wire.posted("mark_unread/1/"))


def test_enter_follows_the_link_of_an_entry(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, url="/elsewhere", seen=True))
    tab = open_tab()
    tab.part("bell").click()
    tab.wait_for_focus("h2")
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/elsewhere")


def test_without_a_hotkey_the_inbox_has_no_keys(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, seen=True))
    tab = open_tab(hotkey="")
    tab.part("bell").click()
    tab.wait_for_focus("h2")
    for key in "j#":
        tab.page.keyboard.press(key)
    assert tab.focus() == "h2"
    expect(tab.entries()).to_have_count(1)


def test_the_field_of_a_reply_comes_into_sight(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(*(message(pk, seen=True) for pk in range(2, 40)))
    wire.store(message(1, seen=True, created=ago(days=3), **{"from": "Bob"}))
    tab = open_tab()
    tab.page.set_viewport_size({"width": 1280, "height": 640})
    tab.part("bell").click()
    tab.page.get_by_role("button", name="Reply").click()
    expect(tab.page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)


SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => { for (const { value } of list.getEntries()) shifted += value; })
  .observe({ type: "layout-shift", buffered: true });
"""


def test_the_page_does_not_move_when_the_bells_scripts_load(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, seen=True))
    header = "document.querySelector('header').getBoundingClientRect().height"
    tab = open_tab(init_script=SHIFTS)
    expect(tab.part("badge")).to_have_text("1")
    assert tab.run("shifted") <= 0.005
    height = tab.run(header)
    tab.page.route("**/*.js", lambda route: route.abort())
    tab.page.reload()
    expect(tab.page.locator("monitio-bell a b")).to_have_text("1")
    assert tab.run(header) == height


def test_an_inbox_that_cannot_be_loaded_offline_has_one_line(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.stream_status = 503
    tab.page.route("**/m/json/**", lambda route: route.abort())
    wire.drop()
    wait_until(lambda: tab.pass_time(1) or tab.connection == "offline")
    tab.part("bell").click()
    wait_until(lambda: tab.pass_time(0.1) or tab.part("offline").is_visible())
    tab.pass_time(1)
    expect(tab.part("failed")).to_be_hidden()
