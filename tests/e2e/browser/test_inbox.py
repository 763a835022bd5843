"""The bell and its inbox."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until

# Something of the page's own inside the bell's element.
SLOTTED = """([slot, textContent]) => document.querySelector("monitio-bell")
  .append(Object.assign(document.createElement("b"), { slot, textContent }))"""


@pytest.fixture
def tab(wire: Wire, open_tab: OpenTab) -> Tab:
    """An open inbox with a read and two unread messages."""
    wire.store(message(1, read=True, seen=True), message(2), message(3, **{"from": "Bob"}))
    tab = open_tab(auto_close="off")
    tab.part("bell").click()
    return tab


def test_the_newest_comes_first(tab: Tab) -> None:
    expect(tab.entries().locator("[part=title]")).to_have_text(["M3", "M2", "M1"])


def test_the_bell_is_named_with_its_number(tab: Tab) -> None:
    expect(tab.part("bell")).to_have_accessible_name("Notifications, 2 unread")


def test_unread_ones_can_be_had_alone(tab: Tab) -> None:
    tab.page.get_by_role("button", name="Unread", exact=True).click()
    expect(tab.entries().locator("[part=title]")).to_have_text(["M3", "M2"])


def test_marking_one_read_counts_down(tab: Tab) -> None:
    tab.entries().first.get_by_role("button", name="Mark as read").click()
    tab.wait_for_unread("1")
    expect(tab.page.locator("monitio-bell li.unread")).to_have_count(1)


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


def test_the_page_may_bring_its_own_icon(open_tab: OpenTab) -> None:
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
    tab.wait_to_receive("That didn’t work")
    field = tab.page.get_by_role("textbox", name="Your reply")
    expect(field).to_have_value("Thanks")
    expect(tab.page.get_by_role("button", name="Send")).to_be_enabled()


def test_news_do_not_disturb_who_writes_an_answer(wire: Wire, tab: Tab) -> None:
    tab.page.get_by_role("button", name="Reply").click()
    tab.page.keyboard.type("Than")
    wire.put(message(4))
    expect(tab.entries()).to_have_count(4)
    tab.page.keyboard.type("ks")
    expect(tab.page.get_by_role("textbox", name="Your reply")).to_have_value("Thanks")


def delete_first(tab: Tab) -> None:
    tab.entries().first.get_by_role("button", name="Delete").click()


def test_a_deletion_can_be_taken_back(wire: Wire, tab: Tab) -> None:
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
    # The tab's time goes on by itself as well.
    tab.pass_time(3)
    assert wire.deleted() == []
    tab.pass_time(8)
    wait_until(lambda: wire.deleted() == [2])
    expect(tab.part("undo")).to_be_hidden()


def test_the_next_deletion_makes_the_one_before_final(wire: Wire, tab: Tab) -> None:
    delete_first(tab)
    delete_first(tab)
    wait_until(lambda: wire.deleted() == [3])
    tab.part("undo").click()
    expect(tab.entries()).to_have_count(2)
    assert wire.deleted() == [3]


def test_who_leaves_the_page_has_deleted(wire: Wire, tab: Tab) -> None:
    delete_first(tab)
    tab.page.goto(f"{wire.url}/elsewhere")
    wait_until(lambda: wire.deleted() == [3])


def test_a_deletion_that_fails_is_undone_and_announced(wire: Wire, tab: Tab) -> None:
    wire.post_status = 500
    delete_first(tab)
    delete_first(tab)
    tab.wait_to_receive("That didn’t work")
    expect(tab.entries().locator("[part=title]")).to_have_text(["M3", "M1"])
    tab.wait_for_unread("1")


def test_a_job_shows_its_time_left_and_rate(wire: Wire, tab: Tab) -> None:
    wire.put(job(4, percent=42.5, eta=170, rate=119.7))
    expect(tab.entries().first).to_contain_text("42% · about 3 min left · 120/s")
    wire.put(job(4, version=2, percent=42.5, eta=None, rate=None))
    expect(tab.entries().first.locator(".meta").first).to_have_text("42%")


def test_a_job_that_can_be_cancelled_has_a_button_for_it(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(4, cancel=True), job(5))
    cancel = tab.pop_up(4).get_by_role("button", name="Cancel Job")
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
    tab.wait_to_receive("That didn’t work")
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
