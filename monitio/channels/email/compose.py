"""How an e-mail is made from its templates: subject, text, HTML and headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from email.message import EmailMessage
from email.policy import Policy
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation

from monitio import links
from monitio.conf import settings
from monitio.scope import base_url
from monitio.utils.text import one_line

UNSUBSCRIBE = "List-Unsubscribe"


@dataclass(frozen=True, kw_only=True)
class EmailContent:
    """What an e-mail is made from.

    ``template`` is the first part of the names of three templates, for example
    ``monitio/email/message``: with ``.subject.txt``, ``.txt`` and ``.html``. ``identity`` names
    what is mailed, for example ``delivery-7``: the same for every try, so that a mail sent twice is
    known as one. ``unsubscribe_url`` ends such e-mails by one click; '' where that is impossible.
    """

    template: str
    to: str
    language: str
    time_zone: tzinfo
    message_key: str
    context: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str = ""
    unsubscribe_url: str = ""


class Mail(EmailMultiAlternatives):
    """Leaves the address in ``List-Unsubscribe`` as it is.

    Python's newer policies encode a word that is longer than a line, which mail programs do not
    undo in a header that they read as an address.
    """

    def message(self, *args: Any, **kwargs: Any) -> Any:
        message: Any = super().message(*args, **kwargs)
        if isinstance(message, EmailMessage) and UNSUBSCRIBE in message:
            url = str(self.extra_headers[UNSUBSCRIBE])
            del message[UNSUBSCRIBE]
            message[UNSUBSCRIBE] = _Verbatim(url)
        return message


class _Verbatim(str):
    """A header's value as Python's policies take it, on one line of its own."""

    name = UNSUBSCRIBE
    max_count = 1

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


def compose(letter: EmailContent) -> EmailMultiAlternatives:
    """The e-mail, in its reader's language and time zone.

    Beside ``letter.context`` the templates know ``site_name``, ``inbox_url``, ``preferences_url``,
    ``unsubscribe_url``, ``language`` and ``direction`` (ltr or rtl).
    """
    with links.for_reader(letter.language, base_url()), timezone.override(letter.time_zone):
        context = _shared_context(letter) | dict(letter.context)
        subject = render_to_string(f"{letter.template}.subject.txt", context)
        text = render_to_string(f"{letter.template}.txt", context)
        html = render_to_string(f"{letter.template}.html", context)
    mail = Mail(
        subject=one_line(subject),
        body=text.strip() + "\n",
        from_email=settings.EMAIL_FROM,
        to=[letter.to],
        reply_to=[letter.reply_to] if letter.reply_to else None,
        headers=_headers(letter),
    )
    mail.attach_alternative(html, "text/html")
    return mail


def message_id(identity: str) -> str:
    return f"<monitio.{identity}@{_mail_domain()}>"


def _site_name() -> str:
    """What the site calls itself in the address bar; '' when its address is unknown."""
    return urlsplit(base_url()).hostname or ""


def _mail_domain() -> str:
    """The domain of the site, else that of the sender of its e-mails."""
    sender = parseaddr(str(settings.EMAIL_FROM or django_settings.DEFAULT_FROM_EMAIL))[1]
    domain = _site_name() or sender.rpartition("@")[2]
    try:
        return domain.encode("idna").decode() or "monitio.invalid"
    except UnicodeError:
        return "monitio.invalid"


def _shared_context(letter: EmailContent) -> dict[str, Any]:
    return {
        "site_name": _site_name(),
        "inbox_url": links.page("message_list"),
        "preferences_url": links.page("message_preferences"),
        "unsubscribe_url": letter.unsubscribe_url,
        "language": letter.language,
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
    }


def _headers(letter: EmailContent) -> dict[str, str]:
    headers = {
        "Message-ID": message_id(letter.message_key),
        # RFC 3834: nobody wrote this by hand, so no machine should answer it …
        "Auto-Submitted": "auto-generated",
        # … and what older machines look at instead.
        "Precedence": "bulk",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
    }
    if letter.unsubscribe_url:
        headers[UNSUBSCRIBE] = f"<{letter.unsubscribe_url}>"
        # RFC 8058: a mail program may do it with one POST, without opening a page.
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
