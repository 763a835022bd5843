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

logger = logging.getLogger("monitio")


def message_event(message: Message) -> Event:
    """The bell that carries this message's present state."""
    return Event(message.recipient_key, MESSAGE, payload(message))


def progress_event(topic: str, data: Payload) -> Event:
    """A transient frame of a moving bar: same shape as a message's payload."""
    return Event(topic, MESSAGE, data)


def gone_event(recipient: Recipient, pks: Sequence[int]) -> Event:
    """Says that these messages are no more."""
    return Event(recipient.topic, GONE, {"ids": list(pks)})


def recheck_event(recipient: Recipient) -> Event:
    """Says that a session of this recipient may have ended."""
    return Event(recipient.topic, RECHECK)


def session_bell(session_key: str) -> Event:
    """Says that this session has ended, whoever was signed in."""
    return Event(everybody_in(scope.current()), RECHECK, {"session": session_mark(session_key)})


def publish(bells: Iterable[Event]) -> bool:
    """Publish, whatever state the transport is in; True when it took the bells.

    Never raises: what matters is in the database already. A dead transport costs the first caller
    its time-out and is logged once; the next callers do not wait. When it is back, it says what it
    could not say.
    """
    bells = list(bells)
    if not bells:
        return False
    try:
        transport = get_transport()
    except ImproperlyConfigured as error:
        logger.error("No bell can ring: %s", error)
        return False
    breaker = transport.breaker
    if breaker.is_blocking(bells):
        return False
    try:
        transport.publish(bells)
    except Exception as error:
        breaker.failed(bells)
        breaker.outage.begins(
            "The live transport cannot be reached; open pages catch up later. %s", error
        )
        return False
    return True
