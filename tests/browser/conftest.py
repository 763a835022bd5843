"""A real Chromium in front of the real demo: site, prefork worker, beat and broker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

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
from tests.demo.running import Demo

# An import of the sample is slowed down to be watched; a busy machine adds to it.
expect.set_options(timeout=30_000)

# Debian's name first; a developer's own machine may have another.
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


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    # Its event loop runs in this thread until it ends, so it ends with the module: tests of other
    # modules have loops of their own, and Django takes every query for one from async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as running:
        yield running
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        missing("Chromium is missing: apt-get install chromium, or set CHROMIUM to its path")
    browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
    yield browser
    browser.close()


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
    """Open the demo as somebody new: a private window with cookies of its own.

    Whatever the page's scripts complain about fails the test.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_window(path: str = "", **options: object) -> Page:
        context = browser.new_context(base_url=demo_url, locale="en-GB", **options)  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(_said(error)))
        page.goto(demo_url + path)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


def _said(error: Error) -> str:
    return f"{error.name}: {error.message}"
