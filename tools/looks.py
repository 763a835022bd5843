"""Compare pictures of every scene with the stored ones, pixel by pixel: make looks

In the browser of BROWSER alone: others draw letters and corners in another way. After a change of
the design that is meant, ``make looks ARGS=--new`` stores them again, and the frames of the stack
that opens with them. ``--folder FOLDER`` keeps what differs.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.live_site import live_site  # noqa: E402 isort: skip

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from tests.e2e.browser import looks  # noqa: E402
from tests.e2e.browser.conftest import QUIET, chromium_path  # noqa: E402
from tests.e2e.browser.tab import Tab  # noqa: E402
from tests.e2e.browser.test_boxes import SCENES  # noqa: E402
from tests.e2e.browser.wire import Wire, job, message  # noqa: E402
from tests.e2e.demo.running import Demo  # noqa: E402
from tests.support.people import user  # noqa: E402

STORED = ROOT / "tests" / "e2e" / "browser" / "pictures"
BROWSER = STORED / "browser.txt"
STRIP = ROOT / "docs" / "screenshots" / "stack-opening.webp"
MODES = {"light": looks.DESKTOP, "dark": looks.DESKTOP, "phone": looks.PHONE}
# Of the stored pictures: all of them together have half a megabyte.
SCALE = 0.5
# Of the pixels of a picture: lossy compression and smoothed edges change less.
MOST_DIFFERENT = 0.002
ENCODE = """async ([png, scale]) => {
  const image = await createImageBitmap(await (await fetch(png)).blob());
  const canvas = new OffscreenCanvas(image.width * scale, image.height * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.8 });
  const reader = new FileReader();
  await new Promise((done) => Object.assign(reader, { onload: done }).readAsDataURL(blob));
  return reader.result.split(",")[1];
}"""
# The share of pixels that are far from those of the other picture; 1 for another size.
DIFFERENCE = """async (sources) => {
  const [one, other] = await Promise.all(sources.map(async (source) => {
    const image = await createImageBitmap(await (await fetch(source)).blob());
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  }));
  if (one.width !== other.width || one.height !== other.height) return 1;
  let far = 0;
  for (let at = 0; at < one.data.length; at += 4)
    far += [0, 1, 2].some((part) => Math.abs(one.data[at + part] - other.data[at + part]) > 64);
  return far / (one.width * one.height);
}"""
# Animations stand still at the time that a scene sets.
HELD = """
window.held = [];
const { animate } = Element.prototype;
Element.prototype.animate = function (...how) {
  const animation = animate.apply(this, how);
  animation.pause();
  held.push(animation);
  return animation;
};
"""


def data_url(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def encode(page: Page, png: bytes, scale: float = 1) -> bytes:
    """As WebP, of a tenth of the size."""
    text: str = page.evaluate(ENCODE, [data_url(png, "png"), scale])
    return base64.b64decode(text)


def in_modes(page: Page, name: str) -> Iterator[tuple[str, bytes]]:
    for mode, size in MODES.items():
        scheme = "dark" if mode == "dark" else "light"
        page.emulate_media(color_scheme=scheme)
        # The fake site follows the page, not the system.
        page.evaluate("scheme => document.documentElement.style.colorScheme = scheme", scheme)
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.mouse.move(0, 0)
        page.wait_for_timeout(100)
        yield f"{name}, {mode}", page.screenshot(animations="disabled")


def new_page(browser: Browser) -> Page:
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", bypass_csp=True)
    return context.new_page()


def site_pictures(browser: Browser, url: str) -> Iterator[tuple[str, bytes]]:
    for name, value in looks.SETTINGS.items():
        setattr(settings, name, value)
    ann = user()
    pks = looks.fill(ann)
    client = Client()
    client.force_login(ann)
    page = new_page(browser)
    value = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": value, "url": url}])
    for scene in looks.PAGES:
        looks.open_page(page, url, scene, ann, pks)
        yield from in_modes(page, scene)
    for scene in looks.EMAILS:
        looks.open_email(page, scene, ann, pks)
        yield from in_modes(page, f"e-mail {scene}")
    page.context.close()


def demo_pictures(browser: Browser) -> Iterator[tuple[str, bytes]]:
    with closing(Demo()) as demo:
        url = demo.wait_until_it_runs()
        for scene in looks.DEMO:
            page = new_page(browser)
            looks.open_demo(page, url, scene)
            yield from in_modes(page, f"demo {scene}")
            page.context.close()


def element_pictures(browser: Browser) -> Iterator[tuple[str, bytes]]:
    for scene, show in SCENES.items():
        with closing(Wire()) as wire:
            wire.head = "<style>body { background: light-dark(#f4f5f7, #0e0f11) }</style>"
            page = new_page(browser)
            tab = Tab(page.context, wire, [])
            tab.page.emulate_media(reduced_motion="reduce")
            tab.open(auto_close="off", max=4)
            looks.use_font(tab.page)
            show(tab)
            yield from in_modes(tab.page, scene)
            page.context.close()


def strip(browser: Browser, frames: int = 8) -> bytes:
    """The stack that opens, in so many frames beside each other."""
    with closing(Wire()) as wire:
        wire.head = (
            "<style>body { background: #f4f5f7 } "
            "body > :not(monitio-messages) { visibility: hidden }</style>"
        )
        page = browser.new_context(viewport={"width": 420, "height": 480}, bypass_csp=True)
        tab = Tab(page, wire, [])
        tab.open(auto_close="off", max=4)
        looks.use_font(tab.page)
        wire.put(
            job(1, percent=40.0, title="Importing contacts.csv", text="8,000 of 20,000 rows"),
            message(2, level="success", title="Sales report is ready", body="1,204 rows."),
            message(3, level="error", title="Month could not be closed", body="No date."),
            message(4, level="warning", title="Disk is almost full"),
        )
        tab.wait_for(3, 1, 4, 2)
        tab.page.wait_for_timeout(600)  # they have come in
        tab.run(f"() => {{ {HELD} }}")
        tab.expand()
        tab.page.wait_for_timeout(200)
        images = []
        for frame in range(frames):
            tab.page.evaluate(
                "part => held.forEach((one) => one.currentTime = "
                "part * one.effect.getComputedTiming().endTime * 0.999)",
                # Most of it happens in the beginning.
                (frame / (frames - 1)) ** 2,
            )
            images.append(data_url(tab.page.screenshot(), "png"))
        page.close()
    return sheet(browser, [[("", image) for image in images]], width=250)


def sheet(browser: Browser, rows: list[list[tuple[str, str]]], width: int) -> bytes:
    """Rows of labelled pictures, as WebP."""
    page = browser.new_page(viewport={"width": 400, "height": 300})
    figures = [
        "<div>" + "".join(f"<figure>{label}<img src='{url}'></figure>" for label, url in row)
        for row in rows
    ]
    page.set_content(
        f"<style>img {{ display: block; width: {width}px }} figure {{ margin: 0 }} body "
        "{ display: inline-block; margin: 0; padding: 6px; background: #777; color: #fff; "
        "font: 13px/1.6 sans-serif } div { display: flex; gap: 6px; margin-bottom: 6px; "
        f"align-items: start }}</style>{'</div>'.join(figures)}</div>"
    )
    picture = encode(page, page.locator("body").screenshot())
    page.close()
    return picture


def pictures(browser: Browser) -> Iterator[tuple[str, bytes]]:
    with live_site() as url:
        yield from site_pictures(browser, url)
    yield from element_pictures(browser)
    yield from demo_pictures(browser)


def compare(browser: Browser, folder: Path | None) -> list[str]:
    """What differs from the stored pictures."""
    page, different = browser.new_page(), []
    for name, png in pictures(browser):
        stored = STORED / f"{name}.webp"
        share = 1.0
        if stored.exists():
            both = [
                data_url(encode(page, png, SCALE), "webp"),
                data_url(stored.read_bytes(), "webp"),
            ]
            share = page.evaluate(DIFFERENCE, both)
        if share > MOST_DIFFERENT:
            different.append(f"{name}: {share:.2%} of the pixels")
            if folder:
                (folder / f"{name}.png").write_bytes(png)
    return different


def store(browser: Browser) -> None:
    page = browser.new_page()
    STORED.mkdir(exist_ok=True)
    for old in STORED.glob("*.webp"):
        old.unlink()
    for name, png in pictures(browser):
        (STORED / f"{name}.webp").write_bytes(encode(page, png, SCALE))
    BROWSER.write_text(f"Chromium {browser.version}\n")
    STRIP.write_bytes(strip(browser))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--new", action="store_true")
    parser.add_argument("--folder", type=Path)
    options: Any = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
        if options.new:
            store(browser)
            return 0
        stated = BROWSER.read_text().strip()
        if stated != f"Chromium {browser.version}":
            print(f"The pictures are of {stated}, and this is Chromium {browser.version}: take")
            print("those of main with `make looks ARGS=--new` first, then compare your change.")
            return 2
        different = compare(browser, options.folder)
        browser.close()
    print("\n".join(different) or "Every picture is as it was.")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
