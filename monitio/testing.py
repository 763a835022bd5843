"""For the tests of a site: assertions about messages, and a transport that stays in the process.

Messages are rows, so they exist at once. Events and e-mails follow after commit: in a
``TestCase`` run the code under test inside ``self.captureOnCommitCallbacks(execute=True)``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from monitio.channels import deliveries
from monitio.digests import sender as digests
from monitio.models import Delivery, Message
from monitio.models.schedule import aware
from monitio.recipients import Recipient
from monitio.transports.base import Listener, Transport
from monitio.transports.events import Event, everybody_in


@contextmanager
def capture_messages() -> Iterator[list[Message]]:
    """The messages written inside the block, oldest first; the list is filled when it ends.

    >>> with capture_messages() as captured:
    ...     client.post("/export/")
    >>> [message.subject for message in captured]
    ['Export: done']
    """
    before = set(Message.objects.values_list("pk", flat=True))
    captured: list[Message] = []
    try:
        yield captured
    finally:
        new = Message.objects.exclude(pk__in=before).select_related("user", "job")
        captured.extend(new.order_by("pk"))


def assert_notified(
    who: Any,
    *,
    subject: str | None = None,
    text: str | None = None,
    level: int | None = None,
    url: str | None = None,
) -> Message:
    """The newest message of ``who`` (user, primary key or Recipient) that matches all arguments.

    ``subject`` and ``text`` match a part. Raises ``AssertionError`` that lists the messages that
    ``who`` did get.
    """
    recipient = Recipient.of(who)
    received = list(Message.objects.of(recipient).newest_first())
    for message in received:
        if (
            (subject is None or subject in message.subject)
            and (text is None or text in message.text)
            and (level is None or message.level == level)
            and (url is None or message.url == url)
        ):
            return message
    raise AssertionError(f"{recipient!r} got no such message, but: {_listed(received)}")


def assert_not_notified(who: Any) -> None:
    """Raises ``AssertionError`` that lists the messages of ``who`` if there are any."""
    received = list(Message.objects.of(Recipient.of(who)))
    if received:
        raise AssertionError(f"Expected silence, but: {_listed(received)}")


def run_digests(at: datetime) -> list[EmailMessage]:
    """Send every digest that is due ``at`` this moment; returns the e-mails.

    Needs the mail backend of Django's test runner. Messages of the test are created now, so ``at``
    lies in the future.

    >>> preferences.change(ann, frequency="daily", hour=8)
    >>> monitio.create_message(ann, monitio.INFO, "Your report is ready")
    >>> [mail.subject for mail in run_digests(at=timezone.now() + timedelta(days=1))]
    ['Your report is ready']
    """
    before = len(mail.outbox)
    digests.run_due(clock=lambda: aware(at))
    return mail.outbox[before:]


def _listed(messages: list[Message]) -> str:
    if not messages:
        return "nothing."
    lines = (f"{row.level_name}: {row.subject!r} {row.text!r} -> {row.url!r}" for row in messages)
    return "\n  " + "\n  ".join(lines)


@contextmanager
def capture_deliveries() -> Iterator[list[Delivery]]:
    """The deliveries planned inside the block, oldest first; the list is filled when it ends.

    >>> with capture_deliveries() as captured:
    ...     monitio.create_message(ann, monitio.INFO, "Ready", via={"push": True})
    >>> [(delivery.channel, delivery.due_at) for delivery in captured]
    """
    before = set(Delivery.objects.values_list("pk", flat=True))
    captured: list[Delivery] = []
    try:
        yield captured
    finally:
        new = Delivery.objects.exclude(pk__in=before).select_related("message")
        captured.extend(new.order_by("pk"))


def run_due(at: datetime | None = None) -> list[Delivery]:
    """Send every delivery that is due ``at`` this moment (None: now); returns them, as they ended.

    Conditions (``unless="read"``) are judged now, whatever ``at`` is.
    """
    due = Delivery.objects.due(aware(at) if at else None).order_by("due_at", "pk")
    pks = list(due.values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=pks, due_at__gt=timezone.now()).update(due_at=timezone.now())
    deliveries.run_due()
    ended = Delivery.objects.select_related("message").in_bulk(pks)
    return [ended[pk] for pk in pks if pk in ended]


@dataclass
class OpenPage:
    """What an open page of one recipient has received."""

    # At its opening: {"messages": […], "unread": 3, …}, the answer of ``message_json``.
    snapshot: dict[str, Any]
    # Since then.
    events: list[Event]


@contextmanager
def open_stream(client: Client) -> Iterator[OpenPage]:
    """What a page in this client's browser receives: a snapshot, then events inside the block.

    Nothing waits and no server runs: events are those published for the client's user or visitor.

    >>> with open_stream(client) as page, django_capture_on_commit_callbacks(execute=True):
    ...     monitio.create_message(ann, monitio.INFO, "Ready")
    >>> [event.kind for event in page.events]
    ['message']
    """
    response = client.get(reverse("message_json"))
    recipient = Recipient.existing(response.wsgi_request)
    page = OpenPage(response.json(), [])
    with capture_events() as events:
        try:
            yield page
        finally:
            if recipient is not None:
                topics = {recipient.topic, everybody_in(recipient.scope)}
                page.events.extend(event for event in events if event.topic in topics)


class RecordingTransport(Transport):
    """Records every event and publishes none: see ``capture_events``."""

    # One list for each block that is open.
    captures: ClassVar[list[list[Event]]] = []

    def publish(self, events: Sequence[Event]) -> None:
        for captured in self.captures:
            captured.extend(events)

    def listen(self, listener: Listener) -> None:
        while not listener.stopping():
            listener.on_subscribed(listener.take_changes()[0])
            listener.on_tick()
            time.sleep(0.05)


@contextmanager
def capture_events() -> Iterator[list[Event]]:
    """Every event published inside the block, in order; none leaves the process."""
    captured: list[Event] = []
    RecordingTransport.captures.append(captured)
    try:
        with override_settings(MONITIO_TRANSPORT=f"{__name__}.RecordingTransport"):
            yield captured
    finally:
        # By identity: another open block may hold equal events.
        RecordingTransport.captures[:] = [
            events for events in RecordingTransport.captures if events is not captured
        ]
