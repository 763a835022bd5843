"""Resend messages that were already sent, read or closed."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from monitio import dispatch
from monitio.channels import deliveries
from monitio.conf import settings
from monitio.messages.actions import FEW
from monitio.messages.create import BATCH
from monitio.models import Delivery, Message
from monitio.models.messages import MessageQuerySet


def resend(rows: MessageQuerySet) -> int:
    """Make these messages unread and unseen, and send them again on their channels; their number.

    Open pages show them again. Each settled delivery is replaced by a pending one, as far as the
    user still wants it, which receivers take for another message: at once, or after
    ``MONITIO_EMAIL_DELAY`` where it has a condition. Expired messages are left out.
    """
    pks, count = list(rows.visible().order_by().values_list("pk", flat=True)), 0
    for start in range(0, len(pks), BATCH):
        with transaction.atomic(using=dispatch.database()):
            count += _resend_batch(pks[start : start + BATCH])
    return count


def _resend_batch(pks: list[int]) -> int:
    # A write first: on SQLite, a transaction that will write begins with one.
    count = Message.objects.filter(pk__in=pks).touch(read=False, seen=False)
    rows = Message.objects.filter(pk__in=pks).select_related("user", "job", "from_user")
    messages = {message.pk: message for message in rows}
    # What a job sent at its start would be skipped: it has ended.
    settled = Delivery.objects.filter(message__in=pks, at_start=False).exclude(
        state__in=(Delivery.State.PENDING, Delivery.State.CLAIMED)
    )
    old = [delivery for delivery in settled if delivery.channel in settings.CHANNELS]
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in old]).delete()
    now = timezone.now()
    later = now + timedelta(seconds=settings.EMAIL_DELAY)
    # Other rows: with the old keys, mail servers and webhooks would drop them as duplicates.
    anew = [
        Delivery(
            message=messages[delivery.message_id],
            scope=delivery.scope,
            channel=delivery.channel,
            target=delivery.target,
            unless=delivery.unless,
            due_at=later if delivery.unless else now,
        )
        for delivery in old
    ]
    dispatch.deliver(deliveries.insert_wanted(anew))
    if len(messages) > FEW:
        dispatch.announce_news({message.recipient for message in messages.values()})
    else:
        dispatch.announce(list(messages.values()))
    return count
