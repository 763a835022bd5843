"""Replies: from the recipient of a message to its sender alone.

Their number is limited, and the recipient of replies may block their sender.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from monitio import constants
from monitio.conf import settings
from monitio.exceptions import NotAllowed, TooManyReplies
from monitio.messages import create, ratelimit
from monitio.messages.recipients import refuse_unknown
from monitio.models import BlockedSender, Message
from monitio.recipients import Recipient, accounts

HOUR = 60 * 60


def reply(who: Recipient, original: Message, text: str) -> Message:
    """The reply of ``who`` to ``original``; it is not saved when its recipient blocks ``who``."""
    sender = original.from_user
    if sender is None or who.is_visitor:
        raise NotAllowed
    subject, prefix = original.subject, _("Re: ")
    if subject and not subject.startswith(prefix):
        subject = f"{prefix}{subject}"[:255]
    answer = create.build_message(
        Recipient.for_user(sender),
        constants.INFO,
        text,
        from_user=accounts().get(pk=who.user_id),
        subject=subject,
    )
    # Replies of blocked senders count too: otherwise the limit would reveal the block.
    name = f"reply {who.key} {original.pk} {original.created.timestamp()}"
    if not ratelimit.is_allowed(name, settings.REPLIES_PER_HOUR, HOUR):
        raise TooManyReplies
    is_blocked = BlockedSender.objects.between(sender.pk, who.user_id).exists()
    return answer if is_blocked else create.save_message(answer)


def block(who: Recipient, sender: Recipient) -> None:
    if who.is_visitor or sender.is_visitor:
        raise NotAllowed("Only users can block, and only users can be blocked.")
    refuse_unknown([sender])
    BlockedSender.objects.here().get_or_create(user_id=who.user_id, sender_id=sender.user_id)


def unblock(who: Recipient, sender: Recipient) -> None:
    BlockedSender.objects.between(who.user_id, sender.user_id).delete()


def blocked_senders(who: Recipient) -> list[Any]:
    rows = BlockedSender.objects.here().filter(user=who.user_id).select_related("sender")
    return [row.sender for row in rows.order_by("pk")]
