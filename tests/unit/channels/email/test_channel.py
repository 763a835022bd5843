from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils.safestring import mark_safe

import monitio
from monitio import api, dispatch
from monitio.channels import PermanentFailure, deliveries
from monitio.channels.email import brand
from monitio.channels.email.channel import EmailChannel, build
from monitio.links import absolute
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient
from tests.support.jobs import mailing, reporter
from tests.support.people import user


@pytest.fixture(autouse=True)
def _without_worker(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)


def message(text: str = "The text.", **more: Any) -> Message:
    return api.create_message(user(), monitio.INFO, text, **more)


def content(letter: Any) -> str:
    """The e-mail's text above the signature."""
    return str(letter.body).partition("\n\n-- \n")[0]


def test_the_email_has_the_text_of_the_message(settings: Any) -> None:
    settings.MONITIO_EMAIL_FROM = "site@example.com"
    EmailChannel().send(Delivery(message=message(subject="Subject")))
    (letter,) = mail.outbox
    assert (letter.subject, content(letter)) == ("Subject", "The text.")
    assert (letter.to, letter.from_email) == (["ann@example.com"], "site@example.com")


def test_an_email_costs_seven_statements(django_assert_num_queries: Any) -> None:
    delivery = Delivery.objects.get(message=message(email=True))
    # Claim, row, quiet hours, bounces, language, end, and the check for a deleted message.
    with django_assert_num_queries(7):
        assert deliveries.send(delivery.pk)


def test_each_email_has_its_own_boundary() -> None:
    letters = [build(message()).message() for _ in range(2)]
    one, other = (letter.get_boundary() for letter in letters)
    assert one and other and one != other
    assert f"\n--{one}--" in letters[0].as_string()


