"""Which messages go into a digest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import DateTimeField, Exists, F, OuterRef, Q, Subquery, Value, Window
from django.db.models.functions import RowNumber

from monitio.conf import settings
from monitio.constants import EMAIL
from monitio.models import Delivery, Digest, Job, Message, Preferences
from monitio.models.categories import Mode
from monitio.models.messages import MessageQuerySet
from monitio.models.schedule import DIGEST_FREQUENCIES
from monitio.recipients import Recipient

# Up to so many unread messages of a user are loaded at once.
FEW = 50


def messages_of(row: Preferences, digest: Digest) -> MessageQuerySet:
    """The messages of a digest that are still unread and wanted."""
    # They carry what the digests of several users have in common.
    rows = _unread([row]).filter(digest=digest.batch.partition("-")[0])
    unwanted = [name for name, chosen in row.chosen.items() if chosen.mode == Mode.OFF]
    return rows.exclude(category__in=unwanted) if unwanted else rows


def newest_of(rows: Sequence[Preferences], mark: str) -> dict[Any, list[Message]]:
    """By user, up to ``FEW + 1`` unread messages with this mark, the newest first."""
    place = Window(RowNumber(), partition_by=F("recipient_key"), order_by=F("id").desc())
    found = defaultdict(list)
    marked = _unread(rows).filter(digest=mark).select_related("from_user")
    for message in marked.annotate(place=place).filter(place__lte=FEW + 1).newest_first():
        found[message.user_id].append(message)
    return found


def undigested(rows: Sequence[Preferences]) -> MessageQuerySet:
    """Unread messages for the digests of these users that no digest and no e-mail contains yet.

    Users with the same frequency and without choices for categories, or one user.
    """
    row, *others = rows
    special = {*row.chosen, *settings.CATEGORIES}
    # Never true: a Q without conditions would be.
    wanted = Q(pk__in=[])
    if row.frequency in DIGEST_FREQUENCIES:
        wanted |= ~Q(category__in=special) & _since("since")
    later = {}
    for number, name in enumerate(sorted(special)):
        if row.mode(name) == Mode.DIGEST:
            begin, chosen = "since", row.chosen.get(name)
            if chosen and chosen.digests_since > row.digests_since:
                begin = f"since_{number}"
                later[begin] = Value(chosen.digests_since, DateTimeField())
            wanted |= Q(category=name) & _since(begin)
    # An e-mail about the start of a job does not contain its end.
    mailed = Delivery.objects.filter(message=OuterRef("pk"), channel=EMAIL, at_start=False)
    since: Any = Value(row.digests_since, DateTimeField())
    if others:
        theirs = Preferences.objects.filter(user=OuterRef("user"), scope=row.scope)
        since = Subquery(theirs.values("digests_since"))
    unread = _unread(rows).alias(since=since, **later)
    return unread.filter(wanted, ~Exists(mailed), digest="")


def _unread(rows: Sequence[Preferences]) -> MessageQuerySet:
    keys = [Recipient.for_user(row.user_id).key for row in rows]
    messages = Message.objects.filter(recipient_key__in=keys)
    return messages.visible().persistent().unread()


def _since(begin: str) -> Q:
    """Written since, or of a job that ended since: a running job waits for its end."""
    ended = Job.objects.ended().filter(pk=OuterRef("job"), finished_at__gte=OuterRef(begin))
    return Q(job=None, created__gte=F(begin)) | Q(Exists(ended))
