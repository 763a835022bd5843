"""Milliseconds until another tab leads: from the end of the leading one to the next stream.

    python -m benchmarks.takeover [RUNS]

Drives Chromium in front of the page of ``tests/e2e/browser/wire.py``; three tabs, the leading one
is closed. The clock is that of this process, so the answer of the browser is part of it.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
import django

django.setup()

from playwright.sync_api import Browser, sync_playwright

from tests.e2e.browser.conftest import QUIET, chromium_path
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire
from tests.support.waiting import wait_until


def run_once(browser: Browser) -> float:
    wire, context = Wire(), browser.new_context()
    try:
        leader, *_others = [Tab(context, wire, []).open() for _ in range(3)]
        begin = time.perf_counter()
        leader.page.close()
        wait_until(lambda: wire.stream_requests == 2, interval=0.001)
        return (time.perf_counter() - begin) * 1000
    finally:
        context.close()
        wire.close()


def main(runs: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
        took = sorted(run_once(browser) for _ in range(runs))
        browser.close()
    print(
        f"median {statistics.median(took):.0f} ms, {took[0]:.0f} to {took[-1]:.0f} ms, {runs} runs"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
