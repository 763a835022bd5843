"""Which messages pop up, for how long, and which do not return."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until

REFUSE_ONE = """() => document.addEventListener(
  "monitio:message", (event) => event.preventDefault(), { once: true })"""


def test_what_was_on_the_screen_is_reported_once_and_does_not_return(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    wait_until(lambda: wire.seen() == [1])
    tab.reload()
    tab.catch_up()
    assert tab.shown() == []
    assert tab.unread() == "1"
    assert wire.seen() == [1]


def test_what_was_missed_pops_up_with_the_page(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, level="warning", url="/x", url_label="Go"))
    tab = open_tab()
    tab.wait_for(1)
    tab.wait_to_receive("Warning: M1")


def test_a_job_changes_in_its_place(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(1, "queued"))
    expect(tab.pop_up(1)).to_contain_text("Waiting")
    node = tab.pop_up(1).element_handle()
    wire.put(job(1, "started", 2, percent=10.0, text="reading"))
    expect(tab.pop_up(1)).to_contain_text("reading10%")
    wire.put(job(1, "retrying", 3))
    expect(tab.pop_up(1)).to_contain_text("Trying again")
    wire.put(job(1, "succeeded", 4, level="success", body="All good"))
    expect(tab.pop_up(1)).to_contain_text("All good")
    expect(tab.pop_up(1).locator("progress")).to_be_hidden()
    assert node.evaluate("node => node.isConnected")


def test_a_bar_in_the_page_follows_its_task(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(1, "started", percent=10.0), job(2, "started", task="T2", percent=70.0))
    bar = tab.page.locator("monitio-progress")
    expect(bar).to_contain_text("10%")
    wire.put(job(1, "succeeded", 2, body="All good"))
    expect(bar).to_contain_text("All good")


def test_a_running_job_is_there_again_after_a_reload(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(1, percent=10.0))
    tab.wait_for(1)
    tab.reload()
    tab.wait_for(1)
    assert wire.seen() == []


def test_a_running_job_that_was_closed_stays_closed_until_its_end(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    wire.put(job(1, percent=10.0))
    tab.wait_for(1)
    tab.close(1)
    tab.wait_for()
    tab.reload()
    wire.put(job(1, seq=3, percent=30.0))
    tab.catch_up()
    assert tab.shown() == []
    wire.put(job(1, "succeeded", 2, level="success", body="done"))
    tab.wait_for(1)


def test_errors_stay_open_and_other_pop_ups_close_by_themselves(
    wire: Wire, open_tab: OpenTab
) -> None:
    # The tab's clock also advances by itself.
    tab = open_tab(clock=True, max=9, duration=20_000)
    wire.put(
        message(1, level="error"),
        message(2, level="warning"),
        message(3, url="/x"),
        message(4),
        job(5),
        message(6, level="error", close_timeout=100),
    )
    tab.wait_for(6, 1, 5, 2, 4, 3)
    tab.pass_time(30)
    tab.wait_for(6, 1, 5, 2, 3)
    tab.pass_time(100)
    tab.wait_for(1, 5, 2, 3)


def test_a_long_text_has_half_a_second_for_each_word(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.put(message(1, title="Long", body="word " * 59))
    tab.wait_for(1)
    tab.pass_time(20)
    assert tab.shown() == [1]
    tab.pass_time(10)
    tab.wait_for()


def test_an_end_that_comes_behind_others_waits_for_room(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True, max=1, duration=60_000)
    wire.put(job(1))
    tab.wait_for(1)
    wire.put(message(2, level="error", close_timeout=100))
    tab.wait_for(2)
    wire.put(job(1, "succeeded", 2, level="success", body="All good"))
    body = "monitio.messages.find(({ id }) => id === 1).body"
    wait_until(lambda: tab.run(body) == "All good")
    tab.pass_time(101)
    expect(tab.pop_up(1)).to_contain_text("All good")


def test_under_the_pointer_time_stops_and_what_is_left_of_it_goes_on(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(clock=True)
    wire.put(message(1, close_timeout=100))
    tab.wait_for(1)
    tab.pass_time(50)
    tab.pop_up(1).hover()
    tab.pass_time(300)
    assert tab.shown() == [1]
    tab.page.mouse.move(5, 5)
    tab.pass_time(10)
    assert tab.shown() == [1]
    tab.pass_time(50)
    tab.wait_for()


def test_in_a_hidden_tab_time_stops(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.put(message(1, close_timeout=100))
    tab.wait_for(1)
    tab.hide()
    tab.pass_time(300)
    assert tab.shown() == [1]
    tab.hide(False)
    tab.pass_time(110)
    tab.wait_for()


def test_pop_ups_stay_open_for_users_who_chose_it(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    tab.open_settings()
    tab.page.get_by_label("Keep pop-ups open").check()
    tab.reload()
    wire.put(message(1, close_timeout=10))
    tab.wait_for(1)
    tab.pass_time(60)
    assert tab.shown() == [1]


def test_a_flood_shows_five_and_the_number_of_the_rest(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(*(message(pk, level="error") for pk in range(1, 121)))
    tab.wait_for(120, 119, 118, 117, 116)
    expect(tab.part("count")).to_have_text("119 more, 119 errors")
    tab.expand()
    expect(tab.part("count")).to_have_text("115 more, 115 errors")
    assert tab.unread() == "99+"
    expect(tab.part("bell")).to_have_accessible_name("Notifications, 99+ unread")


def test_a_flood_is_summed_up_for_screen_readers(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(*(message(pk) for pk in range(1, 81)))
    tab = open_tab()
    tab.wait_to_receive("77 more notifications")
    assert len(tab.announced()) == 4


def test_closing_all_closes_also_what_waited(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(*(message(pk, level="error") for pk in range(1, 21)))
    tab = open_tab()
    tab.wait_for(20, 19, 18, 17, 16)
    tab.expand()
    tab.part("close-all").click()
    tab.wait_for()
    wait_until(lambda: sorted(wire.seen()) == list(range(1, 21)))


def test_closing_in_one_tab_closes_in_the_others(wire: Wire, open_tab: OpenTab) -> None:
    tabs = [open_tab(), open_tab()]
    wire.put(job(1))
    for tab in tabs:
        tab.wait_for(1)
    tabs[0].close(1)
    for tab in tabs:
        tab.wait_for()


def test_a_tab_in_sight_shows_what_another_has_shown_a_moment_before(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    wire.push("message", message(1, level="error"))
    wire.push("message", message(1, level="error", version=2, seen=True))
    tab.catch_up()
    assert tab.shown() == [1]


def test_a_bar_in_sight_shows_its_end_though_another_tab_has_shown_it(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    wire.push("message", job(1))
    tab.wait_for(1)
    wire.push("message", job(1, "succeeded", 3, level="error", body="All good", seen=True))
    tab.catch_up()
    expect(tab.pop_up(1)).to_contain_text("All good")


def test_a_hidden_tab_drops_what_was_seen_elsewhere_and_reports_nothing(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    tab.hide()
    first = message(1, level="error")
    wire.put(first, message(2, level="error"))
    tab.wait_for(2, 1)
    wire.put({**first, "version": 2, "seen": True})
    tab.wait_for(2)
    assert wire.posts == []
    tab.hide(False)
    wait_until(lambda: wire.seen() == [2])


def test_a_message_that_is_removed_once_shown_can_still_be_read(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    wire.put(message(1, persistent=False, level="warning"))
    tab.wait_for(1)
    wait_until(lambda: wire.messages == {})
    tab.catch_up()
    assert tab.shown() == [1]
    assert tab.unread() == ""


def test_following_a_link_marks_its_message_read(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, url="/elsewhere", url_label="Go"))
    tab.pop_up(1).get_by_role("link", name="Go").click()
    tab.page.wait_for_url("**/elsewhere")
    wait_until(lambda: wire.messages[1]["read"])


def test_a_page_may_keep_a_message_from_popping_up(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.run(REFUSE_ONE)
    wire.put(message(1, level="error"))
    tab.catch_up()
    assert tab.shown() == []
    assert tab.unread() == "1"
    assert ["message", 1] in tab.run("events")


@pytest.mark.parametrize("event", ["close", "closeall", "delete", "action"])
def test_a_page_can_prevent_an_action_of_its_user(
    wire: Wire, open_tab: OpenTab, event: str
) -> None:
    tab = open_tab()
    wire.put(message(1, level="error", url="/elsewhere", url_label="Go"), message(2, level="error"))
    tab.wait_for(2, 1)
    wait_until(lambda: sorted(wire.seen()) == [1, 2])
    tab.run(REFUSE_ONE.replace("monitio:message", f"monitio:{event}"))
    if event == "close":
        tab.close(1)
    elif event == "closeall":
        tab.expand()
        tab.part("close-all").click()
    elif event == "action":
        tab.expand()
        tab.pop_up(1).get_by_role("link", name="Go").click()
    else:
        tab.part("bell").click()
        tab.entries().last.get_by_role("button", name="Delete").click()
        expect(tab.entries()).to_have_count(2)
        tab.part("panel-close").click()
    tab.catch_up()
    assert tab.shown() == [2, 1]
    assert tab.unread() == "2"
    assert event in [name for name, _ in tab.run("events")]


def test_the_page_gets_events_of_what_happens(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(1))
    tab.wait_for(1)
    wire.put(job(1, "succeeded", 2, level="error"))
    tab.close(1)
    tab.wait_for()
    received = [tuple(one) for one in tab.run("events")]
    wanted = [("connection", "open"), ("message", 1), ("task", 1), ("unread", 1), ("close", 1)]
    assert [one for one in wanted if one not in received] == []


def test_a_pop_up_never_covers_what_has_the_focus(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.run(
        """() => {
          const low = document.createElement("button");
          low.id = "low";
          low.style.position = "fixed";
          low.style.inset = "auto 30px 20px auto";
          document.body.append(low);
        }"""
    )
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    tab.page.focus("#low")
    parts = (tab.pop_up(1), tab.page.locator("#low"), tab.part("bell"))
    pop_up, low, bell = (tab.box(part) for part in parts)
    assert bell["y"] + bell["height"] <= pop_up["y"]
    assert pop_up["y"] + pop_up["height"] <= low["y"]


def test_what_pops_up_while_the_user_is_idle_is_seen_when_they_return(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(clock=True)
    tab.pass_time(121)
    wire.put(message(1), message(2))
    tab.wait_for(2, 1)
    # Neither reported as seen nor closed while the user is idle.
    tab.pass_time(600)
    assert (wire.seen(), tab.shown()) == ([], [2, 1])
    tab.page.mouse.move(5, 5)
    tab.pass_time(1)
    wait_until(lambda: sorted(wire.seen()) == [1, 2])
    tab.pass_time(30)
    tab.wait_for()


BURST = """(seed) => {
  // Park and Miller's generator: the same burst for the same seed.
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const levels = ["debug", "info", "success", "warning", "error"];
  monitio.closeAll();
  for (let n = 0; n < 100; n++) {
    const level = levels[Math.floor(random() * 5)];
    const running = random() < 0.2;
    monitio.add({ level, title: level, job: running ? { task: `${n}`, state: "started" } : null });
  }
}"""
# The kinds of the shown messages, and of all messages.
KINDS = """() => {
  const kind = ({ level, job }) => job ? 1 : { error: 0, warning: 2 }[level] ?? 3;
  const known = new Map(monitio.messages.map((one) => [one.id, one]));
  const { shadowRoot } = document.querySelector("monitio-messages");
  const shown = [...shadowRoot.querySelectorAll("li[data-id]")]
    .map(({ dataset }) => kind(known.get(+dataset.id)));
  return [shown, monitio.messages.slice(0, 100).map(kind)];
}"""


def test_errors_come_first_then_running_tasks_then_warnings_in_2000_random_messages(
    open_tab: OpenTab,
) -> None:
    tab = open_tab(auto_close="off")
    for seed in range(1, 21):
        tab.page.evaluate(BURST, seed)
        wait_until(lambda: len(tab.shown()) >= 5)
        shown, all_kinds = tab.run(KINDS)
        assert shown == sorted(all_kinds)[: len(shown)]
        errors = all_kinds.count(0) - 1
        expect(tab.part("count")).to_have_text(f"99 more, {errors} errors")
