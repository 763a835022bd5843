"""Read the messages of one recipient."""

from __future__ import annotations

from monitio.conf import settings
from monitio.constants import LARGEST_INTEGER
from monitio.models import Message
from monitio.recipients import Recipient
from monitio.serializers import newest
from monitio.utils.text import clean_text, whole_number


def find_messages(
    who: Recipient,
    *,
    before: int | None,
    limit: int | None,
    unread_only: bool,
    level: str,
    category: str,
    text: str,
) -> list[Message]:
    if limit is not None:
        limit = min(whole_number("limit", limit), LARGEST_INTEGER)
        if limit < 0:
            raise ValueError(f"limit is a number of messages, not {limit}.")
    if before is None and limit is None and not (unread_only or level or category or text):
        return newest(who)[0]
    rows = Message.objects.of(who).for_inbox().select_related("job", "from_user").newest_first()
    if before is not None:
        rows = rows.filter(pk__lt=whole_number("before", before))
    if unread_only:
        rows = rows.unread()
    if level:
        rows = rows.named(level)
    if category:
        rows = rows.filter(category=clean_text(category))
    if text:
        rows = rows.saying(clean_text(text))
    return list(rows[: limit or settings.SNAPSHOT_SIZE])


def get_message(who: Recipient, pk: int) -> Message:
    rows = Message.objects.of(who).visible().select_related("job", "from_user")
    return rows.get(pk=whole_number("pk", pk))


def categories_of(who: Recipient) -> list[str]:
    rows = Message.objects.of(who).for_inbox().exclude(category="")
    return sorted(set(rows.values_list("category", flat=True).order_by().distinct()))


def unread_count(who: Recipient) -> int:
    return Message.objects.of(who).visible().persistent().unread().count()
