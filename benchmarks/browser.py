"""What the browser part costs a page: time, place, shifts, frames, interactions, memory.

    python -m benchmarks.browser [RUNS] [--browser chromium|firefox|webkit]

Drives a browser in front of the page of ``tests/e2e/browser/wire.py``, and of the list page of the
tests' site. Frames, interactions and memory are measured in Chromium alone. Work per frame is CPU
time of the main thread; the rest is wall time, with the browser, its driver and the server on one
machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

from tools.live_site import live_site  # isort: skip - it sets Django up

from django.conf import settings
from django.test import Client
from playwright.sync_api import CDPSession, sync_playwright

from monitio import SUCCESS, create_message
from tests.e2e.browser import looks
from tests.e2e.browser.conftest import QUIET, chromium_path
from tests.e2e.browser.engines import Engine, Firefox, WebKitGTK
from tests.e2e.browser.wire import Wire, job, message
from tests.support.people import user
from tests.support.waiting import wait_until

MANY = 5000
DESKTOP, LOW, PHONE = (1280, 800), (1280, 640), (390, 844)
# Before the page's own scripts: where the header stands when the browser has read the page and run
# nothing of it. An event takes until the next paint, in steps of 8 ms.
WATCH = """<script>
window.shifted = 0; window.slowest = 0; window.frames = 0;
const place = () => ["header", "#number"].flatMap((name) => {
  const { y, height } = document.querySelector(name).getBoundingClientRect();
  return [y, height];
});
new MutationObserver((_, observer) => {
  if (!document.querySelector("#monitio")) return;
  observer.disconnect();
  window.first = place();
}).observe(document, { childList: true, subtree: true });
const moved = () => Math.max(...place().map((value, at) => Math.abs(value - first[at])));
new PerformanceObserver((list) => { for (const { value } of list.getEntries()) shifted += value; })
  .observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const { interactionId, duration } of list.getEntries())
    if (interactionId) slowest = Math.max(slowest, duration);
}).observe({ type: "event", durationThreshold: 16, buffered: true });
const count = () => { frames++; requestAnimationFrame(count); };
requestAnimationFrame(count);
</script>"""
SHADOW = "document.querySelector('monitio-bell').shadowRoot"
TOASTS = "document.querySelector('monitio-messages').shadowRoot"
# From the end to the newest: as fast as a wheel goes, 400 px a frame.
SCROLL = f"""(async () => {{
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
}})()"""
OPEN = f"""new Promise((resolve) => {{
  const begin = performance.now();
  document.addEventListener("monitio:open", () => requestAnimationFrame(() =>
    setTimeout(() => resolve(performance.now() - begin))), {{ once: true }});
  {SHADOW}.querySelector("[part=bell]").click();
}})"""
AREA = f"""[...{TOASTS}.querySelectorAll(".list, .footer")]
  .map((node) => node.getBoundingClientRect())
  .reduce((sum, {{ width, height }}) => sum + width * height, 0) / innerWidth / innerHeight * 100"""
MOVES = """(async () => {
  const before = frames, begin = performance.now();
  while (performance.now() - begin < 600) await new Promise(requestAnimationFrame);
  return frames - before;
})()"""
HEIGHT = f"{TOASTS}.querySelector('li.toast').getBoundingClientRect().height"
ENTRIES = f"""(() => {{
  const scroll = {SHADOW}.querySelector(".scroll").getBoundingClientRect();
  const boxes = [...{SHADOW}.querySelectorAll("li.entry")]
    .map((one) => one.getBoundingClientRect());
  return [boxes[0].height,
    boxes.filter(({{ top, bottom }}) => top >= scroll.top && bottom <= scroll.bottom).length];
}})()"""
LIST = """[...document.querySelectorAll(".monitio-row")]
  .filter((row) => row.getBoundingClientRect().bottom <= innerHeight).length"""
Figures = dict[str, float]


class Chromium:
    def __init__(self) -> None:
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=chromium_path(), args=list(QUIET)
        )
        self.name, self.version = "Chromium", self._browser.version
        self.page = self._browser.new_context(locale="en-GB").new_page()
        self.resize(*DESKTOP)

    def go(self, url: str) -> None:
        self.page.goto(url)

    def run(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def resize(self, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def session(self) -> CDPSession:
        return self.page.context.new_cdp_session(self.page)

    def close(self) -> None:
        self._browser.close()
        self._playwright.stop()


BROWSERS = {"chromium": Chromium, "firefox": Firefox, "webkit": WebKitGTK}


@contextmanager
def page(browser: Any, *messages: dict[str, Any]) -> Iterator[Wire]:
    """The page of the wire's site, whose stream is open."""
    with closing(Wire()) as wire:
        wire.head = WATCH
        wire.store(*messages)
        browser.resize(*DESKTOP)
        browser.go(f"{wire.url}/?max=60&auto-close=off")
        wait_for(browser, "window.monitio?.connection", "open")
        yield wire
        browser.go("about:blank")


def wait_for(browser: Engine, expression: str, value: object) -> None:
    wait_until(lambda: browser.run(expression) == value, message=expression)


def seen(count: int) -> list[dict[str, Any]]:
    return [message(pk, seen=True, body="Done.") for pk in range(1, count + 1)]


def first_paint(browser: Any) -> Figures:
    with page(browser, *seen(3)):
        wait_for(browser, f"{SHADOW}.querySelector('[part=badge]').textContent", "3")
        return {"header moves by, px": browser.run("moved()")}


