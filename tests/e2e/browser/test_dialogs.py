"""Pop-ups above a modal dialog, which makes everything else inert, stay visible and usable."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, message
from tests.support.waiting import wait_until

DIALOGS = """() => {
  for (const id of ["first", "second"]) {
    const dialog = document.createElement("dialog");
    dialog.id = id;
    dialog.append(document.createElement("input"));
    document.body.prepend(dialog);
  }
}"""
NO_MOVE = "delete Element.prototype.moveBefore"


@pytest.fixture(params=["", NO_MOVE], ids=["moveBefore", "insertBefore"])
def tab(request: pytest.FixtureRequest, wire: Wire, open_tab: OpenTab) -> Tab:
    """A page with a message and two dialogs, both before the pop-ups in the document."""
    tab = open_tab(init_script=request.param)
    tab.run(DIALOGS)
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    return tab


def home(tab: Tab) -> str:
    parent: str = tab.run("document.querySelector('monitio-messages').parentNode.id")
    return parent


def show(tab: Tab, *ids: str) -> None:
    for one in ids:
        tab.run(f"document.getElementById('{one}').showModal()")


def is_on_top(tab: Tab, pk: int) -> bool:
    """Whether a click in the middle of the pop-up hits it."""
    on_top: bool = tab.pop_up(pk).evaluate(
        """node => {
          const { left, top, width, height } = node.getBoundingClientRect();
          const root = node.getRootNode();
          return node.contains(root.elementFromPoint(left + width / 2, top + height / 2));
        }"""
    )
    return on_top


def test_a_pop_up_can_be_closed_above_a_dialog(tab: Tab) -> None:
    show(tab, "first")
    wait_until(lambda: is_on_top(tab, 1), message="the pop-up above the dialog")
    tab.close(1)
    tab.wait_for()


def test_what_arrives_is_announced_and_seen_above_a_dialog(wire: Wire, tab: Tab) -> None:
    show(tab, "first")
    wire.put(message(2, level="error"))
    # By role: an inert element has none. First, because the text is removed after some seconds.
    expect(tab.page.get_by_role("alert").filter(has_text="M2")).to_have_count(1)
    tab.wait_to_receive("Error: M2")
    tab.wait_for(2, 1)
    wait_until(lambda: is_on_top(tab, 2), message="the pop-up above the dialog")


def test_the_topmost_dialog_has_them_and_then_the_one_below(tab: Tab) -> None:
    # The dialog opened second comes first in the document.
    show(tab, "first", "second")
    tab.wait_for(1)
    assert home(tab) == "second"
    tab.run("document.getElementById('second').close()")
    tab.wait_for(1)
    assert home(tab) == "first"


def test_after_the_dialog_they_are_where_they_were(wire: Wire, tab: Tab) -> None:
    before = tab.run("[...document.body.children].map(({ localName }) => localName)")
    show(tab, "first")
    tab.run("document.getElementById('first').close()")
    tab.wait_for(1)
    assert tab.run("[...document.body.children].map(({ localName }) => localName)") == before
    wire.put(message(2, level="error"))
    tab.wait_for(2, 1)
    assert wire.stream_requests == 1


def test_removing_a_dialog_removes_no_pop_up(wire: Wire, tab: Tab) -> None:
    show(tab, "first")
    assert home(tab) == "first"
    tab.run("document.getElementById('first').remove()")
    tab.wait_for(1)
    wire.put(message(2, level="error"))
    tab.wait_for(2, 1)
    assert wire.stream_requests == 1
