"""Compose an e-mail from its templates: subject, text, HTML and headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from email.message import EmailMessage
from email.policy import Policy
from email.utils import parseaddr
from typing import Any
from uuid import uuid4

from django.conf import settings as django_settings
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone, translation
from django.utils.text import slugify

from monitio import links
from monitio.channels.email.brand import brand, site_name
from monitio.channels.templates import render_for
from monitio.conf import settings
from monitio.scope import base_url
from monitio.utils.text import one_line

UNSUBSCRIBE = "List-Unsubscribe"


@dataclass(frozen=True, kw_only=True)
class EmailContent:
    """The parts of an e-mail.

    ``template`` is the prefix of three template names (``.subject.txt``, ``.txt``, ``.html``), for
    example ``monitio/email/message``. ``message_key`` identifies what is e-mailed, for example
    ``delivery-7``: every attempt has the same, so that mail programs recognise a duplicate.
    ``category`` selects templates of its own (``monitio/email/<category>/message.html``) and is
    part of ``List-Id``. E-mails with the same ``thread_key`` are one conversation.
    ``unsubscribe_url`` unsubscribes by one click; '' where that is impossible.
    """

    template: str
    to: str
    language: str
    time_zone: tzinfo
    message_key: str
    category: str = ""
    thread_key: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str = ""
    unsubscribe_url: str = ""


class Mail(EmailMultiAlternatives):
    """Chooses its boundary, and leaves the address in ``List-Unsubscribe`` as it is.

    Python's newer policies encode a word that is longer than a line, which mail programs do not
    decode in a header of addresses.
    """

    def message(self, *args: Any, **kwargs: Any) -> Any:
        message: Any = super().message(*args, **kwargs)
        if message.is_multipart():
            # Without one, Python searches both parts for its own by an expression made each time.
            message.set_boundary(f"=_{uuid4().hex}")
        if isinstance(message, EmailMessage) and UNSUBSCRIBE in message:
            url = str(self.extra_headers[UNSUBSCRIBE])
            del message[UNSUBSCRIBE]
            message[UNSUBSCRIBE] = _Verbatim(url)
        return message


class _Verbatim(str):
    """A header value that Python's policies accept and do not fold."""

    name = UNSUBSCRIBE
    max_count = 1

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


def compose(content: EmailContent) -> EmailMultiAlternatives:
    """The e-mail, in its recipient's language and time zone.

    Beside ``content.context`` the templates have ``brand`` (a ``Brand``), ``site_name``, ``to``,
    ``inbox_url``, ``preferences_url``, ``unsubscribe_url``, ``language`` and ``direction`` (ltr or
    rtl). In ``content.context``, functions are called with the recipient's language active.
    """
    with links.for_recipient(content.language, base_url()), timezone.override(content.time_zone):
        site = brand()
        context = {
            "brand": site,
            "site_name": site.name,
            "to": content.to,
            "inbox_url": links.page("message_list"),
            "preferences_url": links.page("message_preferences"),
            "unsubscribe_url": content.unsubscribe_url,
            "language": content.language,
            "direction": "rtl" if translation.get_language_bidi() else "ltr",
            **{
                name: value() if callable(value) else value
                for name, value in content.context.items()
            },
        }
        subject = render_for(content.category, f"{content.template}.subject.txt", context)
        text = render_for(content.category, f"{content.template}.txt", context)
        html = render_for(content.category, f"{content.template}.html", context)
    mail = Mail(
        subject=one_line(subject),
        body=text.strip() + "\n",
        from_email=settings.EMAIL_FROM,
        to=[content.to],
        reply_to=[content.reply_to] if content.reply_to else None,
        headers=_headers(content),
    )
    mail.attach_alternative(html, "text/html")
    return mail


def message_id(identity: str) -> str:
    return f"<monitio.{identity}@{_domain()}>"


def _domain() -> str:
    """The site's, else that of the sender address of its e-mails."""
    domain = site_name()
    if not domain:
        sender = parseaddr(str(settings.EMAIL_FROM or django_settings.DEFAULT_FROM_EMAIL))[1]
        domain = sender.rpartition("@")[2]
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        domain = ""
    return domain or "monitio.invalid"


def _headers(content: EmailContent) -> dict[str, str]:
    headers = {
        "Message-ID": message_id(content.message_key),
        # RFC 3834: generated by a program, so no autoresponder should answer …
        "Auto-Submitted": "auto-generated",
        # … and the headers that older autoresponders read.
        "Precedence": "bulk",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
        # RFC 2919: what users' filters sort by.
        "List-Id": f"<{'.'.join(filter(None, (slugify(content.category), 'monitio', _domain())))}>",
    }
    if content.thread_key:
        headers["In-Reply-To"] = headers["References"] = message_id(content.thread_key)
    if content.unsubscribe_url:
        headers[UNSUBSCRIBE] = f"<{content.unsubscribe_url}>"
        # RFC 8058: mail programs may unsubscribe with one POST, without opening a page.
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
