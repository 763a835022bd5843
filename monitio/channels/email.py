"""The e-mail channel: one mail per delivery."""

from __future__ import annotations

from django.core.mail import EmailMultiAlternatives

from monitio.channels.base import Channel
from monitio.conf import settings
from monitio.mail import links, readers
from monitio.mail.compose import Letter, compose
from monitio.mail.sending import send
from monitio.models import Delivery, Message


class EmailChannel(Channel):
    def send(self, message: Message, delivery: Delivery | None = None) -> None:
        send(build(message, delivery))


def build(message: Message, delivery: Delivery | None = None) -> EmailMultiAlternatives:
    """The mail for one message. Raises ``PermanentFailure`` when there is nobody to send it to."""
    url = links.absolute(message.url)
    return compose(
        Letter(
            template="monitio/email/message",
            to=readers.address_of(message.user),
            language=readers.language_of(message),
            time_zone=readers.time_zone_of(message.user),
            identity=_identity(message, delivery),
            context={"message": message, "user": message.user, "url": url},
            reply_to=readers.sender_of(message) if settings.EMAIL_REPLY_TO_SENDER else "",
            unsubscribe_url=links.unsubscribe_link(message),
        )
    )


def _identity(message: Message, delivery: Delivery | None) -> str:
    row: Message | Delivery = message if delivery is None else delivery
    # The moment, too: a database that was set up anew counts from 1 again.
    return f"{row._meta.model_name}-{row.pk}-{row.created.timestamp():.0f}"
