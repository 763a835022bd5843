"""The readers of a job: whom it tells today, and the one message that each of them holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.db.models import F
from django.utils import timezone
from django.utils.safestring import SafeString

from monitio import dispatch
from monitio.constants import PERSISTENT_LEVELS, is_persistent, level_name
from monitio.exceptions import UnknownRecipient
from monitio.jobs.outcome import MessageContent
from monitio.messages import visitors
from monitio.models import Job, Message
from monitio.recipients import Recipient, accounts
from monitio.utils.compiled_sql import CompiledUpdate, Placeholder, insert
from monitio.utils.shorten import shorten

logger = logging.getLogger("monitio")

# What is noted of a recipient in Job.recipients, beside who they are.
NOTIFIED, EMAILED = "told", "mailed"


def has_unnotified(job: Job) -> bool:
    return not all(entry.get(NOTIFIED) for entry in job.recipients)


class JobRecipient:
    """One recipient of a job, what was noted of them, and the message they hold."""

    def __init__(self, recipient: Recipient, others: _RecipientCache) -> None:
        self.recipient = recipient
        self.notes: list[dict[str, Any]] = []
        # A visitor's message may still be on its way to the user they turned out to be.
        self.keys = [recipient.key]
        self._others = others

    @cached_property
    def message(self) -> Message | None:
        """Locked until the commit."""
        held = self._others.messages
        return next((held[key] for key in self.keys if key in held), None)

    def exists(self) -> bool:
        """Whether they can still be told: a user may have been deleted meanwhile."""
        return self.recipient.is_visitor or self.recipient.key in self._others.present

    def is_marked(self, what: str) -> bool:
        return any(note.get(what) for note in self.notes)

    def mark(self, what: str) -> None:
        for note in self.notes:
            note[what] = True


class _RecipientCache:
    """What is asked for all readers at once, by the first of them who needs it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.readers: dict[str, JobRecipient] = {}

    @cached_property
    def messages(self) -> dict[str, Message]:
        return {message.recipient_key: message for message in messages_of(self.job, lock=True)}

    @cached_property
    def present(self) -> set[str]:
        """The keys of those users who are still there."""
        users = (reader.recipient for reader in self.readers.values())
        pks = [user.user_id for user in users if not user.is_visitor]
        found = accounts().filter(pk__in=pks).values_list("pk", flat=True)
        return {Recipient.for_user(pk).key for pk in found}


def job_recipients(job: Job) -> list[JobRecipient]:
    """Whom the job tells today. Their messages are read when they are asked for."""
    others = _RecipientCache(job)
    for entry, stored in _stored_recipients(job):
        recipient = visitors.current_recipient(stored)
        reader = others.readers.setdefault(recipient.key, JobRecipient(recipient, others))
        reader.notes.append(entry)
        reader.keys.append(stored.key)
    return list(others.readers.values())


def recipients_of(job: Job) -> list[Recipient]:
    """Whom the job was to tell when it began."""
    return [recipient for _entry, recipient in _stored_recipients(job)]


def _stored_recipients(job: Job) -> Iterator[tuple[dict[str, Any], Recipient]]:
    for entry in job.recipients:
        try:
            recipient = Recipient.from_dict({**entry, "scope": job.scope})
            recipient.user_id  # noqa: B018 - raises when no user can have this key
        except UnknownRecipient as error:
            logger.warning("Job %s names a recipient nobody can be: %s", job.task_id, error)
        else:
            yield entry, recipient


def messages_of(job: Job, *, lock: bool = False) -> list[Message]:
    """What the recipients hold of this job, whoever they are today."""
    rows = Message.objects.filter(job=job, hidden=False).order_by("pk")
    messages = list(rows.select_for_update() if lock else rows)
    for message in messages:
        message.job = job
    return messages


def rewrite_unseen(
    job: Job, reader: JobRecipient, notice: MessageContent, ended: bool
) -> Message | None:
    """Rewrite the reader's message without reading it first.

    None when there is none under their present name, or the database cannot tell what it wrote.
    """
    changes = {
        **_changes(notice, ended),
        "safe": isinstance(notice.message, SafeString),
        "version": _NEXT,
        "modified": timezone.now(),
    }
    key = reader.recipient.key
    rows = _REWRITE.run(dispatch.database(), changes, job_of=job.pk, key=key)
    if not rows:
        return None
    message = reader.message = rows[0]
    message.job = job
    return message


_NEXT = F("version") + 1
_REWRITE = CompiledUpdate(
    lambda: Message.objects.filter(
        job_id=Placeholder("job_of", Job._meta.pk),
        recipient_key=Placeholder("key", Message._meta.get_field("recipient_key")),
        hidden=False,
    )
)


def _changes(notice: MessageContent | None, ended: bool) -> dict[str, Any]:
    # The end is news, whatever its reader did to the message on the way.
    news = {"read": False, "seen": False} if ended else {}
    return {**(_fields(notice) if notice else {}), **news}


def rewrite(job: Job, message: Message, notice: MessageContent | None, ended: bool) -> None:
    changes = _changes(notice, ended)
    Message.objects.filter(pk=message.pk).touch(**changes)
    for name, value in changes.items():
        setattr(message, name, value)
    # The row is locked, so this is what touch() has written.
    message.version += 1


def write(job: Job, reader: JobRecipient, notice: MessageContent) -> Message:
    if reader.is_marked(NOTIFIED):
        # Deleted by its reader, kept until its mail is out: it gives its place to a new one.
        hidden = Message.objects.filter(job=job, hidden=True, recipient_key=reader.recipient.key)
        hidden.update(job=None)
    message = Message(job=job, **_fields(notice))
    message.recipient = reader.recipient
    message.prepare()
    insert(message, dispatch.database())
    visitors.merge_after_commit(reader.recipient)
    return message


def _fields(notice: MessageContent) -> dict[str, Any]:
    return {
        "subject": shorten(notice.subject),
        "message": notice.message,
        # A job's message stays until it is deleted, whatever level its author thought of.
        "level": notice.level if is_persistent(notice.level) else _LEVELS[level_name(notice.level)],
        "url": notice.url or "",
        "url_label": shorten(notice.url_label),
        "extra_tags": notice.extra_tags[:255],
        "category": notice.category[:100],
    }


_LEVELS = {level_name(level): level for level in PERSISTENT_LEVELS}
