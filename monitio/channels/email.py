"""The e-mail channel: one plain-text mail per delivery, through Django's own mail API."""

from __future__ import annotations

import smtplib
from typing import Any
from urllib.parse import urljoin

from django.conf import settings as django_settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from monitio.channels.base import Channel, PermanentFailure, TemporaryFailure
from monitio.conf import settings
from monitio.models import Delivery, Message


class EmailChannel(Channel):
    def send(self, message: Message, delivery: Delivery | None = None) -> None:
        mail = build(message, delivery)
        try:
            mail.send()
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused) as error:
            raise _by_code(error) from error
        except smtplib.SMTPResponseException as error:
            raise _by_code(error) from error
        except (OSError, smtplib.SMTPException) as error:
            raise TemporaryFailure(str(error)) from error


def build(message: Message, delivery: Delivery | None = None) -> EmailMessage:
    """The mail for one message. Raises ``PermanentFailure`` when there is nobody to send it to."""
    address = _address(message)
    context = {"message": message, "url": absolute(message.url), "user": message.user}
    with translation.override(message.language or django_settings.LANGUAGE_CODE):
        subject = render_to_string("monitio/email/subject.txt", context)
        body = render_to_string("monitio/email/body.txt", context)
    headers = {"Auto-Submitted": "auto-generated"}
    if delivery is not None and delivery.pk:
        # The same on every try, so that a mail sent twice is recognised as one.
        headers["Message-ID"] = f"<monitio-{delivery.pk}.{delivery.created:%Y%m%d%H%M%S}@{_host()}>"
    return EmailMessage(
        # A line break in a subject would start a new header.
        subject=" ".join(subject.split()),
        body=body,
        from_email=settings.EMAIL_FROM,
        to=[address],
        headers=headers,
    )


def absolute(url: str) -> str:
    """``url`` as an address that works outside the site, or '' when the site's own is unknown."""
    if not url or url.startswith(("http://", "https://")):
        return url
    return urljoin(settings.BASE_URL, url) if settings.BASE_URL else ""


def _address(message: Message) -> str:
    user: Any = message.user
    if user is None:
        raise PermanentFailure("An anonymous visitor has no e-mail address.")
    if not user.is_active:
        raise PermanentFailure("The user is not active.")
    address = getattr(user, user.get_email_field_name(), "")
    if not address:
        raise PermanentFailure("The user has no e-mail address.")
    return str(address)


def _host() -> str:
    return settings.BASE_URL.partition("://")[2].split("/")[0].split(":")[0] or "monitio.invalid"


def _by_code(error: Exception) -> TemporaryFailure | PermanentFailure:
    # RFC 5321 4.2.1: 4yz may succeed later, 5yz never will.
    codes = (
        [code for code, _ in error.recipients.values()]
        if isinstance(error, smtplib.SMTPRecipientsRefused)
        else [getattr(error, "smtp_code", 400)]
    )
    permanent = all(500 <= code < 600 for code in codes)
    return PermanentFailure(str(error)) if permanent else TemporaryFailure(str(error))
