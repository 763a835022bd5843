"""The positions of elements in 22 scenes, to two pixels.

Each scene in a window of 1280 pixels, light and dark, and on a phone, in the tests' font. After an
intended change of the design, ``BOXES=new`` in the environment stores them again in ``boxes.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from monitio.stream.broadcaster import get_broadcaster
from tests.conftest import needs_packages
from tests.e2e.browser import looks
from tests.e2e.browser.conftest import TIMEOUT, OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.people import user
from tests.support.waiting import wait_until

# For each box: name, x, y, width, height.
Boxes = list[Any]
STORED = Path(__file__).with_name("boxes.json")
BOOTSTRAP = Path(__file__).resolve().parents[3] / "node_modules/bootstrap/dist/css"
# Rules that CSS frameworks apply to every element.
PREFLIGHT = """*, ::before, ::after { box-sizing: border-box; margin: 0; padding: 0; border: 0 }
button, input, textarea { font: inherit; color: inherit; background: transparent }
ol, ul { list-style: none } a { color: inherit; text-decoration: inherit }
img, svg { display: block; vertical-align: middle } html { line-height: 1.5 }"""
BOXES = """names => [document, ...[...document.querySelectorAll("monitio-messages, monitio-bell")]
    .map(({ shadowRoot }) => shadowRoot)]
  .flatMap((root) => [...root?.querySelectorAll(names) ?? []])
  .filter(node => node.checkVisibility({ visibilityProperty: true }))
  .map(node => [node.className.split(" ")[0], node.getBoundingClientRect()])
  .filter(([, { width }]) => width)
  .map(([name, { x, y, width, height }]) => [name, ...[x, y, width, height].map(Math.round)])"""
NAMES = (
    "li.item, li.task, li.entry, li.day, .item > .icon, progress, .close, .panel, .tab:first-child,"
    " .panel-close, .undo:has(.dismiss), .note, .footer, h2, .title, .body, .action"
)
# Boxes of pages and of e-mails. Without ages, whose width changes.
PAGE_NAMES = (
    "h1, h2, header > *, main, .monitio-nav > a, .monitio-find, .monitio-tool, .monitio-row,"
    " .monitio-card, .monitio-tile, .monitio-title a, .monitio-line, .monitio-button, progress,"
    " .monitio-link, .monitio-kind, .monitio-buttons, .monitio-empty, legend, label, th, select,"
    " textarea, input:not([type=hidden]), .hero p, .card, .card > *"
)
EMAIL_NAMES = ".m-card, .m-brand, .m-foot, h1, h2, .m-button, .m-facts, .m-line, [class^=m-]"


def some_pop_ups(tab: Tab) -> None:
    tab.wire.put(
        job(1, percent=40.0, cancel=True, text="8,000 of 20,000 rows"),
        message(2, level="success", body="1,204 rows.", url="/x", url_label="Open"),
        message(3, level="error", body="Three have no date.", url="/x", url_label="Show"),
        message(4),
    )
    tab.wait_for(3, 1, 4, 2)


def resting(tab: Tab) -> None:
    some_pop_ups(tab)


def opened(tab: Tab) -> None:
    some_pop_ups(tab)
    tab.page.keyboard.press("F8")
    expect(tab.page.locator(".stack.resting")).to_have_count(0)


def many_tasks(tab: Tab) -> None:
    states = ("started", "started", "retrying", "queued")
    tab.wire.put(*(job(pk, state, task=f"{pk}") for pk, state in enumerate(states, 1)))
    expect(tab.page.locator("[part~=tasks] li")).to_have_count(4)


def inbox(tab: Tab) -> None:
    tab.wire.put(
        message(1, seen=True, read=True),
        message(2, seen=True, body="Short."),
        message(3, seen=True, level="error", body="Short.", url="/x", url_label="Show"),
        message(4, seen=True, **{"from": "Maria Keller"}),
        job(5, percent=42.0, seen=True, text="Week 22 of 52"),
    )
    tab.part("bell").click()
    expect(tab.entries()).to_have_count(5)
    tab.wait_for_focus("h2")


def undo(tab: Tab) -> None:
    inbox(tab)
    tab.entries().first.get_by_role("button", name="Delete").click()
    expect(tab.part("dismiss")).to_be_visible()


def failed(tab: Tab) -> None:
    inbox(tab)
    tab.wire.post_status = 500
    tab.entries().nth(1).get_by_role("button", name="Mark as read").click()
    expect(tab.part("failed")).to_be_visible()


def settings(tab: Tab) -> None:
    inbox(tab)
    tab.part("settings").click()


def empty(tab: Tab) -> None:
    tab.part("bell").click()
    tab.wait_for_focus("h2")


SCENES: dict[str, Callable[[Tab], None]] = {
    scene.__name__: scene
    for scene in (resting, opened, many_tasks, inbox, undo, failed, settings, empty)
}


def boxes(page: Page, width: int, names: str = NAMES) -> Boxes:
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    found: Boxes = page.evaluate(BOXES, names)
    return found


def check(page: Page, scene: str, widths: tuple[int, int], names: str = NAMES) -> Boxes:
    """Compare the boxes with the stored ones, or store them. Returns those of 1280 pixels."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    if os.environ.get("BOXES") == "new":
        stored[scene] = {f"{width}": boxes(page, width, names) for width in widths}
        text = json.dumps(stored, sort_keys=True)
        STORED.write_text(text.replace(", [", ",\n[").replace("]], ", "]],\n") + "\n")
    for width in widths:
        wait_for_boxes(page, width, stored[scene][f"{width}"], names)
    return boxes(page, 1280, names)


