"""Take the screenshots of the demo that the documentation shows: python tools/screenshots.py"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import django
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# The tests' tools import models.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.e2e.browser import board  # noqa: E402
from tests.e2e.browser.conftest import QUIET, chromium_path  # noqa: E402
from tests.e2e.demo.running import Demo  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
DESKTOP = {"width": 1180, "height": 800}
PHONE = {"width": 390, "height": 844}
BOARDS = (
    ("board-light", "light", 1440),
    ("board-dark", "dark", 1440),
    ("board-phone", "light", 390),
    ("board-phone-dark", "dark", 390),
)


def start(page: Page, *tasks: str) -> None:
    for task in tasks:
        page.locator(f"form[action*='/{task}/'] button").click()


def in_the_middle(page: Page) -> None:
    """Something that failed, something that is tried again, an import whose bar moves."""
    start(page, "fail", "flaky")
    page.get_by_role("button", name="Import the sample").click()
    pop_ups = page.locator("monitio-messages li.toast")
    expect(pop_ups.filter(has_text="failed")).to_be_attached()
    expect(pop_ups.filter(has_text="rows")).to_be_attached()
    page.evaluate("scrollTo(0, 0)")
    # The stack opens.
    pop_ups.filter(has_text="failed").hover()
    page.wait_for_timeout(600)  # its cards have moved


def shoot(browser: Browser, url: str, name: str, scheme: str, size: dict[str, int]) -> None:
    context = browser.new_context(
        base_url=url, color_scheme=scheme, viewport=size, device_scale_factor=1, locale="en-GB"
    )
    page = context.new_page()
    page.goto(url)
    page.get_by_role("button", name="Ann", exact=True).click()
    page.wait_for_load_state()
    in_the_middle(page)
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
    page.get_by_role("button", name="Notifications").click()
    # Pop-ups step aside while the inbox is open.
    expect(page.locator("li.toast")).to_have_count(0)
    page.screenshot(path=FOLDER / f"{name.replace('demo', 'inbox')}.png")
    page.goto("/messages/")
    expect(page.locator(".monitio-row").first).to_be_visible()
    page.screenshot(path=FOLDER / f"{name.replace('demo', 'list')}.png", animations="disabled")
    start_over(page)
    context.close()


def start_over(page: Page) -> None:
    """An empty inbox for the next picture."""
    page.goto("/messages/delete/all/")
    page.locator("main").get_by_role("button", name="Delete all").click()


def shoot_board(browser: Browser, url: str, name: str, scheme: str, width: int) -> None:
    context = browser.new_context(
        base_url=url, color_scheme=scheme, viewport={"width": width, "height": 900}, locale="en-GB"
    )
    page = context.new_page()
    enter_admin(page, board.PATH)
    expect(page.get_by_role("region", name="Running now")).to_be_visible()
    # Without the pop-ups of the admin's bell, which move.
    page.evaluate("document.querySelector('monitio-messages')?.remove()")
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled", full_page=True)
    context.close()


def enter_admin(page: Page, path: str) -> None:
    page.goto(f"/admin/login/?next={path}")
    for field in ("Username:", "Password:"):
        page.get_by_label(field).fill("admin")
    page.get_by_role("button", name="Log in").click()


def shoot_escalation(browser: Browser, url: str) -> None:
    """The deliveries of a message in the admin."""
    context = browser.new_context(
        base_url=url, viewport={"width": 1180, "height": 900}, locale="en-GB"
    )
    page = context.new_page()
    enter_admin(page, "/admin/monitio/message/?q=Disk")
    page.get_by_role("link", name="Disk almost full").click()
    deliveries = page.locator("#deliveries-group")
    expect(deliveries).to_be_visible()
    page.evaluate("document.querySelector('monitio-messages')?.remove()")
    deliveries.screenshot(path=FOLDER / "escalation.png", animations="disabled")
    context.close()


def shoot_preferences(
    browser: Browser, url: str, name: str, scheme: str, size: dict[str, int]
) -> None:
    context = browser.new_context(
        base_url=url, color_scheme=scheme, viewport=size, device_scale_factor=1, locale="en-GB"
    )
    page = context.new_page()
    page.goto(url)
    page.get_by_role("button", name="Ann", exact=True).click()
    page.wait_for_load_state()
    page.goto("/messages/preferences/")
    expect(page.get_by_role("heading", name="Notification settings")).to_be_visible()
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled", full_page=True)
    context.close()


BOARD = (
    "from django.contrib.auth.models import User as U; from tests.e2e.browser import board; "
    "board.fill(U.objects.get(username='ann'), U.objects.get(username='bob'))"
)
ESCALATION = (
    "import monitio; from django.utils import timezone; from monitio import after; "
    "from django.contrib.auth.models import User as U; from monitio.models import Delivery as D; "
    "message = monitio.create_message(U.objects.get(username='ann'), monitio.WARNING, "
    "'db1 has 8 % left.', subject='Disk almost full', "
    "via={'apprise': True, 'email': after(300, unless='seen')}); "
    "steps = D.objects.filter(message=message); "
    "steps.exclude(channel='email').update(state='sent', attempts=1, "
    "sent_at=timezone.now()); "
    "steps.filter(channel='email').update(state='skipped', error='It was seen before.')"
)
DEVICES = (
    "from django.contrib.auth.models import User as U; from monitio.channels import destinations; "
    "ann = U.objects.get(username='ann'); "
    "add = lambda url, label: destinations.add(ann, 'apprise', {'url': url}, label=label); "
    "add('ntfy://topic', 'My phone'); row = add('slack://T1/B1/x', 'Team chat'); "
    "row.disabled_at, row.reason = row.created, 'The service responded with status 404.'; "
    "row.save()"
)


def run_in(demo: Demo, code: str) -> None:
    """Run ``code`` with the demo's database."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "examples.demo.settings",
        "DEMO_VAR": str(demo.folder.path / "var"),
    }
    command = [sys.executable, "-m", "django", "shell", "-c", code]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=40_000)
    demo = Demo()
    try:
        url = demo.wait_until_it_runs()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
            shoot(browser, url, "demo-light", "light", DESKTOP)
            shoot(browser, url, "demo-dark", "dark", DESKTOP)
            shoot(browser, url, "demo-phone", "light", PHONE)
            run_in(demo, DEVICES)
            shoot_preferences(browser, url, "preferences-light", "light", DESKTOP)
            shoot_preferences(browser, url, "preferences-dark", "dark", DESKTOP)
            shoot_preferences(browser, url, "preferences-phone", "light", PHONE)
            run_in(demo, ESCALATION)
            shoot_escalation(browser, url)
            run_in(demo, BOARD)
            for name, scheme, width in BOARDS:
                shoot_board(browser, url, name, scheme, width)
            browser.close()
    finally:
        demo.close()


if __name__ == "__main__":
    main()
