"""What happens after commit: events are published, deliveries are handed over.

The only place that calls ``on_commit``: recipients are notified after it, once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connections, router, transaction
from django.utils import timezone

from monitio import scope
from monitio.channels import TemporaryFailure, deliveries
from monitio.conf import settings
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient
from monitio.transports import Event, get_transport
from monitio.transports.publish import (
    gone_event,
    message_event,
    publish,
    recheck_event,
    session_event,
)
from monitio.utils.deadline import deadline, remaining
from monitio.utils.outage import Outage

logger = logging.getLogger("monitio")

# Seconds a process leaves alone a mail server that took all the time there was.
PAUSE = 30.0


@dataclass
class Hooks:
    """What task queues take over. Their integrations fill them in ``AppConfig.ready``."""

    # Send this delivery in a worker, at this moment or later. Without it the process that committed
    # sends what is due, and monitio_deliver the rest.
    deliver: Callable[[int, datetime], None] | None = None
    # By integration (``Job.integration``): cancel its job with this task id.
    cancel: dict[str, Callable[[str], None]] = field(default_factory=dict)
    # By integration: start a task again, with its job and its ``jobs.retry.StoredCall``.
    retry: dict[str, Callable[[Job, Any], None]] = field(default_factory=dict)


hooks = Hooks()
_broker_outage = Outage()


def database() -> str:
    """The alias the messages are written to."""
    return router.db_for_write(Message)


def in_transaction() -> bool:
    return connections[database()].in_atomic_block


def after_commit(call: Callable[[], object]) -> None:
    """Run after the caller's transaction, or now when there is none. What it raises is logged.

    In the scope of the caller: another one may be current by the time of the commit.
    """
    call = scope.bind(call)
    transaction.on_commit(lambda: call() and None, using=database(), robust=True)


def announce(messages: Sequence[Message]) -> None:
    """Publish the present state of these messages to open pages, after commit."""
    live = [message for message in messages if message.live]
    if live:
        after_commit(lambda: publish([message_event(message) for message in live]))


def announce_job(job: Job) -> None:
    """Publish the present state of the job to all of its recipients, after commit."""
    rows = Message.objects.filter(job=job, hidden=False)
    rows.touch()
    announce(list(rows.select_related("job", "from_user")))


def announce_news(recipients: Iterable[Recipient]) -> None:
    """Have open pages reload their state, after commit: for changes of many messages."""
    events = [Event(recipient.topic) for recipient in recipients]
    after_commit(lambda: publish(events))


def announce_gone(recipient: Recipient, pks: Sequence[int]) -> None:
    """Remove these messages from open pages, after commit."""
    if pks:
        after_commit(lambda: publish([gone_event(recipient, pks)]))


def announce_recheck(recipient: Recipient) -> None:
    """Have the recipient's open streams check their session again, after commit."""
    after_commit(lambda: publish([recheck_event(recipient)]))


def announce_session_end(session_key: str) -> None:
    """Have the streams opened with this session check it again, after commit."""
    after_commit(lambda: publish([session_event(session_key)]))


def push(events: Sequence[Event]) -> bool:
    """Publish at once, also inside a transaction: for progress, which shows nothing uncommitted.

    False with a transport that publishes through the database: the bar moves later.
    """
    if in_transaction() and get_transport().in_database:
        return False
    return publish(events)


def deliver(pending: Iterable[Delivery]) -> None:
    """Hand deliveries to a worker, or send here what is due, after commit."""
    waiting = [(delivery.pk, delivery.due_at) for delivery in pending]
    if waiting:
        after_commit(lambda: _hand_over(waiting))


def _hand_over(waiting: Sequence[tuple[int, datetime]]) -> None:
    queue = hooks.deliver
    if queue is None:
        now = timezone.now()
        _send_here([pk for pk, due_at in waiting if due_at <= now])
        return
    try:
        for pk, due_at in waiting:
            queue(pk, due_at)
    except Exception as error:
        # One attempt at a broker that is down. The rows stay pending: the mails are late, not lost.
        _broker_outage.begins(
            "Deliveries could not be handed over; monitio_deliver will send them. %s", error
        )
    else:
        _broker_outage.ends()


# When, by the monotonic clock, this process tries a mail server again that kept it waiting.
_next_try_here = 0.0


def _send_here(pks: Sequence[int]) -> None:
    """Send what can be sent within ``EMAIL_TIMEOUT``: a user waits for this process."""
    global _next_try_here
    with deadline(settings.EMAIL_TIMEOUT):
        for number, pk in enumerate(pks):
            if not remaining(settings.EMAIL_TIMEOUT) or time.monotonic() < _next_try_here:
                logger.warning("%d deliveries wait for monitio_deliver.", len(pks) - number)
                break
            try:
                deliveries.send(pk)
            except TemporaryFailure as error:
                logger.warning("Delivery %s waits for the next monitio_deliver: %s", pk, error)
            except Exception:
                logger.exception("Delivery %s could not be sent.", pk)
        if not remaining(settings.EMAIL_TIMEOUT):
            _next_try_here = time.monotonic() + PAUSE
