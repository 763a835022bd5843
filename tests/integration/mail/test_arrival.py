"""E-mails as a real mail server receives them, parsed by the standard library."""

from __future__ import annotations

from datetime import UTC
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django.utils.safestring import mark_safe

import monitio
from monitio import api, dispatch, preferences
from monitio.models import Delivery, Message
from monitio.recipients import Recipient
from tests.support.people import user
from tests.support.servers.smtp import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

UNSUBSCRIBE = "https://example.com/messages/unsubscribe/" + "a1:" * 70 + "/"


@pytest.fixture(autouse=True)
def _site(mail_server: MailServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    for name, value in mail_server.settings().items():
        setattr(settings, name, value)
    settings.MONITIO_BASE_URL = "https://example.com"
    settings.MONITIO_EMAIL_FROM = "Example <site@example.com>"
    settings.TIME_ZONE = "Europe/Warsaw"
    settings.LANGUAGES = [("en", "English"), ("pl", "Polski"), ("ar", "العربيّة")]


@pytest.fixture
def arrive(mail_server: MailServer) -> Any:
    """Send one message by e-mail; returns the e-mail that the server received."""

    def send(text: str = "The text.", to: Any = None, **more: Any) -> EmailMessage:
        api.create_message(to or user(), monitio.INFO, text, email=True, **more)
        assert [row.error for row in Delivery.objects.all()] == [""]
        (mail,) = mail_server.mails
        return mail

    return send


class _Page(HTMLParser):
    """Parses a page's visible text and the targets of its links."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._hidden = 0
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag in ("style", "title")
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def page(mail: EmailMessage) -> _Page:
    return _Page(part(mail, "html"))


def test_it_is_a_text_and_the_same_as_html(arrive: Any) -> None:
    mail = arrive("First line\nSecond line", subject="Report", url="/report/", url_label="See it")
    assert mail.get_content_type() == "multipart/alternative"
    kinds = [inner.get_content_type() for inner in mail.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    text = part(mail, "plain")
    assert "First line\nSecond line\n\nSee it: https://example.com/report/\n" in text
    assert "Report First line Second line See it" in page(mail).text


def test_the_headers_mark_it_as_automatic(arrive: Any) -> None:
    mail = arrive(subject="Report")
    delivery = Delivery.objects.get()
    assert (mail["From"], mail["To"]) == ("Example <site@example.com>", "ann@example.com")
    assert mail["Subject"] == "Report"
    stamp = f"{delivery.created.timestamp():.0f}"
    assert mail["Message-ID"] == f"<monitio.delivery-{delivery.pk}-{stamp}@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Precedence"] == "bulk"
    assert mail["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    sent = parsedate_to_datetime(mail["Date"])
    assert abs(timezone.now().timestamp() - sent.replace(tzinfo=UTC).timestamp()) < 300
    for absent in ("Reply-To", "Bcc", "Cc"):
        assert mail[absent] is None


def test_no_header_but_the_known_ones(arrive: Any) -> None:
    assert {name.lower() for name in arrive(subject="Report", category="reports")} == {
        "content-type", "mime-version", "subject", "from", "to", "message-id", "auto-submitted",
        "precedence", "x-auto-response-suppress", "date", "list-unsubscribe",
        "list-id", "list-unsubscribe-post",
    }  # fmt: skip


def test_unsubscribing_takes_one_click(
    arrive: Any, monkeypatch: pytest.MonkeyPatch, mail_server: MailServer
) -> None:
    monkeypatch.setattr(preferences, "unsubscribe_url", lambda *_: UNSUBSCRIBE)
    mail = arrive()
    assert mail["List-Unsubscribe"].strip() == f"<{UNSUBSCRIBE}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert UNSUBSCRIBE in page(mail).links
    assert f"Unsubscribe: {UNSUBSCRIBE}" in part(mail, "plain")
    # Mail clients do not decode this header, so it must not be encoded.
    assert b"=?" not in mail_server.sources[0].partition(b"\r\n\r\n")[0]


def test_an_essential_email_has_no_unsubscribe_link(arrive: Any, settings: Any) -> None:
    settings.MONITIO_CATEGORIES = {"security": {"essential": True}}
    mail = arrive(category="security")
    assert mail["List-Unsubscribe"] is None and mail["List-Unsubscribe-Post"] is None
    assert "Unsubscribe" not in page(mail).text + part(mail, "plain")


def test_every_link_is_absolute(arrive: Any) -> None:
    mail = arrive(url="/report/?a=1&b=2")
    inbox = "https://example.com/messages/"
    links = page(mail).links
    assert links[0] == "https://example.com/report/?a=1&b=2" and inbox in links
    assert all(link.startswith("https://example.com/") for link in page(mail).links)
    assert f"All notifications: {inbox}" in part(mail, "plain")


def buttons(mail: EmailMessage) -> int:
    return sum(fields.get("class") == "m-button" for _, fields in page(mail).tags)


def test_there_is_no_button_without_a_url(arrive: Any) -> None:
    assert buttons(arrive()) == 0


def test_one_button_names_what_it_opens(arrive: Any) -> None:
    mail = arrive(url="https://other.example/x", url_label="Download")
    assert "Download" in page(mail).text
    assert "https://other.example/x" in page(mail).links
    assert buttons(mail) == 1


def test_without_the_sites_address_there_are_no_links(arrive: Any, settings: Any) -> None:
    settings.MONITIO_BASE_URL = ""
    mail = arrive(url="/report/")
    assert page(mail).links == []
    assert "/report/" not in part(mail, "plain")
    assert mail["Message-ID"].endswith("@example.com>")


@pytest.mark.parametrize(
    "text",
    ["Zażółć gęślą jaźń", "تقريرك جاهز", "Done 🎉 👩‍💻", "日本語のテキスト " * 40, "a" * 2000],
)
def test_any_text_arrives_unharmed(arrive: Any, text: str, mail_server: MailServer) -> None:
    mail = arrive(text, subject=text[:200])
    assert mail["Subject"].strip() == " ".join(text[:200].split())
    assert part(mail, "plain").startswith(text)
    assert " ".join(text.split()) in page(mail).text
    assert max(len(line) for line in mail_server.sources[0].split(b"\r\n")) <= 998


INJECTIONS = ["a\nBcc: eve@example.com", "a\r\nBcc: eve@example.com", "a\rBcc: eve@example.com",
              "a\r\n\r\n<script>", "a\u2028Bcc: eve@example.com", "a\x00b", "a\x85b"]  # fmt: skip


@pytest.mark.parametrize("bad", INJECTIONS)
def test_nothing_becomes_a_header_or_markup(arrive: Any, bad: str, mail_server: MailServer) -> None:
    sender = user("bob", first_name=bad[:150], last_name="B")
    name = bad.replace("\0", "")  # refused in fields that are not shown to users
    mail = arrive(bad, subject=bad, category=name, extra_tags=name, from_user=sender, url_label=bad,
                  url="/x/")  # fmt: skip
    assert mail["Bcc"] is None
    assert mail_server.commands.count("RCPT") == 1
    assert len(mail.get_all("Subject")) == 1
    assert not set("\r\n\x00") & set(mail["Subject"])
    assert "script" not in [tag for tag, _ in page(mail).tags]


@pytest.mark.parametrize(
    "address",
    ["ann@example.com\nBcc: eve@example.com", "ann@example.com, eve@example.com", "ann@", "@"],
)
def test_an_address_that_cannot_be_one_ends_as_failed(
    mail_server: MailServer, address: str
) -> None:
    ann = user()
    type(ann).objects.filter(pk=ann.pk).update(email=address)
    api.create_message(ann.pk, monitio.INFO, "text", email=True)
    delivery = Delivery.objects.get()
    assert delivery.state == "failed" and delivery.error
    assert mail_server.mails == []


def test_markup_of_a_safe_message_is_text(arrive: Any) -> None:
    mail = arrive(mark_safe("<p>1 &lt; <b>2</b></p><script>x</script>"), subject="<b>bold</b>")
    assert part(mail, "plain").startswith("1 < 2")
    assert mail["Subject"] == "<b>bold</b>"
    tags = [tag for tag, _ in page(mail).tags]
    assert "b" not in tags and "script" not in tags


def test_it_is_in_the_readers_language_and_time_zone(arrive: Any) -> None:
    recipient = Recipient.for_user(user(), "pl")
    mail = arrive(to=recipient, url="/report/")
    assert "Otwórz: https://example.com/report/" in part(mail, "plain")
    assert ("html", {"lang": "pl", "dir": "ltr"}) in page(mail).tags
    created = Message.objects.get().created
    assert created.astimezone(timezone.get_default_timezone()).strftime("%H:%M") in page(mail).text


def test_the_users_preferences_take_precedence(arrive: Any) -> None:
    preferences.change(user(), language="pl", time_zone="Asia/Tokyo")
    mail = arrive(to=Recipient.for_user(user(), "en"))
    assert ("html", {"lang": "pl", "dir": "ltr"}) in page(mail).tags
    created = Message.objects.get().created.astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{created:%H:%M} JST" in page(mail).text


def test_the_page_has_the_direction_of_the_language(arrive: Any) -> None:
    shown = page(arrive("تقريرك جاهز", to=Recipient.for_user(user(), "ar")))
    assert ("html", {"lang": "ar", "dir": "rtl"}) in shown.tags


def test_the_email_supports_dark_mode(arrive: Any) -> None:
    source = part(arrive(), "html")
    assert '<meta name="color-scheme" content="light dark">' in source
    assert "@media (prefers-color-scheme: dark)" in source


def test_replies_go_to_the_sender_only_where_the_site_allows_it(arrive: Any, settings: Any) -> None:
    settings.MONITIO_EMAIL_REPLY_TO_SENDER = True
    mail = arrive("Hello", from_user=user("bob"))
    assert mail["Reply-To"] == "bob@example.com"
    assert "From bob," in page(mail).text


def test_a_users_address_is_not_shown_to_others(arrive: Any, mail_server: MailServer) -> None:
    assert arrive("Hello", from_user=user("bob"))["Reply-To"] is None
    assert b"bob@example.com" not in mail_server.sources[0]


@pytest.mark.parametrize("change", [{"is_active": False}, {"email": "a\r\nBcc: x@y.z"}])
def test_a_sender_without_an_address_gets_no_replies(
    arrive: Any, settings: Any, change: Any
) -> None:
    settings.MONITIO_EMAIL_REPLY_TO_SENDER = True
    bob = user("bob", **({} if "email" in change else change))
    type(bob).objects.filter(pk=bob.pk).update(**change)
    assert arrive("Hello", from_user=type(bob).objects.get(pk=bob.pk))["Reply-To"] is None


def test_a_site_may_bring_templates_of_its_own(arrive: Any, settings: Any, tmp_path: Any) -> None:
    folder = tmp_path / "monitio" / "email"
    folder.mkdir(parents=True)
    (folder / "message.subject.txt").write_text("[Site]\n{{ message.subject }}\n")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    assert arrive(subject="Report")["Subject"] == "[Site] Report"
