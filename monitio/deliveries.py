"""Deliveries: one message on one channel, claimed, sent and settled exactly once.

A send that dies between the channel and the database is taken up again after a while: at least
once, with the same Message-ID.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from monitio.channels import PermanentFailure, TemporaryFailure, get_channel
from monitio.models import Delivery, Message

logger = logging.getLogger("monitio")

EMAIL = "email"
FAILURES_IN_A_ROW = 5
# A sender that has not settled what it claimed by then is dead.
LEASE = timedelta(minutes=5)
State = Delivery.State


def plan(
    messages: Iterable[Message], channel: str = EMAIL, *, delay: float = 0.0, unless: str = ""
) -> list[Delivery]:
    """Write pending deliveries in the caller's transaction. One a message and channel, ever.

    ``delay`` is in seconds; ``unless`` is a ``Delivery.Unless``: read or seen until then, a message
    is not sent.
    """
    due_at = timezone.now() + timedelta(seconds=delay)
    deliveries = _admitted(
        [
            Delivery(message=message, channel=channel, due_at=due_at, unless=unless)
            for message in messages
        ]
    )
    if not deliveries:
        return []
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    # Keys are not reported back where conflicts are ignored.
    pks = [delivery.message_id for delivery in deliveries]
    return list(Delivery.objects.filter(message__in=pks, channel=channel, state=State.PENDING))


def _admitted(deliveries: list[Delivery]) -> list[Delivery]:
    """Those of ``deliveries`` that their recipients want, each due when they want it."""
    return deliveries


def run(pk: int) -> bool:
    """Send one delivery; True when this call sent it.

    Another process may hold or have settled it: then nothing happens. Raises ``TemporaryFailure``
    when the channel could not be reached; the delivery is then pending again.
    """
    if not _claim(pk):
        return False
    related = ("message__user", "message__job", "message__from_user")
    delivery = Delivery.objects.select_related(*related).filter(pk=pk).first()
    if delivery is None:
        return False  # its message was deleted this moment
    try:
        get_channel(delivery.channel).send(delivery.message, delivery)
    except TemporaryFailure as error:
        _settle(delivery, State.PENDING, str(error))
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


def run_due(limit: int = 1000) -> tuple[int, int]:
    """Send what is due, oldest first: ``(sent, not sent)``. For sites without a task queue.

    Gives up after a few failures in a row: the mail server is down, and each try takes its time.
    """
    sent = failed = in_a_row = 0
    for pk in list(
        Delivery.objects.due().order_by("due_at", "pk").values_list("pk", flat=True)[:limit]
    ):
        try:
            sent += run(pk)
            in_a_row = 0
        except TemporaryFailure:
            failed += 1
            in_a_row += 1
        if in_a_row == FAILURES_IN_A_ROW:
            break
    return sent, failed


def _claim(pk: int) -> bool:
    now = timezone.now()
    rows = Delivery.objects.due(now).filter(pk=pk)
    return bool(rows.update(state=State.CLAIMED, due_at=now + LEASE, attempts=F("attempts") + 1))


def _settle(delivery: Delivery, state: str, error: str = "") -> None:
    sent_at = timezone.now() if state == State.SENT else None
    Delivery.objects.filter(pk=delivery.pk, state=State.CLAIMED).update(
        state=state, error=error, due_at=timezone.now(), sent_at=sent_at
    )
    if state != State.PENDING:
        remove_shown(delivery.message_id)


def remove_shown(message_pk: int) -> None:
    """Delete a message that was kept only until its deliveries were out."""
    shown = Message.objects.filter(pk=message_pk, hidden=True)
    if not shown.with_pending_delivery().exists():
        shown.delete()
