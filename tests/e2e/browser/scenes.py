"""Every theme with every page: scenes that axe-core examines and the contact sheet shows.

The site is that of the tests. Pages in the Bootstrap theme load Bootstrap's style sheet; the admin
is Django's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

import monitio
from monitio import api
from monitio.channels import destinations
from monitio.jobs.reporter import MessageContent
from monitio.models import Destination, Message
from tests.support.jobs import reporter

HERE = Path(__file__).parent
PACKAGES = HERE.parents[2] / "node_modules"
THEMES = ("", "bootstrap5", "admin", "foundation", "jqueryui")
TOASTS = "monitio-messages li.toast"


def dressed(theme: str) -> dict[str, Any]:
    """The settings of a site with this theme."""
    (template,) = settings.TEMPLATES
    own = [HERE / "sites" / theme] if theme else []
    return {
        "MONITIO_THEME": theme,
        "MONITIO_STREAM_HEARTBEAT": 0.5,
        "MONITIO_CHANNELS": {
            "email": "monitio.channels.email.channel.EmailChannel",
            "apprise": "monitio.channels.apprise.AppriseChannel",
        },
        "MONITIO_APPRISE_URLS": {"Operations": "json://127.0.0.1/"},
        "MONITIO_CATEGORIES": {
            "exports": {"title": "Exports"},
            "security": {"title": "Security", "essential": True},
        },
        "STATICFILES_DIRS": [("npm", PACKAGES)],
        "TEMPLATES": [{**template, "DIRS": [*own, HERE / "sites/all", *template["DIRS"]]}],
    }


def fill(ann: Any, bob: Any) -> None:
    """Create one message of each level, one of them read, one with a sender, and a running job."""
    Destination.objects.create(user=ann, channel="pager", address={}, key="1", label="Phone")
    destinations.disable_email([ann], ann.email, "It bounced: 550 no such user")
    read = api.create_message(ann, monitio.DEBUG, "It took 12 ms.", subject="Cache warmed")
    api.mark_read(ann, [read.pk])
    # Read messages do not pop up.
    Message.objects.filter(pk=read.pk).update(created=timezone.now() - timedelta(days=2))
    api.create_message(ann, monitio.DEBUG, "Took 0.3 s, 14 queries.", subject="Report computed")
    api.create_message(
        ann, monitio.INFO, "Lunch at noon?", from_user=bob, subject="Bob has written to you"
    )
    api.create_message(ann, monitio.SUCCESS, "All 1,204 rows.", subject="Contacts imported")
    api.create_message(
        ann, monitio.WARNING, "Files are kept for two days.", subject="Space is running low",
        url="/", url_label="Tidy up", category="exports",
    )  # fmt: skip
    api.create_message(
        ann, monitio.ERROR, "The bank did not answer.", subject="Payment failed",
        url="/", url_label="Try again",
    )  # fmt: skip
    job = reporter(
        ann, render=lambda outcome: MessageContent(subject="Making the film"), cancellable=True
    )
    job.started()
    job.progressed(42, 100, "42 of 100 scenes", final=True)


def home(theme: str) -> str:
    return "/admin/" if theme == "admin" else "/"


def visit(page: Page, path: str) -> None:
    """Load a page of the site, and fail unless its status is 200."""
    response = page.goto(path)
    assert response
    assert response.ok, f"{path}: {response.status} {page.locator('body').inner_text()[:1000]}"


def toasts(page: Page, theme: str) -> None:
    # Keep them open during the examination.
    page.add_init_script("localStorage['monitio /messages/ keep-open'] = 'yes'")
    visit(page, home(theme))
    # Show all of them, on a phone too.
    page.evaluate("document.querySelector('monitio-messages').setAttribute('max', '6')")
    expect(page.locator(TOASTS)).to_have_count(6)
    page.keyboard.press("F8")
    expect(page.locator(TOASTS).filter(has_text="42 of 100")).to_be_visible()


def inbox(page: Page, theme: str) -> None:
    toasts(page, theme)
    page.evaluate("localStorage.clear()")
    page.locator("[part=bell]").click()
    expect(page.locator("monitio-bell li.entry")).to_have_count(7)


def uncover(page: Page) -> None:
    """Remove the pop-ups, which cover parts of the page."""
    page.evaluate("document.querySelector('monitio-messages').remove()")


def list_page(page: Page, theme: str) -> None:
    visit(page, "/messages/")
    uncover(page)


def preferences(page: Page, theme: str) -> None:
    visit(page, "/messages/preferences/")
    uncover(page)
    page.get_by_label("Address").fill("json://127.0.0.1/")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("not the address of a service")).to_be_visible()
    uncover(page)
    page.locator("summary").click()


SCENES: dict[str, Callable[[Page, str], None]] = {
    "toasts": toasts,
    "inbox": inbox,
    "list": list_page,
    "preferences": preferences,
}


def light(page: Page) -> None:
    """The default mode: change nothing."""


def dark(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
    # The admin's colours have a transition of 0.15 s.
    page.evaluate(
        "Promise.allSettled(document.getAnimations().map((one) => "
        "one.effect.getTiming().iterations === Infinity || one.finished)).then(() => null)"
    )


def right_to_left(page: Page) -> None:
    page.evaluate("document.documentElement.dir = 'rtl'")


def narrow(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})


def forced_colors(page: Page) -> None:
    page.emulate_media(forced_colors="active")


def as_it_comes(page: Page) -> None:
    """Undo the modes."""
    page.emulate_media(color_scheme="light", forced_colors="none")
    page.set_viewport_size({"width": 1100, "height": 800})
    page.evaluate(
        """() => {
          document.documentElement.dir = "ltr";
          document.documentElement.dataset.bsTheme = "light";
        }"""
    )


MODES: dict[str, Callable[[Page], None]] = {
    "light": light,
    "dark": dark,
    "right to left": right_to_left,
    "320 pixels": narrow,
    "forced colors": forced_colors,
}
