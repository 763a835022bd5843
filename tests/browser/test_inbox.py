"""The bell and its inbox."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.browser.wire import Wire, job, message


@pytest.fixture
def tab(wire: Wire, open_tab: OpenTab) -> Tab:
    """An open inbox with a read and two unread messages."""
    wire.store(message(1, read=True, seen=True), message(2), message(3, **{"from": "Bob"}))
    tab = open_tab()
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


def test_only_what_somebody_sent_can_be_answered(tab: Tab) -> None:
    answers = tab.page.get_by_role("link", name="Reply")
    expect(answers).to_have_count(1)
    expect(answers).to_have_attribute("href", "/m/reply/3/")


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
