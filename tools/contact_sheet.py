"""Take docs/screenshots/contact-sheet.png, every look beside everything that is shown:
python tools/contact_sheet.py

Needs Pillow beside what the tests need. A folder as argument gets every picture in its full size.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.live_site import live_site  # noqa: E402 isort: skip

from django.test import Client  # noqa: E402
from django.test.utils import override_settings  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from monitio import api  # noqa: E402
from tests.e2e.browser.conftest import QUIET, chromium_path  # noqa: E402
from tests.e2e.browser.scenes import MODES, SCENES, THEMES, dressed, fill  # noqa: E402
from tests.support.people import user  # noqa: E402

SHEET = ROOT / "docs" / "screenshots" / "contact-sheet.png"
SIZE = {"width": 700, "height": 640}
SHOWN = {
    "light": ("toasts", "inbox", "list", "preferences"),
    "dark": ("toasts", "inbox", "list", "preferences"),
    "right to left": ("toasts",),
    "forced colors": ("inbox",),
    "320 pixels": ("toasts", "inbox"),
}
STYLE = """body { margin: 12px; background: #777; font: 13px/1.6 sans-serif; color: #fff;
  display: grid; grid-template-columns: repeat(12, 300px); gap: 8px; }
figure { margin: 0; } img { display: block; max-width: 300px; max-height: 275px; }"""


def pictures(browser: Browser, url: str) -> Iterator[tuple[str, bytes]]:
    ann, bob = user(first_name="Ann", is_staff=True, is_superuser=True), user("bob")
    client = Client()
    client.force_login(ann)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}
    for theme in THEMES:
        for mode, scenes in SHOWN.items():
            for scene in scenes:
                api.erase(ann)
                fill(ann, bob)
                context = browser.new_context(
                    base_url=url, locale="en-GB", reduced_motion="reduce", viewport=SIZE
                )
                context.add_cookies([cookie])  # type: ignore[list-item]
                page = context.new_page()
                with override_settings(**dressed(theme)):
                    SCENES[scene](page, theme)
                    MODES[mode](page)
                    page.evaluate("scrollTo(0, 0)")
                    page.wait_for_timeout(600)  # the cards of the stack have moved
                    yield f"{theme or 'default'}: {scene}, {mode}", page.screenshot()
                context.close()


def figure(label: str, png: bytes, folder: Path | None) -> str:
    if folder:
        (folder / f"{label}.png").write_bytes(png)
    source = base64.b64encode(png).decode()
    return f"<figure>{label}<img src='data:image/png;base64,{source}'></figure>"


def main(folder: Path | None) -> None:
    with live_site() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
        figures = "".join(figure(label, png, folder) for label, png in pictures(browser, url))
        page = browser.new_page(viewport={"width": 3712, "height": 300})
        page.set_content(f"<style>{STYLE}</style>{figures}")
        sheet = Image.open(BytesIO(page.screenshot(full_page=True)))
        browser.close()
    # A fraction of the size, with hardly a visible difference.
    sheet.convert("RGB").quantize(200, dither=Image.Dither.NONE).save(SHEET, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
