"""Everything stands where it was designed to: boxes of scenes, to two pixels.

Only of what does not depend on the font: heights come from line heights. After a change of the
design that is meant, ``BOXES=new`` in the environment stores them again in ``boxes.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import needs_packages
from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, job, message

STORED = Path(__file__).with_name("boxes.json")
BOOTSTRAP = Path(__file__).resolve().parents[3] / "node_modules/bootstrap/dist/css"
# What the style sheets for a whole site do to every element.
PREFLIGHT = """*, ::before, ::after { box-sizing: border-box; margin: 0; padding: 0; border: 0 }
button, input, textarea { font: inherit; color: inherit; background: transparent }
ol, ul { list-style: none } a { color: inherit; text-decoration: inherit }
img, svg { display: block; vertical-align: middle } html { line-height: 1.5 }"""
BOXES = """names => [...document.querySelectorAll("monitio-messages, monitio-bell")]
  .flatMap(({ shadowRoot }) => [...shadowRoot.querySelectorAll(names)])
  .filter(node => node.checkVisibility({ visibilityProperty: true }))
  .map(node => [node.className.split(" ")[0], node.getBoundingClientRect()])
  .filter(([, { width }]) => width)
  .map(([name, { x, y, width, height }]) => [name, ...[x, y, width, height].map(Math.round)])"""
NAMES = (
    "li.item, li.task, li.entry, li.day, .item > .icon, progress, .close, .panel, .tab:first-child,"
    " .panel-close, .undo:has(.dismiss), .note, .footer, h2"
)


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
    tab.part("mark-all").click()
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


def boxes(tab: Tab, width: int) -> list[Any]:
    tab.page.set_viewport_size({"width": width, "height": 800})
    tab.run("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    found: list[Any] = tab.page.evaluate(BOXES, NAMES)
    return found


@pytest.mark.parametrize("scene", SCENES)
def test_every_box_is_where_it_was_designed_to_be(
    wire: Wire, open_tab: OpenTab, scene: str
) -> None:
    needs_packages()
    # Without a policy, which would keep out the style sheets below.
    wire.head = "<style>body { margin: 8px }</style>"
    # On a phone as many as elsewhere: the number is not what is tested here.
    tab = open_tab(auto_close="off", max=4)
    tab.page.emulate_media(reduced_motion="reduce")
    SCENES[scene](tab)
    light = {f"{width}": boxes(tab, width) for width in (1280, 390)}
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    if os.environ.get("BOXES") == "new":
        text = json.dumps({**stored, scene: light}, sort_keys=True)
        STORED.write_text(text.replace(", [", ",\n[").replace("]], ", "]],\n") + "\n")
    else:
        assert differences(light, stored[scene]) == []
    # Dark, and below the style sheet of a framework, the same.
    tab.run("document.documentElement.style.colorScheme = 'dark'")
    assert differences({"1280": boxes(tab, 1280)}, {"1280": light["1280"]}) == []
    for css in (PREFLIGHT, (BOOTSTRAP / "bootstrap-reboot.css").read_text()):
        sheet = tab.page.add_style_tag(content=css + "body { margin: 8px; font-size: 16px }")
        changed = {"1280": boxes(tab, 1280)}
        # The page around it may be higher: only where the bell is counts.
        assert differences(changed, {"1280": light["1280"]}, moved=True) == []
        sheet.evaluate("node => node.remove()")


def differences(
    found: dict[str, list[Any]], wanted: dict[str, list[Any]], *, moved: bool = False
) -> list[str]:
    """The boxes that are more than two pixels off; ``moved``: wherever they all stand."""
    lines = []
    for width, boxes_wanted in wanted.items():
        assert [box[0] for box in found[width]] == [box[0] for box in boxes_wanted]
        shift = found[width][0][2] - boxes_wanted[0][2] if moved else 0
        for box, (name, x, y, *size) in zip(found[width], boxes_wanted, strict=True):
            pairs = zip(box[1:], (x, y + shift, *size), strict=True)
            if any(abs(one - other) > 2 for one, other in pairs):
                lines.append(f"{width}: {name} {box[1:]}, not {[x, y + shift, *size]}")
    return lines
