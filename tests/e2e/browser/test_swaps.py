"""Libraries that swap pages: one stream, no lost pop-up, no leak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import CDPSession

from tests.conftest import needs_packages
from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, message
from tests.support.waiting import wait_until

CLICK = "document.getElementById('next').click()"
REFRESH = "Turbo.visit(location.href, { action: 'replace' })"
TURBO = "@hotwired/turbo/dist/turbo.es2017-umd.js"
MORPH = '<meta name="turbo-refresh-method" content="morph">'
VISITS = 60
# Counts the event with which each library reports that a page is in place.
COUNT = """
window.settled = 0;
for (const type of ["htmx:afterSettle", "htmx:finally:request", "turbo:render"])
  document.addEventListener(type, () => { settled++; });
"""


@dataclass(frozen=True)
class Library:
    script: str
    body: str = ""
    head: str = ""
    go: str = CLICK


LIBRARIES = {
    "htmx 2": Library("htmx2/dist/htmx.js", ' hx-boost="true"'),
    "htmx 4": Library("htmx4/dist/htmx.js", ' hx-boost:inherited="true"'),
    "htmx 4 morph": Library(
        "htmx4/dist/htmx.js", ' hx-boost:inherited="true" hx-swap:inherited="innerMorph"'
    ),
    "Turbo": Library(TURBO),
    "Turbo morph": Library(TURBO, head=MORPH, go=REFRESH),
}


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest, wire: Wire) -> Library:
    needs_packages()
    library = LIBRARIES[request.param]
    wire.head = f'<script src="/npm/{library.script}"></script>{library.head}'
    wire.body = library.body
    return library


def open_swapped(open_tab: OpenTab) -> Tab:
    return open_tab(init_script=COUNT)


def visit(tab: Tab, library: Library) -> None:
    """Go to the next page and wait until the library has swapped it in."""
    pages, settled = tab.wire.pages, tab.run("settled")
    tab.run(library.go)
    number = "document.getElementById('number')?.textContent"
    wait_until(
        lambda: tab.run(number) == f"{pages + 1}" and tab.run("settled") > settled,
        message="the next page",
    )


def test_swaps_keep_the_stream_and_every_pop_up(
    wire: Wire, open_tab: OpenTab, library: Library
) -> None:
    wire.greets = True
    tab = open_swapped(open_tab)
    tab.run("window.same = true")
    wire.put(message(1, level="error"))
    tab.wait_for(1, -1)
    visit(tab, library)
    tab.wait_for(-2, 1, -1)
    visit(tab, library)
    tab.wait_for(-3, -2, 1, -1)
    assert tab.run("window.same"), "a full load"
    wire.put(message(2, level="error"))
    tab.wait_for(2, -3, -2, 1, -1)
    assert wire.stream_requests == 1


def test_many_swaps_leak_neither_nodes_nor_listeners(
    wire: Wire, open_tab: OpenTab, library: Library
) -> None:
    wire.store(*(message(pk, level="error") for pk in range(1, 9)))
    tab = open_swapped(open_tab)
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("Performance.enable")
    for _ in range(VISITS // 3):
        visit(tab, library)
    nodes, listeners = counts(session)
    for _ in range(VISITS - VISITS // 3):
        visit(tab, library)

    def is_as_before() -> bool:
        more_nodes, more_listeners = counts(session)
        # Forty leaked pages would be thousands of nodes.
        return more_nodes <= nodes * 1.1 + 100 and more_listeners <= listeners * 1.1 + 20

    # Pending work of a removed page holds its nodes for a moment.
    wait_until(is_as_before, message=lambda: f"{nodes, listeners} -> {counts(session)}")
    assert wire.stream_requests == 1


def counts(session: CDPSession) -> tuple[float, float]:
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
    metrics: dict[str, Any] = {
        one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
    }
    return metrics["Nodes"], metrics["JSEventListeners"]
