"""Deliveries: one message to one target on one channel, claimed, sent and settled by one process.

When a process dies after the send and before it settled the row, the send is repeated once its
lease has expired: at least once, under the same identity.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from monitio import preferences
from monitio.channels import Skipped, TemporaryFailure, destinations, get_channel
from monitio.channels.attempts import attempt
from monitio.channels.email.smtp import shared_connection
from monitio.channels.policy import DeliveryPolicy, Steps
from monitio.conf import settings
from monitio.constants import EMAIL
from monitio.models import Delivery, Message
from monitio.utils import measure

logger = logging.getLogger("monitio")

IMMEDIATELY: Steps = ((EMAIL, DeliveryPolicy()),)
FAILURES_IN_A_ROW = 5
# A run skips at most so many times its ``limit``: each look sorts all that is due.
LOOKS = 20
# A process that has not settled its claim by then is considered dead.
LEASE = timedelta(minutes=5)
State = Delivery.State


def create_deliveries(
    messages: Sequence[Message], steps: Steps = IMMEDIATELY, *, at_start: bool = False
) -> list[Delivery]:
    """Write pending deliveries in the caller's transaction, at most one a message and target.

    ``at_start``: of the start of a message's job, beside those of its end. A channel that the site
    has removed from ``MONITIO_CHANNELS`` gets none.
    """
    known = [step for step in steps if step[0] in settings.CHANNELS]
    planned = [delivery for step in known for delivery in _plan(messages, *step)]
    for delivery in planned:
        delivery.at_start = at_start
    return insert_wanted(planned)


def insert_wanted(planned: list[Delivery]) -> list[Delivery]:
    """Write those of these deliveries that their users want; those that are pending now."""
    rows = preferences.filter_by_preference(
        planned,
        lambda row, delivery: get_channel(delivery.channel).wants(row, delivery.message),
    )
    if not rows:
        return []
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    # bulk_create returns no keys where conflicts are ignored.
    return list(
        Delivery.objects.filter(
            message__in={row.message_id for row in rows},
            channel__in={row.channel for row in rows},
            state=State.PENDING,
            at_start=rows[0].at_start,
        )
    )


def _plan(messages: Sequence[Message], name: str, policy: DeliveryPolicy) -> Iterator[Delivery]:
    channel, found = get_channel(name), {}
    if channel.has_destinations:
        found = destinations.enabled_by_user({message.user_id for message in messages}, name)
    due_at = timezone.now() + timedelta(seconds=policy.delay)
    for message in messages:
        for target in channel.plan(message, found.get(message.user_id, [])):
            yield Delivery(
                message=message,
                scope=message.scope,
                channel=name,
                target=target,
                due_at=due_at,
                unless=policy.unless,
            )


def send(pk: int) -> bool:
    """Send one delivery of the current scope if it is due; True when this call sent it.

    Does nothing when another process holds or has settled it. Raises ``TemporaryFailure`` when the
    channel could not be reached; the delivery is then due again later.
    """
    delivery = _claim(pk)
    if delivery is None:
        return False
    job, now = delivery.message.job, timezone.now()
    if job is not None and not (job.has_ended or delivery.at_start):
        # A job counted as lost runs again: its deliveries wait for the final state.
        _settle(delivery, State.PENDING, due_at=now + LEASE, attempts=0)
        return False
    quiet_until = preferences.held_until(delivery.message, now)
    if quiet_until > now:
        _settle(delivery, State.PENDING, due_at=quiet_until, attempts=delivery.attempts - 1)
        return False
    result = attempt(delivery, partial(_send, delivery))
    _settle(delivery, result.state, result.reason, timezone.now() + result.wait)
    destinations.record(delivery, result)
    measure.record("deliveries", channel=delivery.channel, state=result.state)
    extra = {
        "delivery_id": pk,
        "delivery_channel": delivery.channel,
        "delivery_state": result.state,
        "delivery_attempt": delivery.attempts,
        "monitio_scope": delivery.scope,
    }
    logger.info("Delivery %s (%s): %s.", pk, delivery.channel, result.state, extra=extra)
    if result.state == State.PENDING:
        raise TemporaryFailure(result.reason)
    return result.state == State.SENT


def next_try(pk: int) -> datetime | None:
    """When the next attempt is due (now or earlier: at once); None when settled or deleted."""
    waiting = Delivery.objects.here().unfinished().filter(pk=pk)
    return waiting.values_list("due_at", flat=True).first()


def oldest_due() -> QuerySet[Delivery, tuple[int, str, str]]:
    """Primary key, channel and target of due deliveries, oldest first: one index scan."""
    rows = Delivery.objects.here().due().order_by("due_at", "pk")
    return rows.values_list("pk", "channel", "target")


def run_due(limit: int = 1000) -> tuple[int, int]:
    """Send the due deliveries of the current scope, oldest first; the numbers of those sent and of
    those to be retried. For sites without a task queue.

    Skips a destination after a failure, and its server after ``FAILURES_IN_A_ROW``: it is down, and
    each attempt may wait. Other servers are not delayed.
    """
    sent = failed = 0
    failing: set[str] = set()
    in_a_row: Counter[tuple[str, str]] = Counter()
    skipped, left = 0, limit
    with shared_connection():
        # What is skipped stays due, and must not hide what is due after it.
        while left and skipped < LOOKS * limit:
            due = list(oldest_due()[skipped : skipped + limit])
            if not due:
                break
            servers = destinations.servers(target for _pk, _channel, target in due if target)
            for pk, channel, target in due:
                server = servers.get(target, (channel, ""))
                if target in failing or in_a_row[server] == FAILURES_IN_A_ROW:
                    skipped += 1
                    continue
                if not left:
                    break
                left -= 1
                try:
                    sent += send(pk)
                    in_a_row[server] = 0
                except TemporaryFailure:
                    failed += 1
                    in_a_row[server] += 1
                    failing |= {target} - {""}
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


def _send(delivery: Delivery) -> None:
    """Raises ``Skipped`` when it need not be sent any more."""
    message, destination = delivery.message, delivery.destination
    if message.is_expired:
        raise Skipped("The message has expired.")
    if delivery.at_start and message.job is not None and message.job.has_ended:
        raise Skipped("The task has ended.")
    if delivery.unless == Delivery.Unless.READ and message.read:
        raise Skipped("It was read before.")
    if delivery.unless == Delivery.Unless.SEEN and (message.read or message.seen):
        raise Skipped("It was seen before.")
    if delivery.target and destination is None:
        raise Skipped("Its destination was removed.")
    if destination is not None and not getattr(message.user, "is_active", True):
        raise Skipped("The user is not active.")
    if destination is not None and destination.disabled_at is not None:
        raise Skipped(f"Its destination is disabled: {destination.reason or 'by the user.'}")
    get_channel(delivery.channel).send(delivery)


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
    shown = Message.objects.filter(pk=message_pk, hidden=True).without_pending_delivery()
    # Nearly none is: delete() would read rows in a transaction of its own.
    if shown.exists():
        shown.delete()
