"""What the browser part costs a page: frames, interactions, memory, shifts, the place it takes.

    python -m benchmarks.browser [RUNS]

Drives Chromium in front of the page of ``tests/e2e/browser/wire.py``. Work per frame is CPU time of
the main thread; the rest is wall time, with the browser, its driver and the server on one machine.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
import django

django.setup()

from playwright.sync_api import Browser, CDPSession, sync_playwright

from tests.e2e.browser.conftest import QUIET, chromium_path
from tests.e2e.browser.tab import Tab
from tests.e2e.browser.wire import Wire, message
from tests.support.waiting import wait_until

MANY = 5000
# Before the page's own scripts. An event takes until the next paint, in steps of 8 ms.
WATCH = """
window.shifted = 0; window.slowest = 0; window.frames = 0;
new PerformanceObserver((list) => { for (const { value } of list.getEntries()) shifted += value; })
  .observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const { interactionId, duration } of list.getEntries())
    if (interactionId) slowest = Math.max(slowest, duration);
}).observe({ type: "event", durationThreshold: 16, buffered: true });
const count = () => { frames++; requestAnimationFrame(count); };
requestAnimationFrame(count);
"""
SHADOW = "document.querySelector('monitio-bell').shadowRoot"
# From the end to the newest: as fast as a wheel goes, 400 px a frame.
SCROLL = f"""async () => {{
  const scroll = {SHADOW}.querySelector(".scroll"), rows = {SHADOW}.querySelector("[part=inbox]");
  const next = () => new Promise(requestAnimationFrame);
  const titles = () => [...rows.querySelectorAll(".entry .title")].map((node) => node.textContent);
  const begin = performance.now(), before = frames;
  let most = 0, still = performance.now();
  const seen = new Set();
  while (seen.size < {MANY} && performance.now() - still < 5000) {{
    const top = scroll.scrollTop;
    scroll.scrollTop += 400;
    await next();
    most = Math.max(most, rows.querySelectorAll("li").length);
    const size = seen.size;
    for (const title of titles()) seen.add(title);
    if (seen.size > size || scroll.scrollTop > top) still = performance.now();
  }}
  const ms = performance.now() - begin;
  return {{ reached: seen.size, seconds: ms / 1000, fps: (frames - before) / ms * 1000, most }};
}}"""
OPEN = f"""() => new Promise((resolve) => {{
  const begin = performance.now();
  document.addEventListener("monitio:open", () => requestAnimationFrame(() =>
    setTimeout(() => resolve(performance.now() - begin))), {{ once: true }});
  {SHADOW}.querySelector("[part=bell]").click();
}})"""
AREA = """() => {
  const { shadowRoot } = document.querySelector("monitio-messages");
  return [...shadowRoot.querySelectorAll(".list, .footer")]
    .map((node) => node.getBoundingClientRect())
    .reduce((sum, { width, height }) => sum + width * height, 0) / (innerWidth * innerHeight) * 100;
}"""
MOVES = """async () => {
  const before = frames, begin = performance.now();
  while (performance.now() - begin < 600) await new Promise(requestAnimationFrame);
  return frames - before;
}"""


def work(session: CDPSession) -> float:
    """Milliseconds for which the main thread worked, so far."""
    metrics = {
        one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
    }
    return float(metrics["TaskDuration"]) * 1000


def toasts(tab: Tab) -> dict[str, float]:
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    for pk in range(1, 61):
        tab.wire.put(message(pk, body="Eight thousand rows were read."))
    wait_until(lambda: len(tab.shown()) == 60)
    tab.run(MOVES)
    measured = {"area, 1280×800, %": tab.run(AREA)}
    for name, act in (
        ("open", tab.part("stack").hover),
        ("rest", lambda: tab.page.mouse.move(5, 5)),
    ):
        before = work(session)
        act()
        frames = tab.run(MOVES)
        measured[f"60 toasts {name}, ms a frame"] = (work(session) - before) / frames
    measured["shift with 60 toasts"] = tab.run("shifted")
    tab.page.set_viewport_size({"width": 390, "height": 844})
    measured["area, phone, %"] = tab.run(AREA)
    return measured


def inbox(tab: Tab) -> dict[str, float]:
    session = tab.page.context.new_cdp_session(tab.page)
    # The pointer over the bell loads what the inbox needs.
    tab.part("bell").hover()
    tab.page.wait_for_load_state("networkidle")
    measured = {"opening, ms": tab.run(OPEN)}
    scrolled = tab.run(SCROLL)
    assert scrolled["reached"] == MANY, scrolled
    measured |= {
        f"{MANY:,} reached, s": scrolled["seconds"],
        "frames a second": scrolled["fps"],
        "rows in the page": scrolled["most"],
    }
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    measured["heap, MB"] = used / 2**20

    def click(name: str) -> None:
        tab.page.get_by_role("button", name=name).first.click()

    for name in ("Unread", "All", "Search"):
        click(name)
    tab.page.keyboard.type("M49", delay=50)
    # The first leaves the search, the second closes the panel.
    for key in ("Escape", "Escape"):
        tab.page.keyboard.press(key)
    tab.run(OPEN)
    for key in "jjek#u":
        tab.page.keyboard.press(key)
    # An entry is written at the paint after the event.
    tab.page.wait_for_timeout(300)
    measured["slowest interaction, ms"] = tab.run("slowest")
    return measured


def run_once(browser: Browser) -> dict[str, float]:
    measured: dict[str, float] = {}
    for measure, count in ((toasts, 0), (inbox, MANY)):
        wire = Wire()
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        try:
            wire.store(*(message(pk, seen=True, body="Done.") for pk in range(1, count + 1)))
            tab = Tab(context, wire, [])
            tab.page.add_init_script(WATCH)
            tab.open(max=60, auto_close="off")
            measured |= measure(tab)
        finally:
            context.close()
            wire.close()
    return measured


def main(runs: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
        rounds = [run_once(browser) for _ in range(runs)]
        browser.close()
    for name in rounds[0]:
        values = sorted(one[name] for one in rounds)
        print(
            f"{name:32} {statistics.median(values):10.4g}   ({values[0]:.4g} to {values[-1]:.4g})"
        )


if __name__ == "__main__":
    begin = time.perf_counter()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    print(f"{time.perf_counter() - begin:.0f} s")
