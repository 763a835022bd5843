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
from monitio.models import BlockedSender, Message
from monitio.recipients import Recipient, accounts

HOUR = 60 * 60


def reply(who: Recipient, original: Message, text: str) -> Message:
    """The answer of ``who`` to ``original``; it is not stored when its recipient blocks ``who``."""
    sender = sender_for(who, original)
    answer = create.build(
        Recipient.for_user(sender),
        constants.INFO,
        text,
        from_user=accounts().get(pk=who.user_id),
        subject=_subject(original.subject),
    )
    # Blocked senders are counted alike, so that the limit does not give the block away.
    name = f"reply {who.key} {original.pk} {original.created.timestamp()}"
    if not ratelimit.allows(name, settings.REPLIES_PER_HOUR, HOUR):
        raise TooManyReplies
    is_blocked = BlockedSender.objects.between(sender.pk, who.user_id).exists()
    return answer if is_blocked else create.store(answer)


def sender_for(who: Recipient, original: Message) -> Any:
    """The user whom ``who`` may answer or block. Raises ``NotAllowed`` without one."""
    if original.from_user is None or who.is_visitor:
        raise NotAllowed
    return original.from_user


def block(who: Recipient, original: Message) -> None:
    sender = sender_for(who, original)
    BlockedSender.objects.here().get_or_create(user_id=who.user_id, sender=sender)


def unblock(who: Recipient, original: Message) -> None:
    sender = sender_for(who, original)
    BlockedSender.objects.between(who.user_id, sender.pk).delete()


def _subject(subject: str) -> str:
    prefix = _("Re: ")
    return subject if not subject or subject.startswith(prefix) else f"{prefix}{subject}"[:255]
