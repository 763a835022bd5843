"""Which messages go into a digest."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from monitio.conf import settings
from monitio.constants import EMAIL
from monitio.models import Delivery, Digest, Job, Message, Preferences
from monitio.models.categories import Mode
from monitio.models.messages import MessageQuerySet
from monitio.models.schedule import DIGEST_FREQUENCIES
from monitio.recipients import Recipient


def messages_of(row: Preferences, digest: Digest) -> MessageQuerySet:
    """The messages of a digest that are still unread and wanted."""
    rows = _unread(row).filter(digest=digest.batch)
    unwanted = [name for name, chosen in row.chosen.items() if chosen.mode == Mode.OFF]
    return rows.exclude(category__in=unwanted) if unwanted else rows


def undigested(row: Preferences) -> MessageQuerySet:
    """Unread messages for this user's digests that no digest and no e-mail contains yet."""
    special = {*row.chosen, *settings.CATEGORIES}
    # Never true: a Q without conditions would be.
    wanted = Q(pk__in=[])
    if row.frequency in DIGEST_FREQUENCIES:
        wanted |= ~Q(category__in=special) & _since(row.digests_since)
    for name in sorted(special):
        if row.mode(name) == Mode.DIGEST:
            chosen = row.chosen.get(name)
            begin = max(row.digests_since, chosen.digests_since) if chosen else row.digests_since
            wanted |= Q(category=name) & _since(begin)
    # An e-mail about the start of a job does not contain its end.
    mailed = Delivery.objects.filter(message=OuterRef("pk"), channel=EMAIL, at_start=False)
    return _unread(row).filter(wanted, ~Exists(mailed), digest="")


def _unread(row: Preferences) -> MessageQuerySet:
    return Message.objects.of(Recipient.for_user(row.user_id)).visible().persistent().unread()


def _since(moment: datetime) -> Q:
    """Written since, or of a job that ended since: a running job waits for its end."""
    ended = Job.objects.ended().filter(pk=OuterRef("job"), finished_at__gte=moment)
    return Q(job=None, created__gte=moment) | Q(Exists(ended))
