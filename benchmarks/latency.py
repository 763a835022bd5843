"""Seconds until the user sees it: from the click to the first pop-up, from the end to its pop-up.

    python -m benchmarks.latency [RUNS]

Drives the real demo (uvicorn, prefork worker, Valkey, SQLite) with Chromium, one task at a time.
Both clocks are this machine's; "seen" is the change of the page's own tree.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.browser.conftest import QUIET, chromium_path
from tests.e2e.demo.running import Demo

# Fails after about two seconds: as fast an end as the demo has.
TASK = "fail"

WATCH = """
() => {
  window.seen = { clicks: [], first: {}, end: {} };
  const root = document.querySelector("monitio-messages").shadowRoot;
  const look = () => {
    for (const item of root.querySelectorAll("li.toast")) {
      const id = item.dataset.id;
      if (!id) continue;
      window.seen.first[id] ??= Date.now();
      if (item.classList.contains("error")) window.seen.end[id] ??= Date.now();
    }
  };
  new MutationObserver(look).observe(root, {
    subtree: true, childList: true, attributes: true, characterData: true,
  });
}
"""
CLICK = """
(task) => {
  window.seen.clicks.push(Date.now());
  document.querySelector(`form[action*='/${task}/'] button`).click();
}
"""
CLOSE = "import('/static/monitio/monitio.js').then(({ monitio }) => monitio.closeAll())"


def run_once(page: Page, number: int) -> None:
    page.evaluate(CLICK, TASK)
    page.wait_for_function("(n) => Object.keys(window.seen.end).length === n", arg=number)
    page.evaluate(CLOSE)


def ends(database: Path) -> dict[str, float]:
    """When the worker noted each end, in ms since 1970, by message id."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT m.id, j.finished_at FROM monitio_message m"
            " JOIN monitio_job j ON j.id = m.job_id"
        ).fetchall()
    return {str(pk): _milliseconds(finished) for pk, finished in rows if finished}


def _milliseconds(stored: str) -> float:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC).timestamp() * 1000


def show(name: str, milliseconds: list[float]) -> None:
    cuts = statistics.quantiles(milliseconds, n=100)
    p50, p95, worst = cuts[49] / 1000, cuts[94] / 1000, max(milliseconds) / 1000
    print(f"{name:28} p50 {p50:.3f} s  p95 {p95:.3f} s  max {worst:.3f} s")


def main(runs: int) -> None:
    demo = Demo()
    try:
        url = demo.wait_until_it_runs()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
            page = browser.new_page()
            page.goto(url)
            page.evaluate(WATCH)
            for number in range(1, runs + 1):
                run_once(page, number)
            seen = page.evaluate("window.seen")
            browser.close()
        finished = ends(demo.folder.path / "var" / "db.sqlite3")
        firsts = sorted(seen["first"].values())
        print(f"{len(firsts)} tasks of {runs} clicks")
        show("click to first pop-up", [b - a for a, b in zip(seen["clicks"], firsts, strict=True)])
        show("end of the task to pop-up", [seen["end"][pk] - finished[pk] for pk in seen["end"]])
    finally:
        demo.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