def wait_for_boxes(
    page: Page, width: int, wanted: Boxes, names: str = NAMES, *, moved: bool = False
) -> None:
    """Wait: fonts, style sheets and scripts may still be loading on a busy machine."""
    found: list[str] = []

    def are_there() -> bool:
        found[:] = differences(boxes(page, width, names), wanted, moved=moved)
        return not found

    wait_until(are_there, 20, lambda: f"{width} pixels: " + "\n".join(found))


def check_page(page: Page, scene: str, names: str) -> None:
    """Check the light page and the phone's page; the dark page has the boxes of the light one."""
    light = check(page, scene, (390, 1280), names)
    assert len(light) > 3
    page.emulate_media(color_scheme="dark")
    wait_for_boxes(page, 1280, light, names)


@pytest.mark.parametrize("scene", SCENES)
def test_every_box_is_where_it_was_designed_to_be(
    wire: Wire, open_tab: OpenTab, scene: str
) -> None:
    needs_packages()
    # Without a policy, which would block the style sheets below.
    wire.head = "<style>body { margin: 8px }</style>"
    # Phones show fewer pop-ups by default; the number is tested elsewhere.
    tab = open_tab(auto_close="off", max=4)
    looks.use_font(tab.page)
    tab.page.emulate_media(reduced_motion="reduce")
    SCENES[scene](tab)
    light = check(tab.page, scene, (1280, 390))
    # The dark mode and a framework's style sheet do not change the boxes.
    tab.run("document.documentElement.style.colorScheme = 'dark'")
    wait_for_boxes(tab.page, 1280, light)
    for css in (PREFLIGHT, (BOOTSTRAP / "bootstrap-reboot.css").read_text()):
        sheet = tab.page.add_style_tag(content=css + "body { margin: 8px; font-size: 16px }")
        # The page may be higher; only positions relative to the bell are compared.
        wait_for_boxes(tab.page, 1280, light, moved=True)
        sheet.evaluate("node => node.remove()")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # The sites' policies do not allow the tests' font.
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", bypass_csp=True)
    context.set_default_timeout(TIMEOUT)
    yield context.new_page()
    context.close()


@pytest.mark.django_db(transaction=True)
def test_every_box_of_the_pages_is_where_it_was_designed_to_be(
    page: Page, live_server: Any, settings: Any
) -> None:
    for name, value in looks.SETTINGS.items():
        setattr(settings, name, value)
    ann = user()
    pks = looks.fill(ann)
    client = Client()
    client.force_login(ann)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    page.context.add_cookies([{**cookie, "url": live_server.url}])
    for scene in looks.PAGES:
        looks.open_page(page, live_server.url, scene, ann, pks)
        check_page(page, scene, PAGE_NAMES)
        page.emulate_media(color_scheme="light")
    get_broadcaster().stop()
    for scene in looks.EMAILS:
        looks.open_email(page, scene, ann, pks)
        check_page(page, f"e-mail: {scene}", EMAIL_NAMES)
        page.emulate_media(color_scheme="light")


def test_every_box_of_the_demo_is_where_it_was_designed_to_be(page: Page, demo_url: str) -> None:
    for scene in looks.DEMO:
        looks.open_demo(page, demo_url, scene)
        check_page(page, f"demo: {scene}", PAGE_NAMES)
        page.emulate_media(color_scheme="light")


def differences(found: Boxes, wanted: Boxes, *, moved: bool = False) -> list[str]:
    """The boxes that are more than two pixels off. ``moved``: ignore a common offset."""
    names = [[box[0] for box in some] for some in (found, wanted)]
    if names[0] != names[1]:
        return [f"{names[0]}, not {names[1]}"]
    lines = []
    shift = found[0][2] - wanted[0][2] if moved else 0
    for box, (name, x, y, *size) in zip(found, wanted, strict=True):
        pairs = zip(box[1:], (x, y + shift, *size), strict=True)
        if any(abs(one - other) > 2 for one, other in pairs):
            lines.append(f"{name} {box[1:]}, not {[x, y + shift, *size]}")
    return lines
