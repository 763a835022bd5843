"""Publish events through the transport, so that open pages show them at once.

A lost event costs latency, never a message.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from django.core.exceptions import ImproperlyConfigured

from monitio import scope
from monitio.models import Message
from monitio.recipients import Recipient, session_mark
from monitio.serializers import Payload, payload
from monitio.transports import Event, get_transport
from monitio.transports.events import GONE, MESSAGE, RECHECK, everybody_in
from monitio.utils.measure import record

logger = logging.getLogger("monitio")


def message_event(message: Message) -> Event:
    """The event that carries this message's present state."""
    return Event(message.recipient_key, MESSAGE, payload(message))


def progress_event(topic: str, data: Payload) -> Event:
    """A step of a progress bar, which is not stored. ``data`` has the shape of ``payload``."""
    return Event(topic, MESSAGE, data)


def gone_event(recipient: Recipient, pks: Sequence[int]) -> Event:
    """These messages were deleted."""
    return Event(recipient.topic, GONE, {"ids": list(pks)})


def recheck_event(recipient: Recipient) -> Event:
    """A session of this recipient may have ended."""
    return Event(recipient.topic, RECHECK)


def session_event(session_key: str) -> Event:
    """This session has ended; its user is not known here, so every stream compares its own."""
    return Event(everybody_in(scope.current()), RECHECK, {"session": session_mark(session_key)})


def publish(events: Iterable[Event]) -> bool:
    """Publish, whatever state the transport is in; True when it took the events.

    Never raises: the database has the messages already. A dead transport costs the first caller
    its time-out and is logged once; the next callers do not wait. The breaker keeps the events and
    publishes them when the transport is back.
    """
    events = list(events)
    if not events:
        return False
    try:
        transport = get_transport()
    except ImproperlyConfigured as error:
        logger.error("Events cannot be published: %s", error)
        return False
    breaker = transport.breaker
    if breaker.is_blocking(events):
        record("events", len(events), result="kept")
        return False
    try:
        transport.publish(events)
    except Exception as error:
        breaker.failed(events)
        breaker.outage.begins(
            "The live transport cannot be reached; open pages catch up later. %s", error
        )
        record("events", len(events), result="kept")
        return False
    record("events", len(events), result="published")
    return True
