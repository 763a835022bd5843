"""Appearance follows the page and the user's preferences, and targets are large enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from tests.conftest import needs_packages
from tests.e2e.browser.conftest import TIMEOUT, OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until

# A click on the label hits its checkbox.
SMALL = """roots => roots.flatMap(root => [...root.querySelectorAll("button, a, label, textarea")])
  .map(node => [node.getAttribute("part") ?? node.localName, node.getBoundingClientRect()])
  .filter(([, { width, height }]) => width && (width < LEAST || height < LEAST))
  .map(([name]) => name)"""
WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 3


@pytest.fixture
def tab(wire: Wire, open_tab: OpenTab) -> Tab:
    wire.store(
        message(1, level="error", title=LONG, body=LONG, url="/x", url_label="Go"),
        job(2, percent=42.0, cancel=True, text=LONG),
        message(3, level="warning", **{"from": "Bob"}),
    )
    return open_tab()


def style(tab: Tab, part: str, name: str) -> str:
    found: str = tab.part(part).first.evaluate(f"node => getComputedStyle(node).{name}")
    return found


def too_small(tab: Tab, least: int) -> list[str]:
    roots = tab.page.locator("[part=stack]:popover-open, [part=panel]:popover-open")
    names: list[str] = roots.evaluate_all(SMALL.replace("LEAST", str(least)))
    return names


def test_targets_are_at_least_24_pixels(tab: Tab) -> None:
    tab.wait_for(1, 2, 3)
    assert too_small(tab, 24) == []
    tab.part("bell").click()
    expect(tab.entries()).to_have_count(3)
    assert too_small(tab, 24) == []


@pytest.fixture
def touched(browser: Browser, wire: Wire) -> Iterator[Tab]:
    """A tab on a touch screen."""
    wire.head = '<meta name="viewport" content="width=device-width">'
    wire.store(
        message(1, level="error", url="/x", url_label="Go"),
        job(2, percent=42.0, cancel=True),
        message(3, level="warning", **{"from": "Bob"}),
    )
    context = browser.new_context(
        has_touch=True, is_mobile=True, viewport={"width": 360, "height": 640}, locale="en-GB"
    )
    context.set_default_timeout(TIMEOUT)
    yield Tab(context, wire, []).open()
    context.close()


def test_under_a_finger_targets_are_at_least_44_pixels(touched: Tab) -> None:
    assert touched.run("matchMedia('(pointer: coarse)').matches")
    touched.wait_for(1, 2, 3)
    assert too_small(touched, 44) == []
    touched.part("bell").tap()
    expect(touched.entries()).to_have_count(3)
    touched.page.get_by_role("button", name="Actions: M3").tap()
    touched.page.get_by_role("button", name="Reply").tap()
    expect(touched.page.get_by_role("button", name="Send")).to_be_visible()
    assert too_small(touched, 44) == []
    box = touched.box(touched.part("bell"))
    assert box["width"] >= 44 and box["height"] >= 44


@pytest.fixture
def phone(context: BrowserContext, tab: Tab) -> Tab:
    session = context.new_cdp_session(tab.page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1})
    tab.page.set_viewport_size({"width": 320, "height": 640})
    return tab


def test_on_a_narrow_screen_nothing_overflows(phone: Tab) -> None:
    phone.wait_for(1, 2, 3)
    assert not phone.run(WIDE)
    for box in (phone.box(phone.pop_up(pk)) for pk in (1, 2, 3)):
        assert box["x"] >= 0 and box["x"] + box["width"] <= 320
    phone.part("bell").click()
    panel = phone.box(phone.part("panel"))
    assert panel["x"] == 0 and panel["width"] == 320
    assert (
        phone.run(
            "document.querySelector('monitio-bell').shadowRoot.querySelector('.scroll').scrollWidth"
        )
        <= 320
    )


def test_a_phone_shows_three_at_once(touched: Tab) -> None:
    touched.wire.put(message(4, level="error"), message(5, level="error"))
    touched.wait_for(5, 4, 1)
    expect(touched.part("count")).to_have_text("4 more, 2 errors")


@pytest.mark.parametrize("placement", ["top-start", "top-end", "bottom-start", "bottom-center"])
def test_the_page_sets_the_placement_of_pop_ups(
    wire: Wire, open_tab: OpenTab, placement: str
) -> None:
    tab = open_tab(placement=placement)
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    box, bell = tab.box(tab.pop_up(1)), tab.box(tab.part("bell"))
    block, inline = placement.split("-")
    left, right = box["x"], 1100 - box["x"] - box["width"]
    assert {"start": left < 50, "end": right < 50, "center": abs(left - right) < 2}[inline]
    if block == "top":
        assert bell["y"] + bell["height"] <= box["y"] < 100
    else:
        assert box["y"] + box["height"] > 700


def test_dark_follows_the_page_and_not_the_system(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1, level="error"))
    tab = open_tab()
    tab.wait_for(1)
    light = style(tab, "stack", "color")
    tab.page.emulate_media(color_scheme="dark")
    assert style(tab, "stack", "color") == light
    tab.run("document.documentElement.style.colorScheme = 'light dark'")
    assert style(tab, "stack", "color") != light


def test_from_right_to_left_everything_is_on_the_other_side(wire: Wire, open_tab: OpenTab) -> None:
    wire.root = ' dir="rtl"'
    wire.store(job(1, percent=42.0))
    tab = open_tab()
    tab.wait_for(1)
    assert tab.box(tab.pop_up(1))["x"] < 50
    icon, close = tab.pop_up(1).locator("[part=icon]"), tab.pop_up(1).locator("[part=close]")
    assert tab.box(icon)["x"] > tab.box(close)["x"]
    tab.part("bell").click()
    panel = tab.box(tab.part("panel"))
    assert panel["x"] >= 0 and panel["x"] + panel["width"] <= 1100


def test_with_forced_colours_edges_and_progress_stay_visible(tab: Tab) -> None:
    tab.page.emulate_media(forced_colors="active")
    tab.wait_for(1, 2, 3)
    assert style(tab, "close", "borderTopColor") == style(tab, "close", "color")
    bar = tab.pop_up(2).locator("progress")
    assert bar.evaluate("node => getComputedStyle(node).forcedColorAdjust") == "auto"


def test_users_who_prefer_reduced_motion_get_no_animation(tab: Tab) -> None:
    tab.page.emulate_media(reduced_motion="reduce")
    tab.wait_for(1, 2, 3)
    moving = "node => node.getAnimations({ subtree: true }).length"
    assert tab.part("stack").evaluate(moving) == 0


def test_under_the_pointer_the_actions_of_an_entry_replace_its_age(tab: Tab) -> None:
    tab.part("bell").click()
    entry = tab.entries().filter(has_text="Bob")
    expect(entry.locator(".when")).to_have_css("opacity", "1")
    entry.hover()
    expect(entry.locator(".when")).to_have_css("opacity", "0")
    expect(entry.locator(".tools")).to_have_css("opacity", "1")


def test_a_sender_has_a_picture_in_the_inbox_or_their_initials(
    wire: Wire, open_tab: OpenTab
) -> None:
    wire.head = "<meta name=theme-color>"  # without a policy, which keeps out data:
    svg = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"
    pictures = {1: svg, 2: "/missing.png", 3: svg, 4: svg}

    def sent(pk: int, **fields: Any) -> dict[str, Any]:
        return message(pk, seen=True, **{"from": "Bob", "avatar": pictures[pk], **fields})

    wire.store(*map(sent, pictures))
    tab = open_tab()
    tab.part("bell").click()

    def picture(pk: int) -> Locator:
        return tab.entries().filter(has_text=f"M{pk}").locator("img")

    expect(picture(1)).to_have_css("width", "28px")
    expect(picture(2)).to_be_hidden()
    expect(tab.entries().filter(has_text="M2").locator(".face")).to_have_text("B")
    # A later picture is missing; and then a snapshot removes it.
    wire.put(sent(3, version=2, avatar="/missing.png"))
    wire.store(sent(4, avatar=None))
    wire.drop()
    for pk in (3, 4):
        expect(picture(pk)).to_be_hidden()
    expect(picture(1)).to_be_visible()


def test_on_paper_there_are_no_pop_ups(tab: Tab) -> None:
    tab.wait_for(1, 2, 3)
    tab.page.emulate_media(media="print")
    expect(tab.pop_up(1)).to_be_hidden()
    expect(tab.part("bell")).to_be_hidden()


def test_a_rule_of_the_page_wins(wire: Wire, open_tab: OpenTab) -> None:
    wire.head = "<style>::part(toast) { background: rgb(1, 2, 3) }</style>"
    wire.store(message(1, level="error"))
    tab = open_tab()
    tab.wait_for(1)
    assert (
        tab.pop_up(1).evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(1, 2, 3)"
    )


def test_the_density_makes_pop_ups_and_entries_higher_or_lower(
    wire: Wire, open_tab: OpenTab
) -> None:
    wire.store(message(1, level="error"))
    tab = open_tab(auto_close="off")
    tab.wait_for(1)

    def heights(node: Locator) -> list[float]:
        found = []
        for density in (0.75, 1, 1.25):
            tab.run(f"document.body.style.setProperty('--monitio-density', '{density}')")
            found.append(tab.box(node)["height"])
        return found

    # Twice 11 and twice 9 pixels of padding.
    low, plain, high = heights(tab.pop_up(1))
    assert (plain - low, high - plain) == pytest.approx((5.5, 5.5), abs=0.1)
    tab.part("bell").click()
    low, plain, high = heights(tab.entries().first)
    assert (plain - low, high - plain) == pytest.approx((4.5, 4.5), abs=0.1)


def test_the_title_shows_the_unread_count_and_removes_it(wire: Wire, open_tab: OpenTab) -> None:
    wire.store(message(1), message(2))
    tab = open_tab(title_badge="")
    expect(tab.page).to_have_title("(2) Page")
    tab.run("monitio.markRead('all')")
    expect(tab.page).to_have_title("Page")


BADGES = """
window.badges = [];
Navigator.prototype.setAppBadge = async (count) => { badges.push(count); };
"""


def test_the_icon_of_the_app_shows_the_unread_count_and_removes_it(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(init_script=BADGES, app_badge="")
    wire.put(message(1, level="error"), message(2, level="error"))
    wait_until(lambda: tab.run("badges.at(-1)") == 2)
    tab.run("monitio.markRead('all')")
    wait_until(lambda: tab.run("badges.at(-1)") == 0)


def test_the_icon_of_the_app_does_not_count_unless_the_page_sets_it(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab(init_script=BADGES)
    wire.put(message(1, level="error"))
    tab.wait_for_unread("1")
    assert tab.run("badges") == []


SYSTEM = """
window.notified = [];
window.Notification = class {
  static permission = "default";
  static async requestPermission() { return (this.permission = "granted"); }
  constructor(title, options) { notified.push([title, options.body]); }
};
"""


def test_one_desktop_notification_is_shown_when_all_tabs_are_hidden(
    wire: Wire, open_tab: OpenTab
) -> None:
    tabs = [open_tab(init_script=SYSTEM, system_notifications="") for _ in range(2)]
    for tab in tabs:
        tab.open_settings()
        tab.page.get_by_label("Show desktop notifications").check()
        tab.part("panel-close").click()

    def notified() -> list[Any]:
        return [one for tab in tabs for one in tab.run("notified")]

    tabs[0].hide()
    wire.put(message(1, level="error"))
    for tab in tabs:
        tab.wait_for(1)
    tabs[1].hide()
    wire.put(message(2, level="error", body="Out of sight"))
    wait_until(notified)
    tabs[0].catch_up()
    assert notified() == [["M2", "Out of sight"]]


def test_a_user_who_denies_permission_gets_no_desktop_notification(
    wire: Wire, open_tab: OpenTab
) -> None:
    denied = SYSTEM.replace('"granted"', '"denied"')
    tab = open_tab(init_script=denied, system_notifications="")
    tab.open_settings()
    box = tab.page.get_by_label("Show desktop notifications")
    box.click()
    expect(box).not_to_be_checked()
    tab.part("panel-close").click()
    tab.hide()
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    tab.catch_up()
    assert tab.run("notified") == []


def test_desktop_notifications_are_offered_only_if_the_page_sets_it(open_tab: OpenTab) -> None:
    tab = open_tab(init_script=SYSTEM)
    tab.open_settings()
    expect(tab.page.get_by_label("Keep pop-ups open")).to_be_visible()
    expect(tab.page.get_by_label("Show desktop notifications")).to_be_hidden()


@pytest.mark.parametrize("version", ["3", "4"])
def test_the_legacy_list_closes_with_the_pages_jquery(
    wire: Wire, open_tab: OpenTab, version: str
) -> None:
    needs_packages()
    wire.head = (
        f'<script src="/npm/jquery{version}/dist/jquery.js"></script>'
        '<script src="/static/monitio/messages.jquery.js" defer></script>'
    )
    wire.store(*(message(pk, seen=True) for pk in (1, 2, 3)))
    tab = open_tab()
    tab.run(
        """() => {
          const links = (pk) => `<li>M${pk}
            <a class="monitio-close" href="/m/mark_read/${pk}/">close</a>
            <a class="monitio-delete" href="/m/delete/message/${pk}/">delete</a></li>`;
          document.body.insertAdjacentHTML("beforeend",
            `<ul class="monitio-jquery" data-csrf="token">${[1, 2, 3].map(links).join("")}</ul>`);
        }"""
    )
    items = tab.page.locator(".monitio-jquery li")
    items.nth(0).get_by_text("close").click()
    expect(items).to_have_count(2)
    items.nth(0).get_by_text("delete").click()
    expect(items).to_have_count(1)
    assert [path for path, _ in wire.posts] == ["mark_read/1/", "delete/message/2/"]
    wire.post_status = 500
    items.nth(0).get_by_text("close").click()
    tab.page.wait_for_url("**/m/mark_read/3/")
