"""Read the messages of one recipient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from monitio.conf import settings
from monitio.constants import LARGEST_INTEGER
from monitio.models import Message, reading
from monitio.models.messages import NEEDS_ATTENTION, MessageQuerySet
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
# An index finds these, however many messages there are.
INDEXED = (ALL, Filter(unread=True), Filter(running=True))
# The messages that one search reads, and those that the list page counts.
SEARCHED, COUNTED = 5000, 1000


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers of messages of one recipient; ``categories`` maps names to numbers.

    ``capped``: those of the newest ``COUNTED`` messages alone, and there are more.
    """

    capped: bool = False
    total: int
    unread: int
    running: int
    attention: int
    categories: dict[str, int]


def find_messages(
    who: Recipient,
    wanted: Filter = ALL,
    *,
    before: int | None = None,
    limit: int | None = None,
    floor: int = 0,
) -> list[Message]:
    """Newest first; below the id ``before`` and not below ``floor``."""
    if limit is not None:
        limit = min(whole_number("limit", limit), LARGEST_INTEGER)
        if limit < 0:
            raise ValueError(f"limit is a number of messages, not {limit}.")
    if before is None and limit is None and wanted == ALL:
        return reading.newest(who, settings.SNAPSHOT_SIZE)
    rows = wanted.of(Message.objects.of(who).for_inbox().filter(pk__gte=floor)).newest_first()
    if before is not None:
        rows = rows.filter(pk__lt=whole_number("before", before))
    # Without joins: PostgreSQL expects one row of a search, and joins users in a loop.
    found = list(rows[: limit or settings.SNAPSHOT_SIZE])
    reading.add_jobs(found)
    reading.add_senders(found)
    return found


def floor_of(who: Recipient, number: int, before: int | None = None) -> int:
    """The id of the message after which ``number`` newer ones come; 0 where there are fewer."""
    rows = Message.objects.of(who).newest_first()
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return next(iter(rows.values_list("pk", flat=True)[number - 1 : number]), 0)


def count_messages(who: Recipient, wanted: Filter, floor: int = 0, most: int | None = None) -> int:
    """Those not below ``floor``, counted up to ``most``."""
    return wanted.of(Message.objects.of(who).for_inbox().filter(pk__gte=floor))[:most].count()


def counts(who: Recipient) -> Counts:
    """Three queries that read at most ``COUNTED`` messages; the unread ones are counted apart."""
    floor = floor_of(who, COUNTED)
    rows = Message.objects.of(who).for_inbox().filter(pk__gte=floor).order_by()
    found = rows.values_list("category").annotate(
        total=Count("pk"),
        running=Count("pk", filter=Q(running=True)),
        attention=Count("pk", filter=NEEDS_ATTENTION),
    )
    categories, numbers = {}, [0, 0, 0]
    for name, *part in found:
        categories[name] = part[0]
        numbers = [sum(pair) for pair in zip(numbers, part, strict=True)]
    total, running, attention = numbers
    return Counts(
        capped=floor > 0,
        total=total,
        unread=reading.count_unread(who),
        running=running,
        attention=attention,
        categories=categories,
    )


def get_message(who: Recipient, pk: int) -> Message:
    rows = Message.objects.of(who).visible().select_related("job", "from_user")
    return rows.get(pk=whole_number("pk", pk))


def categories_of(who: Recipient) -> list[str]:
    # All of them would be a search through the whole inbox.
    return sorted(reading.categories(who, COUNTED) - {""})


def unread_count(who: Recipient) -> int:
    return Message.objects.of(who).visible().persistent().unread().count()
