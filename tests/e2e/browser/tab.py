"""A tab with the page of ``wire.Wire``: what it shows and what a screen reader announces."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import BrowserContext, FloatRect, Locator, Page, expect

from tests.e2e.browser.wire import Wire, job
from tests.support.waiting import wait_until

DEADLINE = 60.0
POP_UPS = "monitio-messages li[data-id]"
# The focused element, also inside a shadow root: its id, part or name.
FOCUS = """() => {
  let node = document.activeElement;
  while (node.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  return node.id || node.getAttribute("part") || node.localName;
}"""
# Without CSS animations: a spinner never ends.
STANDS_STILL = """stack => Promise.allSettled(
  stack.getAnimations({ subtree: true })
    .filter(one => !(one instanceof CSSAnimation)).map(one => one.finished))"""
# Ids above those of the tests. When such a message has arrived, all earlier ones have, too.
FIRST_MARK = 100_000


class Tab:
    def __init__(self, context: BrowserContext, wire: Wire, complaints: list[str]) -> None:
        self.wire = wire
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: complaints.append(str(error)))
        self._mark = FIRST_MARK

    def open(self, url: str = "", state: str = "open", **options: Any) -> Tab:
        """Load the page and wait for its live connection; options are attributes, "_" for "-"."""
        query = "&".join(f"{name.replace('_', '-')}={value}" for name, value in options.items())
        self.page.goto(f"{url or self.wire.url}/?{query}")
        self.wait_for_connection(state)
        return self

    def reload(self) -> None:
        self.page.reload()
        self.wait_for_connection()

    def run(self, script: str) -> Any:
        return self.page.evaluate(script)

    @property
    def connection(self) -> str | None:
        state: str | None = self.run("window.monitio?.connection")
        return state

    def wait_for_connection(self, state: str = "open") -> None:
        wait_until(lambda: self.connection == state, DEADLINE, lambda: f"{self.connection}")

    def catch_up(self) -> None:
        """Wait until everything pushed so far has arrived and is shown."""
        self._mark += 1
        # A running job: its pop-up is not reported as seen.
        self.wire.push("message", job(self._mark, task="mark"))
        wait_until(lambda: self._mark in self.shown(), DEADLINE, "the mark")
        self.wire.push("message", job(self._mark, "succeeded", 2, task="mark", read=True))
        wait_until(lambda: self._mark not in self.shown(), DEADLINE, "the mark to go")

    # Visible state.

    def shown(self) -> list[int]:
        """The ids of the pop-ups, newest first."""
        script = "nodes => nodes.map(node => +node.dataset.id)"
        ids: list[int] = self.page.locator(POP_UPS).evaluate_all(script)
        return ids

    def wait_for(self, *pks: int) -> None:
        """Wait until exactly these pop up, newest first."""
        wait_until(lambda: self.shown() == list(pks), DEADLINE, lambda: f"{self.shown()}")

    def pop_up(self, pk: int) -> Locator:
        return self.page.locator(f'{POP_UPS}[data-id="{pk}"]')

    def box(self, part: Locator) -> FloatRect:
        """Its position once all transitions have ended."""
        self.part("stack").evaluate(STANDS_STILL)
        found = part.bounding_box()
        assert found
        return found

    def expand(self) -> None:
        """Expand the stack; at rest only the first pop-up is fully visible."""
        self.part("stack").hover(position={"x": 30, "y": 30})
        expect(self.page.locator(".stack.resting")).to_have_count(0)

    def close(self, pk: int) -> None:
        self.expand()
        self.pop_up(pk).locator("[part=close]").click()

    def part(self, name: str) -> Locator:
        """An element of the bell or of the pop-ups by its ``part``."""
        return self.page.locator(f"[part={name}]")

    def open_settings(self) -> None:
        """Open the inbox and its settings."""
        self.part("bell").click()
        self.part("settings").click()

    def entries(self) -> Locator:
        return self.page.locator("monitio-bell li.entry")

    def unread(self) -> str:
        """The number on the bell; "" without one."""
        badge = self.part("badge")
        return badge.inner_text() if badge.is_visible() else ""

    def wait_for_unread(self, number: str) -> None:
        wait_until(lambda: self.unread() == number, DEADLINE, lambda: f"{self.unread()} unread")

    def announced(self) -> list[str]:
        """The texts of live regions since the page was loaded."""
        lines: list[str] = self.run("window.announced")
        return lines

    def wait_to_receive(self, text: str) -> None:
        def received() -> bool:
            return any(text in line for line in self.announced())

        wait_until(received, DEADLINE, lambda: f"{text!r}, received {self.announced()}")

    def focus(self) -> str:
        found: str = self.run(FOCUS)
        return found

    def wait_for_focus(self, name: str) -> None:
        wait_until(lambda: self.focus() == name, DEADLINE, lambda: f"The focus on {self.focus()}")

    def hide(self, hidden: bool = True) -> None:
        """Put this tab into the background, or into the foreground again."""
        self.page.evaluate(
            """value => {
              Object.defineProperty(document, "hidden", { value, configurable: true });
              document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )

    # The tab's own clock.

    def pass_time(self, seconds: float) -> None:
        """Advance the tab's clock and run its timers. Needs ``open_tab(clock=True)``."""
        self.page.clock.run_for(int(seconds * 1000))