def running(browser: Any) -> Figures:
    """The heights of one task's pop-up."""
    with page(browser) as wire:
        heights = []
        states: tuple[dict[str, Any], ...] = (
            {"state": "queued"},
            {},
            {"percent": 1.0, "done": 200, "total": 20000, "text": "Reading the file", "eta": 700},
            {"percent": 99.0, "done": 19800, "total": 20000, "eta": 1},
        )
        for version, fields in enumerate(states, 1):
            title = "Importing contacts.csv"
            wire.put(job(1, version=version, **{"title": title, "cancel": True, **fields}))
            shown = f"{TOASTS}.querySelector('progress')?.getAttribute('value')"
            percent = fields.get("percent", None if version == 2 else 0)
            wait_for(browser, shown, None if percent is None else f"{percent:g}")
            heights.append(browser.run(HEIGHT))
        return {"running pop-up, lowest, px": min(heights), "highest, px": max(heights)}


def stack(browser: Any) -> Figures:
    measured: Figures = {}
    with page(browser) as wire:
        for pk in range(1, 61):
            wire.put(message(pk, body="Eight thousand rows were read."))
        wait_for(browser, f"{TOASTS}.querySelectorAll('li.toast').length", 60)
        browser.run(MOVES)
        measured["area, 1280×800, %"] = browser.run(AREA)
        if isinstance(browser, Chromium):
            measured |= frames(browser)
        browser.resize(*PHONE)
        browser.run(MOVES)
        measured["area, phone, %"] = browser.run(AREA)
    return measured


def frames(browser: Chromium) -> Figures:
    session = browser.session()
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def work() -> float:
        """Milliseconds for which the main thread worked, so far."""
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float({one["name"]: one["value"] for one in metrics}["TaskDuration"]) * 1000

    measured: Figures = {}
    acts: dict[str, Callable[[], None]] = {
        "open": browser.page.locator("[part=stack]").hover,
        "rest": lambda: browser.page.mouse.move(5, 5),
    }
    for name, act in acts.items():
        before = work()
        act()
        count = browser.run(MOVES)
        measured[f"60 toasts {name}, ms a frame"] = (work() - before) / count
    measured["shift with 60 toasts"] = browser.run("shifted")
    return measured


def opening(browser: Any) -> Figures:
    measured: Figures = {}
    with page(browser, *seen(20)):
        measured["opening, not loaded, ms"] = browser.run(OPEN)
    with page(browser, *seen(20)):
        # The pointer over the bell loads what the inbox needs.
        browser.run(f"{SHADOW}.querySelector('[part=bell]').dispatchEvent("
                    "new PointerEvent('pointerenter'))")  # fmt: skip
        wait_for(browser, f"!!{SHADOW}.querySelector('[part=panel]')", True)
        browser.run(MOVES)
        measured["opening, loaded, ms"] = browser.run(OPEN)
        browser.resize(*LOW)
        height, count = browser.run(ENTRIES)
    return measured | {"plain entry, px": height, "entries in sight at 640 px": count}


def inbox(browser: Any) -> Figures:
    with page(browser, *seen(MANY)):
        browser.run(OPEN)
        scrolled = browser.run(SCROLL)
        assert scrolled["reached"] == MANY, scrolled
        measured: Figures = {
            f"{MANY:,} reached, s": scrolled["seconds"],
            "rows in the page": scrolled["most"],
        }
        if isinstance(browser, Chromium):
            measured |= {"frames a second": scrolled["fps"], **interactions(browser)}
    return measured


def interactions(browser: Chromium) -> Figures:
    session, page = browser.session(), browser.page
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    for name in ("Unread", "All", "Search"):
        page.get_by_role("button", name=name).first.click()
    page.keyboard.type("M49", delay=50)
    # The first leaves the search, the second closes the panel.
    for key in ("Escape", "Escape"):
        page.keyboard.press(key)
    browser.run(OPEN)
    for key in "jjek#u":
        page.keyboard.press(key)
    # An entry is written at the paint after the event.
    page.wait_for_timeout(300)
    return {"heap, MB": used / 2**20, "slowest interaction, ms": browser.run("slowest")}


@contextmanager
def list_page() -> Iterator[tuple[str, str]]:
    """The address of the tests' site, and the session of a user with messages of three days."""
    for name, value in looks.SETTINGS.items():
        setattr(settings, name, value)
    with live_site() as url:
        ann = user()
        looks.fill(ann, timedelta(hours=1))
        for number in range(20):
            create_message(ann, SUCCESS, "Done.", subject=f"Report {number} is ready")
        client = Client()
        client.force_login(ann)
        yield url, client.cookies["sessionid"].value


def rows(browser: Any, url: str, session: str) -> Figures:
    browser.resize(*DESKTOP)
    browser.go(f"{url}/messages/")
    browser.run(f"document.cookie = 'sessionid={session}; path=/'")
    browser.go(f"{url}/messages/")
    return {"list rows in sight at 1280×800": browser.run(LIST)}


def main(runs: int, name: str) -> None:
    rounds = []
    with list_page() as (url, session), closing(BROWSERS[name]()) as browser:
        print(browser.name, browser.version)
        for _ in range(runs):
            measured = rows(browser, url, session)
            for measure in (first_paint, running, stack, opening, inbox):
                measured |= measure(browser)
            rounds.append(measured)
    for figure in rounds[0]:
        values = sorted(one[figure] for one in rounds)
        print(
            f"{figure:32} {statistics.median(values):10.4g}   ({values[0]:.4g} to {values[-1]:.4g})"
        )


if __name__ == "__main__":
    begin = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=3)
    parser.add_argument("--browser", choices=BROWSERS, default="chromium")
    arguments = parser.parse_args()
    main(arguments.runs, arguments.browser)
    print(f"{time.perf_counter() - begin:.0f} s")
