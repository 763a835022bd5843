"""Take the screenshots of e-mails that the documentation shows: python tools/email_screenshots.py

``--source`` prints an e-mail as it goes over the wire instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.mail import EmailMultiAlternatives
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
# Playwright's event loop runs in this thread.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

import monitio  # noqa: E402
from monitio import preferences  # noqa: E402
from monitio.channels.email.channel import build  # noqa: E402
from monitio.digests import sender as digests  # noqa: E402
from monitio.models import Delivery, Message  # noqa: E402
from monitio.recipients import Recipient  # noqa: E402
from tests.e2e.browser.conftest import QUIET, chromium_path  # noqa: E402
from tests.support.people import user  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
DESKTOP = {"width": 720, "height": 520}
PHONE = {"width": 320, "height": 620}


def message(language: str, **fields: object) -> EmailMultiAlternatives:
    row = Message(category="exports", **fields)
    row.recipient = Recipient.for_user(user(), language)
    row.save()
    return build(row, Delivery.objects.create(message=row, channel="email"))


def english() -> EmailMultiAlternatives:
    return message(
        "en",
        level=monitio.SUCCESS,
        subject="Report for October: done",
        message="120 pages from 3 offices.\nThe file is kept for two weeks.",
        url="/reports/2026-10.pdf",
        url_label="Download the report",
    )


def arabic() -> EmailMultiAlternatives:
    return message(
        "ar",
        level=monitio.ERROR,
        subject="تقرير أكتوبر: فشل",
        message="تعذّرت قراءة الملف reports.csv في السطر 17.",
        url="/reports/",
        url_label="عرض التقارير",
    )


def digest() -> EmailMultiAlternatives:
    """What Bob has missed over a weekend."""
    bob = preferences.change(user("bob"), frequency="daily", time_zone="Europe/Warsaw", hour=7)
    ann = user("nowak", first_name="Ann", last_name="Nowak")
    rows: list[dict[str, Any]] = [
        {"subject": f"Export {number}: done", "level": monitio.SUCCESS, "category": "exports"}
        for number in range(12)
    ]
    rows += [
        {
            "subject": "Import of contacts.csv: failed",
            "message": "Line 17 has no e-mail address.",
            "level": monitio.ERROR,
            "category": "exports",
            "url": "/imports/17/",
        },
        {"subject": "Lunch on Friday?", "message": "The usual place at noon.", "from_user": ann},
        {"message": "Your storage is nearly full.", "level": monitio.WARNING, "url": "/storage/"},
    ]
    Message.objects.filter(user=bob.user).delete()
    for fields in rows:
        Message(user=bob.user, **{"message": "", "level": monitio.INFO, **fields}).save()
    mail = digests.preview(bob)
    assert mail is not None
    return mail


# Name of the picture: the e-mail, the colour scheme, the size.
PICTURES: dict[str, tuple[Callable[[], EmailMultiAlternatives], str, dict[str, int]]] = {
    "email-light": (english, "light", DESKTOP),
    "email-dark": (english, "dark", DESKTOP),
    "email-phone": (english, "light", PHONE),
    "email-phone-dark": (english, "dark", PHONE),
    "email-rtl": (arabic, "light", DESKTOP),
    "digest-light": (digest, "light", DESKTOP),
    "digest-dark": (digest, "dark", DESKTOP),
    "digest-phone": (digest, "light", PHONE),
    "digest-phone-dark": (digest, "dark", PHONE),
}


def shoot(browser: Browser, name: str) -> None:
    make, scheme, size = PICTURES[name]
    page = browser.new_page(color_scheme=scheme, viewport=size, device_scale_factor=1)
    page.set_content(str(make().alternatives[0].content))
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, f"{name} is {overflow} px too wide"
    # A digest is longer than a screen.
    page.screenshot(path=FOLDER / f"{name}.png", full_page=name.startswith("digest"))
    page.close()


def set_up_site() -> None:
    settings.MONITIO_BASE_URL = "https://example.com"
    settings.MONITIO_CATEGORIES = {"exports": {"title": "Exports and imports"}}
    settings.MONITIO_DIGEST_SIZE = 4
    settings.MONITIO_EMAIL_FROM = "Example <site@example.com>"
    settings.LANGUAGES = [("en", "English"), ("pl", "Polski"), ("ar", "العربيّة")]
    settings.TIME_ZONE = "Europe/Warsaw"
    call_command("migrate", verbosity=0)


def shoot_all() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
        for name in PICTURES:
            shoot(browser, name)
        browser.close()


def main() -> None:
    set_up_site()
    try:
        if "--source" in sys.argv:
            print(english().message().as_string())
        else:
            shoot_all()
    finally:
        connection.close()
        # This process's own database, and what SQLite leaves beside it.
        name = Path(settings.DATABASES["default"]["NAME"])
        for path in name.parent.glob(f"{name.name}*"):
            path.unlink()


if __name__ == "__main__":
    main()
