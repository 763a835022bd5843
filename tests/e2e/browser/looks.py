"""Pages and e-mails in the tests' font, for assertions to the pixel and for pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from playwright.sync_api import Page, expect

import monitio
from monitio import api, preferences
from monitio.channels.email.channel import build
from monitio.digests import sender as digests
from monitio.jobs.reporter import MessageContent
from monitio.models import Delivery, Message
from monitio.preferences.choices import unsubscribe_url
from tests.support.jobs import reporter
from tests.support.people import user

# The Latin letters of Inter; its licence is beside it.
FONT = Path(__file__).with_name("fonts") / "inter.woff2"
STYLE = """@font-face { font-family: Test; src: url(data:font/woff2;base64,%s); font-weight: 1 999 }
:root { --monitio-font: 400 .875rem/1.25rem Test } * { font-family: Test !important }"""
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SETTINGS = {
    "MONITIO_STREAM_HEARTBEAT": 0.5,
    "MONITIO_BASE_URL": "https://example.com",
    "MONITIO_BRAND": {"name": "Contacts", "address": "Contacts Ltd., 1 Example Street, Gdańsk"},
    "MONITIO_CATEGORIES": {
        "imports": {"title": "Imports, exports"},
        "billing": {"title": "Billing"},
        "system": {"title": "System"},
        "security": {"title": "Security", "essential": True},
    },
    "MONITIO_CHANNELS": {
        "email": "monitio.channels.email.channel.EmailChannel",
        "apprise": "monitio.channels.apprise.AppriseChannel",
    },
    "MONITIO_APPRISE_URLS": {"Operations": "json://127.0.0.1/"},
}


def use_font(page: Page) -> None:
    page.add_style_tag(content=STYLE % base64.b64encode(FONT.read_bytes()).decode())
    page.evaluate("document.fonts.load('400 14px Test').then(() => null)")


def hold_time(page: Page) -> None:
    """Replace ages and headings of days by fixed texts."""
    for names, text in (("time, .m-at", "Wed 16:20"), (".monitio-day", "Today")):
        page.locator(names).evaluate_all(
            "(all, text) => all.forEach((one) => one.textContent = text)", text
        )


def fill(ann: Any, step: timedelta = timedelta(seconds=1)) -> dict[str, int]:
    """Create messages of several days; those of today are ``step`` apart.

    Returns their ids by name.
    """
    maria = user("maria", first_name="Maria", last_name="Keller")
    day = timedelta(days=1)
    contents: list[tuple[str, timedelta, dict[str, Any]]] = [
        ("backup", 3 * day, {
            "level": monitio.SUCCESS, "subject": "Backup finished",
            "message": "42 GB in 11 minutes.", "category": "system"}),
        ("payment", 3 * day, {
            "level": monitio.ERROR, "subject": "Payment for invoice 2026-104 was declined",
            "message": "The card has expired.", "category": "billing", "url": "/card/",
            "url_label": "Update the card"}),
        ("sign-in", day, {
            "level": monitio.INFO, "subject": "New sign-in from Firefox on Linux",
            "message": "Gdańsk, Poland. Not you? Change your password.", "url": "/security/",
            "url_label": "Review"}),
        ("contacts", day, {
            "level": monitio.SUCCESS, "subject": "contacts.csv imported",
            "message": "19,712 contacts imported, 288 rejected.", "category": "imports",
            "url": "/rejected/", "url_label": "Get the rejected rows"}),
        ("disk", day, {
            "level": monitio.WARNING, "subject": "Disk is almost full",
            "message": "3 GB left on the export volume.", "category": "system"}),
        ("person", 4 * step, {
            "level": monitio.INFO, "subject": "Maria Keller on invoice 2026-118",
            "message": "Could you check the VAT on line 2 before we send it?",
            "category": "billing", "from_user": maria}),
        ("failure", 2 * step, {
            "level": monitio.ERROR, "subject": "customers.csv could not be imported",
            "message": "Line 1032: the “e-mail” column is empty.", "category": "imports",
            "url": "/imports/", "url_label": "Fix and try again"}),
        ("report", step, {
            "level": monitio.SUCCESS, "subject": "Sales report is ready",
            "message": "1,204 rows, 3 sheets.", "category": "imports", "url": "/sales-q3.xlsx",
            "url_label": "Download the report"}),
    ]  # fmt: skip
    found = {}
    for name, ago, fields in contents:
        row = api.create_message(ann, fields.pop("level"), fields.pop("message"), **fields)
        if ago >= day:
            api.mark_read(ann, [row.pk])
        Message.objects.filter(pk=row.pk).update(created=timezone.now() - ago)
        found[name] = row.pk
    content = MessageContent(subject="Archiving 2026", category="system")
    job = reporter(ann, render=lambda outcome: content, cancellable=True)
    job.started()
    job.progressed(42, 100, "Week 22 of 52", final=True)
    found["running"] = Message.objects.get(subject="Archiving 2026").pk
    return found


# Pages of the site: paths, or functions that act on a page; "{name}" is the id of that message.


def select_two(page: Page) -> None:
    for box in page.locator("[name=ids]").all()[4:6]:
        box.check()
    expect(page.get_by_text("2 selected")).to_be_visible()


PAGES: dict[str, tuple[str, Callable[[Page], None] | None]] = {
    "list": ("/messages/", None),
    "selected": ("/messages/", select_two),
    "nothing found": ("/messages/?text=nothing", None),
    "running": ("/messages/{running}/", None),
    "failure": ("/messages/{failure}/", None),
    "reply": ("/messages/reply/{person}/", None),
    "confirm": ("/messages/delete/all/", None),
    "preferences": ("/messages/preferences/", None),
    "unsubscribe": ("{unsubscribe}", None),
}


def open_page(page: Page, site: str, scene: str, ann: Any, pks: dict[str, int]) -> None:
    """Load the page of a scene, without its pop-ups and in the tests' font."""
    path, act = PAGES[scene]
    url = unsubscribe_url(ann.pk, "imports") or ""
    page.goto(site + path.format(unsubscribe=url.removeprefix("https://example.com"), **pks))
    page.evaluate("document.querySelector('monitio-messages')?.remove()")
    hold_time(page)
    use_font(page)
    if act:
        act(page)


# Pages of the demo, for a new visitor.
DEMO = {"home": "", "no messages": "messages/", "mails": "mails/"}


def open_demo(page: Page, site: str, scene: str) -> None:
    page.goto(site + DEMO[scene])
    # Other tests have sent e-mails.
    page.evaluate("document.querySelectorAll('.mail, .hint + p').forEach((one) => one.remove())")
    use_font(page)


# E-mails.


def digest(ann: Any, pks: dict[str, int]) -> EmailMultiAlternatives:
    Message.objects.filter(user=ann).update(read=False)
    row = preferences.change(ann, frequency="weekly", weekday=0, hour=8)
    row.digests_since = timezone.now() - timedelta(days=7)
    mail = digests.preview(row)
    assert mail is not None
    return mail


def message(ann: Any, pks: dict[str, int]) -> EmailMultiAlternatives:
    row = Message.objects.get(pk=pks["report"])
    row.expires = timezone.now() + timedelta(days=14)
    return build(row, Delivery.objects.create(message=row, channel="email"))


EMAILS = {"digest": digest, "message": message}


def open_email(page: Page, scene: str, ann: Any, pks: dict[str, int]) -> None:
    page.set_content(str(EMAILS[scene](ann, pks).alternatives[0].content))
    hold_time(page)
    use_font(page)
