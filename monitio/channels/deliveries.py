"""Deliveries: one message on one channel, claimed, sent and settled exactly once.

A send that dies between the channel and the database is taken up again after a while: at least
once, with the same Message-ID.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from monitio import preferences
from monitio.channels import PermanentFailure, TemporaryFailure, get_channel
from monitio.channels.email.smtp import shared_connection
from monitio.channels.policy import DeliveryPolicy
from monitio.conf import settings
from monitio.constants import EMAIL
from monitio.models import Delivery, Message
from monitio.utils.text import clean_text

logger = logging.getLogger("monitio")

IMMEDIATELY = DeliveryPolicy()
FAILURES_IN_A_ROW = 5
# A sender that has not settled what it claimed by then is dead.
LEASE = timedelta(minutes=5)
# Seconds between two tries, at most.
LONGEST_BACKOFF = 15 * 60.0
State = Delivery.State


def create_deliveries(
    messages: Iterable[Message], mailing: DeliveryPolicy = IMMEDIATELY, channel: str = EMAIL
) -> list[Delivery]:
    """Write pending deliveries in the caller's transaction. One a message and channel, ever."""
    due_at = timezone.now() + timedelta(seconds=mailing.delay)
    deliveries = [
        Delivery(
            message=message,
            scope=message.scope,
            channel=channel,
            due_at=due_at,
            unless=mailing.unless,
        )
        for message in messages
    ]
    if channel == EMAIL:
        deliveries = preferences.filter_by_preference(deliveries)
    if not deliveries:
        return []
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    # Keys are not reported back where conflicts are ignored.
    pks = [delivery.message_id for delivery in deliveries]
    return list(Delivery.objects.filter(message__in=pks, channel=channel, state=State.PENDING))


def send(pk: int) -> bool:
    """Send one delivery of the current scope if it is due; True when this call sent it.

    Another process may hold or have settled it: then nothing happens. Raises ``TemporaryFailure``
    when the channel could not be reached; the delivery is then due again later.
    """
    delivery = _claim(pk)
    if delivery is None:
        return False
    if _is_news_again(delivery.message):
        _settle(delivery, State.PENDING, due_at=timezone.now() + LEASE, attempts=0)
        return False
    needless = _needless(delivery)
    if needless:
        _settle(delivery, State.SKIPPED, needless)
        return False
    if delivery.attempts > settings.DELIVER_RETRIES + 1:
        # Each time its sender died: it may be this e-mail that kills them.
        _settle(delivery, State.FAILED, f"Given up after {delivery.attempts - 1} tries.")
        return False
    try:
        get_channel(delivery.channel).send(delivery.message, delivery)
    except TemporaryFailure as error:
        if delivery.attempts > settings.DELIVER_RETRIES:
            reason = f"Given up after {delivery.attempts} tries. The last one: {error}"
            _settle(delivery, State.FAILED, reason)
            return False
        _settle(delivery, State.PENDING, str(error), timezone.now() + backoff(delivery.attempts))
        raise
    except PermanentFailure as error:
        _settle(delivery, State.FAILED, str(error))
        return False
    except Exception:
        # A defect of a template or a channel: trying again would only repeat it.
        logger.exception("Delivery %s failed.", pk)
        _settle(delivery, State.FAILED, "See the log.")
        return False
    _settle(delivery, State.SENT)
    return True


def next_try(pk: int) -> datetime | None:
    """When to try again: in the past when it is due now; None when it is settled or deleted."""
    waiting = Delivery.objects.here().unfinished().filter(pk=pk)
    return waiting.values_list("due_at", flat=True).first()


def oldest_due() -> QuerySet[Delivery, int]:
    """The keys of what is due, oldest first: one walk along an index."""
    return Delivery.objects.here().due().order_by("due_at", "pk").values_list("pk", flat=True)


def run_due(limit: int = 1000) -> tuple[int, int]:
    """Send what is due in the current scope, oldest first: ``(sent, not sent)``. For sites without
    a task queue.

    Gives up after a few failures in a row: the mail server is down, and each try takes its time.
    """
    sent = failed = in_a_row = 0
    with shared_connection():
        for pk in list(oldest_due()[:limit]):
            try:
                sent += send(pk)
                in_a_row = 0
            except TemporaryFailure:
                failed += 1
                in_a_row += 1
            if in_a_row == FAILURES_IN_A_ROW:
                break
    return sent, failed


def _claim(pk: int) -> Delivery | None:
    """The delivery, if it is due and this call is the one that may send it."""
    now = timezone.now()
    claimed = (
        Delivery.objects.here()
        .due(now)
        .filter(pk=pk)
        .update(state=State.CLAIMED, due_at=now + LEASE, attempts=F("attempts") + 1)
    )
    if not claimed:
        return None
    related = ("message__user", "message__job", "message__from_user")
    # None: its message was deleted this moment.
    return Delivery.objects.select_related(*related).filter(pk=pk).first()


def _is_news_again(message: Message) -> bool:
    """A job that was given up for lost lives: its mail waits for the true end."""
    return message.job is not None and not message.job.has_ended


def _needless(delivery: Delivery) -> str:
    """Why nobody needs it any more; '' when it is to be sent."""
    message = delivery.message
    if message.is_expired:
        return "The message has expired."
    if delivery.unless == Delivery.Unless.READ and message.read:
        return "It was read before."
    if delivery.unless == Delivery.Unless.SEEN and (message.read or message.seen):
        return "It was seen before."
    return ""


def backoff(attempts: int) -> timedelta:
    """Twice as long each time, up to ``LONGEST_BACKOFF``; at random, lest all come at once."""
    seconds = min(settings.DELIVER_BACKOFF * 2.0 ** min(attempts - 1, 20), LONGEST_BACKOFF)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311 - no secret


def _settle(
    delivery: Delivery, state: str, error: str = "", due_at: datetime | None = None, **more: Any
) -> None:
    now = timezone.now()
    rows = Delivery.objects.unfinished().filter(pk=delivery.pk)
    if state != State.SENT:
        # Too slow: another sender has taken it over, and says what becomes of it.
        rows = rows.filter(state=State.CLAIMED, attempts=delivery.attempts)
    sent_at = now if state == State.SENT else None
    rows.update(state=state, error=clean_text(error), due_at=due_at or now, sent_at=sent_at, **more)
    if state != State.PENDING:
        remove_shown(delivery.message_id)


def remove_shown(message_pk: int) -> None:
    """Delete a message that was kept only until its deliveries were out."""
    shown = Message.objects.filter(pk=message_pk, hidden=True)
    if not shown.with_pending_delivery().exists():
        shown.delete()
