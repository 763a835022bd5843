"""Every action by keyboard; the focus is never lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, message


@pytest.fixture
def tab(wire: Wire, open_tab: OpenTab) -> Tab:
    """A tab with two pop-ups, and the focus in a field of the page."""
    tab = open_tab()
    tab.page.focus("#field")
    wire.put(message(1, level="error"), message(2, level="error"))
    tab.wait_for(2, 1)
    return tab


def press(tab: Tab, *keys: str) -> None:
    for key in keys:
        tab.page.keyboard.press(key)


def test_a_pop_up_takes_no_focus(tab: Tab) -> None:
    assert tab.focus() == "field"


def test_the_hotkey_goes_to_the_pop_ups_and_back(tab: Tab) -> None:
    press(tab, "F8")
    tab.wait_for_focus("stack")
    press(tab, "F8")
    tab.wait_for_focus("field")


def test_escape_outside_closes_nothing(tab: Tab) -> None:
    press(tab, "Escape")
    tab.catch_up()
    assert tab.shown() == [2, 1]


def test_escape_closes_the_one_with_the_focus_and_goes_to_the_next(tab: Tab) -> None:
    press(tab, "F8", "Tab", "Escape")
    tab.wait_for(1)
    expect(tab.pop_up(1).locator("[part=close]")).to_be_focused()


def test_after_the_last_the_focus_returns_to_where_it_was(tab: Tab) -> None:
    press(tab, "F8", "Tab", "Escape")
    tab.wait_for(1)
    press(tab, "Escape")
    tab.wait_for()
    tab.wait_for_focus("field")


def test_with_the_focus_inside_time_stops(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.put(message(1, close_timeout=100))
    tab.wait_for(1)
    press(tab, "F8")
    tab.pass_time(300)
    assert tab.shown() == [1]
    press(tab, "F8")
    tab.pass_time(110)
    tab.wait_for()


def test_without_a_hotkey_the_key_is_the_pages(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(hotkey="")
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    tab.page.focus("#field")
    press(tab, "F8")
    assert tab.focus() == "field"


def test_the_inbox_opens_on_its_heading_and_hides_the_pop_ups(tab: Tab) -> None:
    tab.part("bell").focus()
    press(tab, "Enter")
    tab.wait_for_focus("h2")
    tab.wait_for()


def test_escape_closes_the_inbox_and_returns_to_the_bell(tab: Tab) -> None:
    tab.part("bell").focus()
    press(tab, "Enter")
    tab.wait_for_focus("h2")
    press(tab, "Escape")
    tab.wait_for_focus("bell")
    tab.wait_for(2, 1)


def test_deleting_an_entry_goes_to_the_next(tab: Tab) -> None:
    tab.part("bell").focus()
    press(tab, "Enter")
    tab.wait_for_focus("h2")
    tab.entries().first.get_by_role("button", name="Delete").focus()
    press(tab, "Enter")
    expect(tab.entries()).to_have_count(1)
    tab.wait_for_focus("mark-read")


def test_deleting_the_last_entry_goes_to_the_heading(tab: Tab) -> None:
    tab.part("bell").focus()
    press(tab, "Enter")
    for left in (1, 0):
        tab.entries().first.get_by_role("button", name="Delete").focus()
        press(tab, "Enter")
        expect(tab.entries()).to_have_count(left)
    tab.wait_for_focus("h2")
