"""Fixtures: Chromium with the demo (site, worker, beat, broker) or with the fake site ``Wire``."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from tests.conftest import missing
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire
from tests.e2e.demo.running import Demo
from tests.support.peers import Peer
from tests.support.servers.forwarder import Forwarder

# In ms. The demo slows down its import of the sample; a busy machine adds to that.
TIMEOUT = 60_000
expect.set_options(timeout=TIMEOUT)

# Debian's name first, then those of other systems.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def chromium_path() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    # Playwright's event loop runs in this thread until the folder's last test: tests elsewhere run
    # their own loops. Django would refuse every query as one from async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as running:
        yield running
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def launch(playwright: Playwright, **options: Any) -> Browser:
    path = chromium_path()
    if path is None:
        missing("Chromium is missing: apt-get install chromium, or set CHROMIUM to its path")
    return playwright.chromium.launch(
        executable_path=path, args=list(QUIET), timeout=2 * TIMEOUT, **options
    )


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database's address of a site that servers of tests/integration/stream serve."""
    return f"sqlite://{tmp_path_factory.mktemp('site')}/site.sqlite3"


@pytest.fixture(scope="module")
def site(database: str) -> Iterator[Peer]:
    with closing(Peer("tests.integration.stream.process", database)) as peer:
        peer.migrate()
        yield peer


@pytest.fixture(scope="session")
def demo_url() -> Iterator[str]:
    demo = Demo()
    try:
        yield demo.wait_until_it_runs()
    finally:
        demo.close()


Visitor = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, demo_url: str) -> Iterator[Visitor]:
    """Open the demo as a new visitor: in a private window with its own cookies.

    An error of the page's scripts fails the test.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_window(path: str = "", **options: object) -> Page:
        context = browser.new_context(base_url=demo_url, locale="en-GB", **options)  # type: ignore[arg-type]
        context.set_default_timeout(TIMEOUT)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(_stack_of(error)))
        page.goto(demo_url + path)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A fake site of one page."""
    wire = Wire()
    yield wire
    wire.close()
    assert wire.errors == []


@pytest.fixture
def line(wire: Wire) -> Iterator[Forwarder]:
    """A forwarder between a browser and the fake site."""
    address = ("127.0.0.1", int(wire.url.rpartition(":")[2]))
    line = Forwarder("127.0.0.1", lambda: socket.create_connection(address))
    yield line
    line.close()


@pytest.fixture(scope="package")
def windows() -> list[BrowserContext]:
    """The window that the next test reuses, if there is one."""
    return []


@pytest.fixture
def context(
    browser: Browser, wire: Wire, windows: list[BrowserContext]
) -> Iterator[BrowserContext]:
    """A private window for the fake site, without its cookies and storage.

    Tests share it, because opening a window takes longer than most of them.
    """
    if not windows:
        context = browser.new_context(viewport={"width": 1100, "height": 800}, locale="en-GB")
        context.set_default_timeout(TIMEOUT)
        # A window closes with its last page.
        context.new_page()
        windows.append(context)
    context = windows[0]
    yield context
    if context not in windows:
        context.close()
        return
    for page in context.pages[1:]:
        page.close()
    context.clear_cookies()
    context.clear_permissions()
    context.set_offline(False)
    # A later fake site may get the same port.
    session = context.new_cdp_session(context.pages[0])
    session.send("Storage.clearDataForOrigin", {"origin": wire.url, "storageTypes": "all"})
    session.detach()


@pytest.fixture
def own_window(context: BrowserContext, windows: list[BrowserContext]) -> None:
    """Keep other tests from using this test's window."""
    windows.clear()


OpenTab = Callable[..., Tab]


@pytest.fixture
def open_tab(
    context: BrowserContext, wire: Wire, windows: list[BrowserContext]
) -> Iterator[OpenTab]:
    """Open a tab of the fake site: ``open_tab(max=3)``. ``clock=True``: the test moves its timers.

    ``init_script`` runs before the page's scripts; ``before_script`` handles monitio's requests.

    An exception in a script and a CSP report fail the test.
    """
    complaints: list[str] = []

    def open_one(
        *,
        clock: bool = False,
        init_script: str = "",
        before_script: Callable[..., None] | None = None,
        **options: object,
    ) -> Tab:
        tab = Tab(context, wire, complaints)
        if clock:
            tab.page.clock.install()
            # The clock stays replaced in all pages of the window.
            windows.clear()
        if init_script:
            tab.page.add_init_script(init_script)
        if before_script:
            tab.page.route("**/monitio.js", before_script)
        return tab.open(**options)

    yield open_one
    assert complaints == []
    assert wire.reports == []


def _stack_of(error: Error) -> str:
    return f"{error.name}: {error.message}"
