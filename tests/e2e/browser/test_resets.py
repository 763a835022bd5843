"""CSS resets of the site do not change the bundled pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page

import monitio
from monitio import api
from monitio.stream.broadcaster import get_broadcaster
from tests.conftest import needs_packages
from tests.e2e.browser.conftest import TIMEOUT
from tests.e2e.browser.scenes import PACKAGES, fill
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)

# The rules of normalize.css 8 and Tailwind's preflight 4 for the elements of monitio's pages.
NORMALIZE = """
html { line-height: 1.15; } h1 { font-size: 2em; margin: .67em 0; } a { background: transparent; }
b { font-weight: bolder; } img { border-style: none; } progress { vertical-align: baseline; }
button, input, select, textarea { font: inherit; font-size: 100%; line-height: 1.15; margin: 0; }
button, select { text-transform: none; } button, [type=submit] { appearance: button; }
fieldset { padding: .35em .75em .625em; } legend { display: table; max-width: 100%; padding: 0; }
[type=checkbox] { box-sizing: border-box; padding: 0; }
[type=search] { appearance: textfield; outline-offset: -2px; }
summary { display: list-item; }
"""
PREFLIGHT = """
*, ::after, ::before { box-sizing: border-box; margin: 0; padding: 0; border: 0 solid; }
html { line-height: 1.5; tab-size: 4; font-family: sans-serif; }
h1, h2, h3 { font-size: inherit; font-weight: inherit; }
a { color: inherit; text-decoration: inherit; }
b { font-weight: bolder; }
table { text-indent: 0; border-color: inherit; border-collapse: collapse; }
progress { vertical-align: baseline; } summary { display: list-item; }
ol, ul, menu { list-style: none; }
img, svg, video { display: block; vertical-align: middle; } img { max-width: 100%; height: auto; }
button, input, select, optgroup, textarea { font: inherit; letter-spacing: inherit; color: inherit;
  border-radius: 0; background-color: transparent; opacity: 1; }
::placeholder { opacity: 1; color: color-mix(in oklab, currentcolor 50%, transparent); }
textarea { resize: vertical; } button, [type=button] { appearance: button; }
"""
PAGES = ("/messages/", "/messages/preferences/", "/messages/{pk}/", "/messages/reply/{pk}/",
         "/messages/delete/all/")  # fmt: skip
MEASURE = """() => [...document.querySelectorAll("main .monitio-page *")]
  .filter((node) => node.checkVisibility() && !node.closest("svg, option, .monitio-hidden"))
  .map((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    const border = style.borderTopWidth === "0px" ? [] : ["borderTopColor", "borderRadius"];
    const looks = [...border, "color", "backgroundColor", "borderTopWidth", "fontSize",
      "fontWeight", "textDecorationLine", "listStyleType"];
    return [node.localName + "." + node.className, [x, y, width, height].map(Math.round),
      looks.map((name) => style[name])];
  })"""


@pytest.fixture
def page(browser: Browser, live_server: Any, settings: Any) -> Iterator[Page]:
    needs_packages()
    settings.MONITIO_STREAM_HEARTBEAT = 0.5
    settings.MONITIO_CATEGORIES = {"exports": {"title": "Exports"}, "safe": {"essential": True}}
    ann = user()
    fill(ann, user("bob"))
    client = Client()
    client.force_login(ann)
    context = browser.new_context(base_url=live_server.url, locale="en-GB")
    context.set_default_timeout(TIMEOUT)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    context.add_cookies([{**cookie, "url": live_server.url}])  # type: ignore[list-item]
    yield context.new_page()
    context.close()
    get_broadcaster().stop()


def measured(page: Page, reset: str) -> Any:
    # As the page's first style sheet, where sites load it.
    page.evaluate(
        """(css) => {
          document.querySelector("[data-reset]")?.remove();
          const style = Object.assign(document.createElement("style"), { textContent: css });
          style.dataset.reset = "";
          document.head.prepend(style);
        }""",
        reset,
    )
    return page.evaluate(MEASURE)


def test_every_reset_leaves_the_pages_as_they_are(page: Page) -> None:
    reboot = (PACKAGES / "bootstrap/dist/css/bootstrap-reboot.css").read_text()
    resets = {"normalize": NORMALIZE, "preflight": PREFLIGHT, "reboot": reboot}
    letter = api.create_message(user(), monitio.INFO, "Lunch?", from_user=user("bob"))
    for path in PAGES:
        page.goto(path.format(pk=letter.pk))
        plain = measured(page, "")
        assert len(plain) > 5
        for name, reset in resets.items():
            changed = [
                (one, other)
                for one, other in zip(plain, measured(page, reset), strict=True)
                if one != other
            ]
            assert changed == [], f"{path} under {name}"
