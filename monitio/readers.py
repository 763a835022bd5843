"""The readers of a job: whom it tells today, and the one message that each of them holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.text import Truncator

from monitio import visitors
from monitio.constants import PERSISTENT_LEVELS, is_persistent, level_name
from monitio.exceptions import UnknownRecipient
from monitio.models import Job, Message
from monitio.outcomes import Notice
from monitio.recipients import Recipient

logger = logging.getLogger("monitio")

# What is noted of a recipient in Job.recipients, beside who they are.
TOLD, MAILED = "told", "mailed"


def is_untold(job: Job) -> bool:
    return not all(entry.get(TOLD) for entry in job.recipients)


@dataclass
class Reader:
    """One recipient of a job, what was noted of them, and the message they hold."""

    recipient: Recipient
    notes: list[dict[str, Any]]
    message: Message | None

    def was(self, what: str) -> bool:
        return any(note.get(what) for note in self.notes)

    def note(self, what: str) -> None:
        for note in self.notes:
            note[what] = True


def readers_of(job: Job) -> list[Reader]:
    """Whom the job tells today, with their messages locked until the commit."""
    messages = {message.recipient_key: message for message in messages_of(job, lock=True)}
    readers: dict[str, Reader] = {}
    for entry, stored in _stored_recipients(job):
        recipient = visitors.resolve(stored)
        reader = readers.setdefault(recipient.key, Reader(recipient, [], None))
        reader.notes.append(entry)
        # A visitor's message may still be on its way to the user they turned out to be.
        found = messages.get(recipient.key) or messages.get(stored.key)
        reader.message = reader.message or found
    return _present(list(readers.values()))


def recipients_of(job: Job) -> list[Recipient]:
    """Whom the job was to tell when it began."""
    return [recipient for _entry, recipient in _stored_recipients(job)]


def _stored_recipients(job: Job) -> Iterator[tuple[dict[str, Any], Recipient]]:
    for entry in job.recipients:
        try:
            recipient = Recipient.from_dict(entry)
            recipient.user_id  # noqa: B018 - raises when no user can have this key
        except UnknownRecipient as error:
            logger.warning("Job %s names a recipient nobody can be: %s", job.task_id, error)
        else:
            yield entry, recipient


def _present(readers: list[Reader]) -> list[Reader]:
    """Those who can still be told: a user deleted meanwhile is left out."""
    unsure = [who.recipient for who in readers if who.message is None]
    pks = [recipient.user_id for recipient in unsure if not recipient.is_visitor]
    if not pks:
        return readers
    found = get_user_model()._default_manager.filter(pk__in=pks).values_list("pk", flat=True)
    present = {Recipient.for_user(pk).key for pk in found}
    return [
        who
        for who in readers
        if who.message or who.recipient.is_visitor or who.recipient.key in present
    ]


def messages_of(job: Job, *, lock: bool = False) -> list[Message]:
    """What the recipients hold of this job, whoever they are today."""
    rows = Message.objects.filter(job=job, hidden=False).order_by("pk")
    messages = list(rows.select_for_update() if lock else rows)
    for message in messages:
        message.job = job
    return messages


def rewrite(job: Job, message: Message, notice: Notice | None, ended: bool) -> None:
    changes = _fields(notice) if notice else {}
    if ended:
        # The end is news, whatever its reader did to the message on the way.
        changes |= {"read": False, "seen": False}
    Message.objects.filter(pk=message.pk).touch(**changes)
    for name, value in changes.items():
        setattr(message, name, value)
    # The row is locked, so this is what touch() has written.
    message.version += 1


def write(job: Job, reader: Reader, notice: Notice) -> Message:
    if reader.was(TOLD):
        # Deleted by its reader, kept until its mail is out: it gives its place to a new one.
        hidden = Message.objects.filter(job=job, hidden=True, recipient_key=reader.recipient.key)
        hidden.update(job=None)
    message = Message(job=job, **_fields(notice))
    message.recipient = reader.recipient
    message.save()
    visitors.settle(reader.recipient)
    return message


def _fields(notice: Notice) -> dict[str, Any]:
    return {
        "subject": Truncator(notice.subject).chars(255),
        "message": notice.message,
        # A job's message stays until it is deleted, whatever level its author thought of.
        "level": notice.level if is_persistent(notice.level) else _LEVELS[level_name(notice.level)],
        "url": notice.url or "",
        "url_label": Truncator(notice.url_label).chars(255),
        "extra_tags": notice.extra_tags[:255],
        "category": notice.category[:100],
    }


_LEVELS = {level_name(level): level for level in PERSISTENT_LEVELS}
