"""Deliveries: one message on one channel, claimed, sent and settled by one process.

When a process dies after the send and before it settled the row, the send is repeated once its
lease has expired: at least once, with the same Message-ID.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from monitio import preferences
from monitio.channels import TemporaryFailure, get_channel
from monitio.channels.attempts import attempt, backoff
from monitio.channels.email.smtp import shared_connection
from monitio.channels.policy import DeliveryPolicy
from monitio.constants import EMAIL
from monitio.models import Delivery, Message

IMMEDIATELY = DeliveryPolicy()
FAILURES_IN_A_ROW = 5
# A process that has not settled its claim by then is considered dead.
LEASE = timedelta(minutes=5)
State = Delivery.State


def create_deliveries(
    messages: Iterable[Message], mailing: DeliveryPolicy = IMMEDIATELY, channel: str = EMAIL
) -> list[Delivery]:
    """Write pending deliveries in the caller's transaction, at most one a message and channel."""
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
    # bulk_create returns no keys where conflicts are ignored.
    pks = [delivery.message_id for delivery in deliveries]
    return list(Delivery.objects.filter(message__in=pks, channel=channel, state=State.PENDING))


def send(pk: int) -> bool:
    """Send one delivery of the current scope if it is due; True when this call sent it.

    Does nothing when another process holds or has settled it. Raises ``TemporaryFailure`` when the
    channel could not be reached; the delivery is then due again later.
    """
    delivery = _claim(pk)
    if delivery is None:
        return False
    job = delivery.message.job
    if job is not None and not job.has_ended:
        # A job counted as lost runs again: its e-mail waits for the final state.
        _settle(delivery, State.PENDING, due_at=timezone.now() + LEASE, attempts=0)
        return False
    needless = _needless(delivery)
    if needless:
        _settle(delivery, State.SKIPPED, needless)
        return False
    state, error = attempt(delivery, partial(_send, delivery))
    if state == State.PENDING:
        _settle(delivery, state, error, timezone.now() + backoff(delivery.attempts))
        raise TemporaryFailure(error)
    _settle(delivery, state, error)
    return state == State.SENT


def next_try(pk: int) -> datetime | None:
    """When the next attempt is due (now or earlier: at once); None when settled or deleted."""
    waiting = Delivery.objects.here().unfinished().filter(pk=pk)
    return waiting.values_list("due_at", flat=True).first()


def oldest_due() -> QuerySet[Delivery, int]:
    """The primary keys of due deliveries, oldest first: one index scan."""
    return Delivery.objects.here().due().order_by("due_at", "pk").values_list("pk", flat=True)


def run_due(limit: int = 1000) -> tuple[int, int]:
    """Send the due deliveries of the current scope, oldest first; the numbers of those sent and of
    those to be retried. For sites without a task queue.

    Stops after ``FAILURES_IN_A_ROW``: the mail server is down, and each attempt may wait for it.
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
    """The delivery, claimed; None when it is not due or another process holds it."""
    now = timezone.now()
    claimed = Delivery.objects.here().due(now).filter(pk=pk).claim(due_at=now + LEASE)
    if not claimed:
        return None
    related = ("message__user", "message__job", "message__from_user")
    # None: its message was deleted meanwhile.
    return Delivery.objects.select_related(*related).filter(pk=pk).first()


def _needless(delivery: Delivery) -> str:
    """Why it need not be sent any more; '' when it must be."""
    message = delivery.message
    if message.is_expired:
        return "The message has expired."
    if delivery.unless == Delivery.Unless.READ and message.read:
        return "It was read before."
    if delivery.unless == Delivery.Unless.SEEN and (message.read or message.seen):
        return "It was seen before."
    return ""


def _send(delivery: Delivery) -> str:
    get_channel(delivery.channel).send(delivery.message, delivery)
    return ""


def _settle(
    delivery: Delivery, state: str, error: str = "", due_at: datetime | None = None, **more: Any
) -> None:
    now = timezone.now()
    rows = Delivery.objects.unfinished().filter(pk=delivery.pk)
    if state != State.SENT:
        # The lease has expired: the process that claimed the row next decides on its state.
        rows = rows.filter(state=State.CLAIMED, attempts=delivery.attempts)
    rows.settle(state, error, now, due_at=due_at or now, **more)
    if state != State.PENDING:
        remove_shown(delivery.message_id)


def remove_shown(message_pk: int) -> None:
    """Delete a hidden message, which is kept only for its deliveries, when none is pending."""
    shown = Message.objects.filter(pk=message_pk, hidden=True)
    if not shown.with_pending_delivery().exists():
        shown.delete()
