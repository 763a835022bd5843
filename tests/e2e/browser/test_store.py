"""The page's state after messages that arrive late, twice, in any order or not at all."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until


def test_an_older_version_changes_nothing(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.push("message", message(1, version=3, title="new", level="error"))
    wire.push("message", message(1, version=2, title="old", level="error"))
    tab.catch_up()
    expect(tab.pop_up(1)).to_contain_text("new")


def test_in_the_same_version_the_larger_seq_wins(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.push("message", job(1, seq=5, percent=50.0))
    wire.push("message", job(1, seq=4, percent=40.0))
    tab.catch_up()
    expect(tab.pop_up(1)).to_contain_text("50%")


def test_a_deleted_message_never_returns(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    wire.delete(1)
    wire.push("message", message(1, version=9, level="error"))
    tab.catch_up()
    assert tab.shown() == []
    assert tab.unread() == ""


def test_after_a_gap_the_page_shows_what_a_reload_would(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"), message(2, level="error"))
    tab.wait_for(2, 1)
    wire.lose(1)
    wire.store(message(3, level="error"))
    wire.drop()
    tab.wait_for(3, 2)
    assert tab.unread() == "2"


def test_a_second_snapshot_on_the_same_stream_replaces_the_state(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"), message(2, level="error"))
    tab.wait_for(2, 1)
    wire.lose(2)
    wire.push("snapshot", wire.snapshot())
    tab.wait_for(1)
    assert tab.unread() == "1"


def test_a_capped_count_changes_with_snapshots_alone(wire: Wire, open_tab: OpenTab) -> None:
    wire.most = 2
    wire.store(*(message(pk, level="error") for pk in range(1, 4)))
    tab = open_tab()
    wire.put(message(4, level="error"))
    tab.wait_for(4, 3, 2, 1)
    assert tab.unread() == "2"
    wire.most = 9
    wire.push("snapshot", wire.snapshot())
    tab.wait_for_unread("4")


def test_an_expired_message_is_removed(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.put(message(1, level="error", expires_in=600), message(2, level="error"))
    tab.wait_for(2, 1)
    wait_until(lambda: sorted(wire.seen()) == [1, 2])
    tab.catch_up()
    tab.pass_time(601)
    tab.wait_for(2)
    assert tab.unread() == "1"


def test_older_pages_are_loaded_and_kept_in_step(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(*(message(pk, read=True, seen=True) for pk in range(1, 251)))
    tab = open_tab()
    tab.part("bell").click()
    expect(tab.entries()).to_have_count(100)
    known = "monitio.messages.length"
    older = tab.part("older")
    # Not click(), which scrolls first: scrolling loads pages, too.
    older.evaluate("node => node.click()")
    wait_until(lambda: tab.run(known) >= 200)
    wire.lose(140, 30)
    wire.drop()
    # 140 was deleted from the second page, so a message of the third moved up.
    expect(tab.page.get_by_text("M140", exact=True)).to_have_count(0)

    def all_are_loaded() -> bool:
        older.evaluate("node => node.scrollIntoView()")
        return tab.run(known) == 248 and older.is_hidden()

    wait_until(all_are_loaded)
    # Only the visible part of a long list is in the document.
    expect(tab.entries().last).to_contain_text("M1")
    assert tab.entries().count() <= 200


def test_reading_shows_at_once_in_every_tab(wire: Wire, open_tab: OpenTab) -> None:
    tabs = [open_tab(), open_tab()]
    wire.put(message(1, level="error"), message(2, level="error"))
    for tab in tabs:
        tab.wait_for(2, 1)
    tabs[0].run("monitio.markRead(1)")
    for tab in tabs:
        tab.wait_for(2)
        tab.wait_for_unread("1")


def test_deleting_shows_at_once_in_every_tab(wire: Wire, open_tab: OpenTab) -> None:
    tabs = [open_tab(), open_tab()]
    wire.put(message(1, level="error"), message(2, level="error"))
    for tab in tabs:
        tab.wait_for(2, 1)
    tabs[0].run("monitio.remove(2)")
    for tab in tabs:
        tab.wait_for(1)
        tab.wait_for_unread("1")


def test_reading_is_undone_when_the_server_fails(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"), message(2, level="error"))
    tab.wait_for_unread("2")
    # Said in one breath with these, the failure could be summed up as one of "2 more".
    tab.wait_to_receive("Error: M2")
    wire.post_status = 500
    tab.run("monitio.markRead(1)")
    tab.wait_to_receive("Couldn’t save that")
    tab.wait_for_unread("2")
    assert tab.run("monitio.messages.filter(({ read }) => read).length") == 0


def test_deleting_is_undone_when_the_server_fails(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"), message(2, level="error"))
    tab.wait_for_unread("2")
    # Said in one breath with these, the failure could be summed up as one of "2 more".
    tab.wait_to_receive("Error: M2")
    wire.post_status = 500
    tab.run("monitio.remove('all')")
    tab.wait_to_receive("Couldn’t save that")
    tab.wait_for_unread("2")
    wire.put(message(1, version=2, level="error", title="still there"))
    there = "monitio.messages.map(({ title }) => title)"
    wait_until(lambda: sorted(tab.run(there)) == ["M2", "still there"])


def test_a_page_may_add_change_and_close_messages_of_its_own(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    own = tab.run("monitio.add({ level: 'info', title: 'Copied', timeout: 0 })")
    assert own < 0
    tab.wait_for(own)
    tab.run(f"monitio.update({own}, {{ title: 'Copied twice' }})")
    expect(tab.pop_up(own)).to_contain_text("Copied twice")
    tab.run(f"monitio.close({own})")
    tab.wait_for()
    assert wire.posts == []


def test_a_message_of_the_response_itself_is_never_reported(wire: Wire, open_tab: OpenTab) -> None:
    wire.flash.append(message(None, title="Saved.", level="error"))
    tab = open_tab()
    expect(tab.page.locator("li.toast")).to_contain_text("Saved.")
    wire.put(message(7, level="error"))
    tab.wait_for(7, -1)
    tab.close(-1)
    tab.close(7)
    tab.wait_for()
    wait_until(lambda: wire.seen() == [7])
