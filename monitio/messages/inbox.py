"""Read the messages of one recipient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from monitio.conf import settings
from monitio.constants import LARGEST_INTEGER
from monitio.models import Message, reading
from monitio.models.messages import NEEDS_ATTENTION, PERSISTENT, MessageQuerySet
from monitio.recipients import Recipient
from monitio.utils.text import clean_text, whole_number


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which messages to show; the default is all of them.

    ``attention``: unread errors and warnings. ``category`` None: of all, '': of messages without
    one. ``since``: not older than this moment.
    """

    unread: bool = False
    running: bool = False
    attention: bool = False
    level: str = ""
    category: str | None = None
    text: str = ""
    since: datetime | None = None

    def of(self, rows: MessageQuerySet) -> MessageQuerySet:
        if self.unread:
            rows = rows.unread()
        if self.running:
            rows = rows.running()
        if self.attention:
            rows = rows.filter(NEEDS_ATTENTION)
        if self.level:
            rows = rows.named(self.level)
        if self.category is not None:
            rows = rows.filter(category=clean_text(self.category))
        if self.text:
            rows = rows.saying(clean_text(self.text))
        return rows if self.since is None else rows.filter(created__gte=self.since)


ALL = Filter()


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers of messages of one recipient; ``categories`` maps names to numbers."""

    total: int
    unread: int
    running: int
    attention: int
    categories: dict[str, int]


def find_messages(
    who: Recipient, wanted: Filter = ALL, *, before: int | None = None, limit: int | None = None
) -> list[Message]:
    if limit is not None:
        limit = min(whole_number("limit", limit), LARGEST_INTEGER)
        if limit < 0:
            raise ValueError(f"limit is a number of messages, not {limit}.")
    if before is None and limit is None and wanted == ALL:
        return reading.newest(who, settings.SNAPSHOT_SIZE)[0]
    rows = wanted.of(Message.objects.of(who).for_inbox())
    rows = rows.select_related("job", "from_user").newest_first()
    if before is not None:
        rows = rows.filter(pk__lt=whole_number("before", before))
    return list(rows[: limit or settings.SNAPSHOT_SIZE])


def count_messages(who: Recipient, wanted: Filter) -> int:
    return wanted.of(Message.objects.of(who).for_inbox()).count()


def counts(who: Recipient) -> Counts:
    """One query."""
    rows = Message.objects.of(who).for_inbox().order_by().values_list("category")
    found = rows.annotate(
        total=Count("pk"),
        unread=Count("pk", filter=PERSISTENT & Q(read=False)),
        running=Count("pk", filter=Q(running=True)),
        attention=Count("pk", filter=NEEDS_ATTENTION),
    )
    categories, numbers = {}, [0, 0, 0, 0]
    for name, *part in found:
        categories[name] = part[0]
        numbers = [sum(pair) for pair in zip(numbers, part, strict=True)]
    total, unread, running, attention = numbers
    return Counts(
        total=total, unread=unread, running=running, attention=attention, categories=categories
    )


def get_message(who: Recipient, pk: int) -> Message:
    rows = Message.objects.of(who).visible().select_related("job", "from_user")
    return rows.get(pk=whole_number("pk", pk))


def categories_of(who: Recipient) -> list[str]:
    rows = Message.objects.of(who).for_inbox().exclude(category="")
    return sorted(set(rows.values_list("category", flat=True).order_by().distinct()))


def unread_count(who: Recipient) -> int:
    return Message.objects.of(who).visible().persistent().unread().count()
