"""The e-mail channel: one e-mail per delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.utils.translation import gettext_lazy as _

from monitio import links, preferences
from monitio.channels.base import Channel
from monitio.channels.email import addresses
from monitio.channels.email.compose import EmailContent, compose
from monitio.channels.email.smtp import send
from monitio.conf import settings
from monitio.models import Delivery, Destination, Message
from monitio.recipients import scope_mark


class EmailChannel(Channel):
    has_destinations = False
    title = _("E-mail")

    @property
    def timeout(self) -> float:  # type: ignore[override]
        return float(settings.EMAIL_TIMEOUT)

    def plan(self, message: Message, destinations: Sequence[Destination]) -> list[str]:
        return [""]

    def send(self, delivery: Delivery) -> None:
        send(build(delivery.message, delivery))


def build(message: Message, delivery: Delivery | None = None) -> EmailMultiAlternatives:
    """The e-mail for one message. Raises ``PermanentFailure`` when its user cannot be e-mailed."""
    to, url = addresses.email_address(message.user), links.absolute(message.url)
    chosen = preferences.for_user(message.user)
    language = addresses.language_of(chosen, message.language)
    row: Message | Delivery = message if delivery is None else delivery
    # With the timestamp: in a new database the keys start from 1 again.
    key = f"{row._meta.model_name}-{row.pk}-{row.created.timestamp():.0f}"
    if row.scope:
        # Tenants with tables of their own have the same keys.
        key = f"{key}-{scope_mark(row.scope)}"
    unsubscribe_url = preferences.unsubscribe_url(message.user_id, message.category, language)
    return compose(
        EmailContent(
            template="monitio/email/message",
            to=to,
            language=language,
            time_zone=chosen.zone,
            message_key=key,
            context={
                "message": message,
                "user": message.user,
                "url": url,
                "files": _files(message),
            },
            reply_to=addresses.sender_of(message) if settings.EMAIL_REPLY_TO_SENDER else "",
            unsubscribe_url=unsubscribe_url or "",
        )
    )


def _files(message: Message) -> list[dict[str, Any]]:
    """Those that can be downloaded, with their absolute URLs."""
    files = message.job.attached if message.job else []
    links_of = [file | {"url": links.file_page(message.pk, file["id"])} for file in files]
    return [file for file in links_of if file["url"] and not file["gone"]]