def test_the_default_sender_is_the_sites(settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "default@example.com"
    assert build(message()).from_email == "default@example.com"


def test_a_message_without_subject_is_titled_by_its_text() -> None:
    assert build(message("x" * 100)).subject == "x" * 69 + "…"


@pytest.mark.parametrize("bad", ["a\nBcc: x@example.com", "a\r\nBcc: x@example.com", "a\rb"])
def test_a_line_break_never_starts_a_header(bad: str) -> None:
    EmailChannel().send(Delivery(message=message(subject=bad)))
    (letter,) = mail.outbox
    assert "\n" not in letter.subject and "\r" not in letter.subject
    assert letter.bcc == [] and "Bcc" not in letter.message()


def test_a_line_break_in_an_address_fails_for_good() -> None:
    ann = user()
    ann.email = "ann@example.com\nBcc: x@example.com"
    ann.save()
    row = message(email=True)
    assert deliveries.send(Delivery.objects.get(message=row).pk) is False
    assert mail.outbox == []


def test_markup_of_a_safe_message_is_removed() -> None:
    letter = build(message(mark_safe("<p>1 &lt; 2</p>"), subject="<b>"))
    assert (content(letter), letter.subject) == ("1 < 2", "<b>")


def test_a_link_is_written_out_when_the_sites_address_is_known(settings: Any) -> None:
    row = message(url="/report/", url_label="See it")
    assert "See it: https://example.com/report/" in build(row).body
    settings.MONITIO_BASE_URL = ""
    assert "/report/" not in build(row).body
    assert absolute("https://other.example/") == "https://other.example/"


def test_the_mail_is_in_the_recipients_language(settings: Any) -> None:
    settings.MONITIO_BASE_URL = "https://example.com"
    settings.LANGUAGE_CODE = "en"
    polish = api.create_message(
        Recipient.for_user(user(), "pl"), monitio.INFO, "one", url="/report/"
    )
    assert polish.language == "pl"
    assert "Otwórz: https://example.com/report/" in build(polish).body
    assert "Open: https://example.com/report/" in build(message(url="/report/")).body


def test_every_try_has_the_same_id_and_is_marked_as_automatic(settings: Any) -> None:
    settings.MONITIO_BASE_URL = "https://example.com:8000/site"
    row = message(email=True)
    delivery = Delivery.objects.get()
    first, second = build(row, delivery), build(row, delivery)
    assert first.extra_headers == second.extra_headers
    assert first.extra_headers["Message-ID"].endswith("@example.com>")
    assert first.extra_headers["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("change", [{"email": ""}, {"is_active": False}])
def test_a_user_without_a_usable_address_gets_no_email(change: dict[str, Any]) -> None:
    row = message()
    type(row.user).objects.update(**change)
    row.refresh_from_db()
    with pytest.raises(PermanentFailure):
        build(row)


def test_a_visitor_cannot_be_mailed() -> None:
    row = api.create_message(Recipient.for_visitor("a" * 32), monitio.INFO, "one")
    with pytest.raises(PermanentFailure, match="visitor"):
        build(row)


# The site's brand, and facts beside the text.


def html(letter: Any) -> str:
    return str(letter.alternatives[0].content)


def test_the_site_is_named_by_its_brand_else_by_its_host(settings: Any) -> None:
    settings.MONITIO_BASE_URL = "https://example.com"
    assert ">e</span>&nbsp; example.com" in html(build(message())).replace(">E<", ">e<")
    settings.MONITIO_BRAND = {"name": "Shop & Co", "logo": "/logo.png", "address": "1 High Street"}
    letter = build(message())
    assert "Shop &amp; Co" in html(letter) and "1 High Street" in html(letter)
    assert '<img src="https://example.com/logo.png"' in html(letter)
    assert letter.body.rstrip().endswith("1 High Street")


@pytest.mark.parametrize("color", ["#2d5bd7", "#ffe14d", "#111111", "#ffffff", "#0a8f5b"])
def test_any_brand_colour_is_readable(settings: Any, color: str) -> None:
    settings.MONITIO_BRAND = {"color": color}
    shown = brand.brand()
    pairs = [
        (shown.text, shown.color), (shown.link, brand.LIGHT), (shown.link_dark, brand.DARK),
    ]  # fmt: skip
    for one, other in pairs:
        assert brand.contrast(one, other) >= 4.5, (one, other)


def test_both_parts_have_the_facts_of_the_task_and_why_it_is_sent() -> None:
    begun = datetime(2026, 11, 26, 14, 54, tzinfo=UTC)
    job = Job.objects.create(
        task_id="t", state="succeeded", started_at=begun, finished_at=begun + timedelta(minutes=4),
        completed=1204, total=1204, attempt=2,
    )  # fmt: skip
    row = message(subject="Report", email="unless_seen")
    Message.objects.filter(pk=row.pk).update(job=job)
    row.refresh_from_db()
    letter = build(row, Delivery.objects.get())
    page = html(letter).replace("\xa0", " ")
    for fact in ("Took", "4 minutes", "Processed", "1204 of 1204", "Attempts", "Done"):
        assert fact in page
    for fact in ("Took: 4\xa0minutes", "Processed: 1204 of 1204", "Attempts: 2"):
        assert fact in letter.body
    reason = "Sent to ann@example.com because this task notifies you and you had left the page."
    assert reason in page and reason in letter.body


def test_a_message_from_a_user_names_them_in_both_parts() -> None:
    bob = user("bob", first_name="Bob", last_name="Smith")
    letter = build(message(from_user=bob))
    for part in (html(letter), letter.body):
        assert "because Bob Smith wrote to you." in part
        assert "From Bob Smith, " in part


def test_a_category_may_have_templates_of_its_own(settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "monitio" / "email" / "exports"
    folder.mkdir(parents=True)
    (folder / "message.txt").write_text("An export: {{ message.text }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    assert build(message(category="exports")).body == "An export: The text.\n"
    assert content(build(message(category="other"))) == "The text."
    # The path stays within the template folder.
    assert content(build(message(category="x/../exports"))) == "The text."


@pytest.mark.parametrize(
    ("category", "list_id"),
    [
        ("", "<monitio.example.com>"),
        ("exports", "<exports.monitio.example.com>"),
        ("Big Exports!", "<big-exports.monitio.example.com>"),
    ],
)
def test_filters_can_sort_by_the_category(settings: Any, category: str, list_id: str) -> None:
    settings.MONITIO_BASE_URL = "https://example.com"
    assert build(message(category=category)).message()["List-Id"] == list_id


def test_the_e_mails_about_a_job_are_one_conversation() -> None:
    report = reporter(user(), user("bob"), render=mailing)
    report.succeeded()
    first, second = (build(row).message() for row in Message.objects.all())
    assert first["In-Reply-To"] == first["References"] == second["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]
    other = reporter(user(), task="task-2", render=mailing)
    other.succeeded()
    assert build(Message.objects.latest("pk")).message()["References"] != first["References"]
    assert "References" not in build(message()).message()
