"""Put our pages beside the pictures of a design, at the same size: python tools/beside.py FOLDER

``FOLDER`` has list and jobs, each -light.png and -dark.png, and inbox.png, toasts.png, email.png,
which show both.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.live_site import live_site  # noqa: E402 isort: skip

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402
from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

from tests.e2e.browser import board, looks  # noqa: E402
from tests.e2e.browser.conftest import QUIET, chromium_path  # noqa: E402
from tests.e2e.browser.tab import Tab  # noqa: E402
from tests.e2e.browser.wire import Wire, job, message  # noqa: E402
from tests.support.people import user  # noqa: E402
from tools.looks import data_url, encode  # noqa: E402

SHEET = ROOT / "docs" / "screenshots" / "beside-the-design.webp"
# Of a picture of the design, which stands at the left, and of ours beside it.
WIDTH = 720
Row = tuple[str, list[bytes]]


def page_of(browser: Browser, scheme: str, width: int, height: int, scale: float) -> Page:
    return browser.new_context(
        locale="en-GB", color_scheme=scheme, viewport={"width": width, "height": height},
        device_scale_factor=scale, reduced_motion="reduce", bypass_csp=True,
    ).new_page()  # type: ignore[arg-type]  # fmt: skip


def pages(browser: Browser, url: str) -> Iterator[Row]:
    for name, value in {**looks.SETTINGS, "MONITIO_DIGEST_SIZE": 2}.items():
        setattr(settings, name, value)
    ann = user(is_staff=True, is_superuser=True)
    pks = looks.fill(ann, timedelta(hours=1))
    client = Client()
    client.force_login(ann)
    value = client.cookies["sessionid"].value
    cookie: Any = {"name": "sessionid", "value": value, "url": url}
    for scheme in ("light", "dark"):
        page = page_of(browser, scheme, 1280, 946, 1.25)
        page.context.add_cookies([cookie])
        page.goto(f"{url}/messages/")
        page.evaluate("document.querySelector('monitio-messages')?.remove()")
        looks.use_font(page)
        page.locator(".monitio-row").nth(1).hover()
        yield f"list-{scheme}", [page.screenshot()]
        page.context.close()
    mails = []
    for scene, scheme, width in (
        ("digest", "light", 600), ("digest", "dark", 600), ("message", "light", 600),
        ("digest", "light", 390),
    ):  # fmt: skip
        page = page_of(browser, scheme, width, 800, 1.25)
        page.set_content(str(looks.EMAILS[scene](ann, pks).alternatives[0].content))
        looks.use_font(page)
        mails.append(page.screenshot(full_page=True))
        page.context.close()
    yield "email", mails
    board.fill(ann, user("bob"))
    for scheme in ("light", "dark"):
        page = page_of(browser, scheme, 1280, 900, 1.25)
        page.context.add_cookies([cookie])
        page.goto(url + board.PATH)
        expect(page.get_by_role("region", name="Running now")).to_be_visible()
        page.evaluate("document.querySelector('monitio-messages')?.remove()")
        looks.use_font(page)
        yield f"jobs-{scheme}", [page.screenshot(full_page=True)]
        page.context.close()


def ago(**how_long: float) -> str:
    return (datetime.now(UTC) - timedelta(**how_long)).isoformat()


def inbox(tab: Tab) -> bytes:
    old = {"seen": True, "read": True}
    tab.wire.put(
        message(1, title="Backup finished", level="success", created=ago(days=1.2), **old),
        message(2, title="contacts.csv imported", level="success", created=ago(days=1.1),
                body="19,712 contacts imported, 288 rejected.", url="/x",
                url_label="288 rejected rows", **old),
        message(3, title="Disk is almost full", level="warning", created=ago(days=1),
                body="3 GB left on the export volume.", **old),
        message(4, title="Maria Keller", seen=True, created=ago(hours=4),
                body="Could you check the VAT on line 2 of invoice 2026-118 before we send it?",
                **{"from": "Maria Keller"}),
        message(5, title="customers.csv could not be imported", level="error", seen=True,
                body="Line 1032: the “e-mail” column is empty.", created=ago(hours=2), url="/x",
                url_label="Try again"),
        message(6, title="Sales report is ready", level="success", seen=True,
                created=ago(minutes=3), body="1,204 rows, 3 sheets.", url="/x",
                url_label="sales-q3.xlsx"),
        job(7, title="Archiving 2026", percent=42.0, seen=True, text="Week 22 of 52"),
    )  # fmt: skip
    tab.part("bell").click()
    expect(tab.entries()).to_have_count(7)
    tab.entries().last.focus()
    tab.page.keyboard.press("#")
    expect(tab.part("dismiss")).to_be_visible()
    tab.page.locator("monitio-bell .scroll").evaluate("node => node.scrollTo(0, 0)")
    tab.page.mouse.move(200, 250)
    return tab.part("panel").screenshot()


def toasts(tab: Tab) -> bytes:
    tab.wire.put(
        message(4, title="Contact archived"),
        message(2, level="success", title="Sales report is ready", body="1,204 rows, 3 sheets.",
                url="/x", url_label="Download"),
        message(3, level="error", title="Month could not be closed",
                body="Three October invoices have no date. Add the dates, then try again.",
                url="/x", url_label="Try again"),
        job(1, percent=40.0, title="Importing contacts.csv", text="8,000 of 20,000 rows",
            cancel=True, eta=7),
    )  # fmt: skip
    tab.part("stack").hover(position={"x": 30, "y": 30})
    expect(tab.page.locator(".stack.resting")).to_have_count(0)
    tab.page.wait_for_timeout(300)
    return tab.page.screenshot()


def tasks(tab: Tab) -> bytes:
    bars = (("Importing contacts.csv", 82), ("Archiving 2026", 64), ("Checking 8 branches", 23))
    tab.wire.put(
        *(job(pk, task=name, title=name, percent=float(percent), cancel=True)
          for pk, (name, percent) in enumerate(bars, 1)),
        job(4, "retrying", task="rates", title="Exchange rates"),
        job(5, "queued", task="report", title="Monthly report"),
    )  # fmt: skip
    expect(tab.page.locator("[part~=tasks] li")).to_have_count(5)
    tab.page.wait_for_timeout(300)
    return tab.page.screenshot()


def elements(browser: Browser) -> Iterator[Row]:
    for name, shows, size in (
        ("inbox", (inbox,), (500, 680)),
        ("toasts", (toasts, tasks), (420, 520)),
    ):
        found = []
        for scheme in ("light", "dark"):
            for show in shows:
                with closing(Wire()) as wire:
                    wire.head = (
                        f"<style>:root {{ color-scheme: {scheme} }} body {{ background: "
                        "light-dark(#f4f5f7, #0e0f11) } body > :not(monitio-messages, "
                        "monitio-bell, header, p) { visibility: hidden }</style>"
                    )
                    page = page_of(browser, scheme, *size, 1.5)
                    tab = Tab(page.context, wire, [])
                    tab.open(auto_close="off", max=5)
                    looks.use_font(tab.page)
                    found.append(show(tab))
                    page.context.close()
        yield name, found


def sheet(browser: Browser, folder: Path, rows: list[Row]) -> bytes:
    figures = ""
    for name, ours in rows:
        theirs = data_url((folder / f"{name}.png").read_bytes(), "png")
        images = "".join(f"<img src='{data_url(png, 'png')}'>" for png in ours)
        figures += f"<img src='{theirs}'><div class=n{len(ours)}>{images}</div>"
    page = browser.new_page(viewport={"width": 2 * WIDTH + 30, "height": 300})
    page.set_content(
        f"""<style>body {{ margin: 10px; background: #777; color: #fff; font: 14px sans-serif;
        display: grid; grid-template-columns: {WIDTH}px {WIDTH}px; gap: 10px; align-items: start }}
        img {{ display: block; width: 100% }} div {{ display: grid; gap: 4px; align-items: start }}
        .n2 {{ grid-template-columns: 1fr 1fr }}
        .n4 {{ grid-template-columns: repeat(4, 1fr) }}</style>
        <b>The design</b><b>monitio</b>{figures}"""
    )
    picture = encode(page, page.screenshot(full_page=True))
    page.close()
    return picture


def main(folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
        with live_site() as url:
            rows = [*elements(browser), *pages(browser, url)]
        SHEET.write_bytes(sheet(browser, folder, rows))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
