"""The recipients of a job as they are today, and the one message that each of them holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.db import router

from monitio.exceptions import UnknownRecipient
from monitio.messages import visitors
from monitio.models import Job, Message
from monitio.models.reading import COLUMNS
from monitio.recipients import Recipient, accounts
from monitio.utils.compiled_select import CompiledSelect

logger = logging.getLogger("monitio")

# Marks of a recipient in Job.recipients, beside their identity: keys of stored JSON.
NOTIFIED, EMAILED, START_SENT = "told", "mailed", "start"


def has_unnotified(job: Job) -> bool:
    return not all(entry.get(NOTIFIED) for entry in job.recipients)


class JobRecipient:
    """One recipient of a job, their marks, and the message they hold."""

    def __init__(self, recipient: Recipient, cache: _RecipientCache) -> None:
        self.recipient, self.key = recipient, recipient.key
        self.marks: list[dict[str, Any]] = []
        # A visitor's message may still be on its way to the user they logged in as.
        self.keys = [self.key]
        self._cache = cache

    @cached_property
    def message(self) -> Message | None:
        """Locked until the commit."""
        held = self._cache.messages
        return next((held[key] for key in self.keys if key in held), None)

    def exists(self) -> bool:
        """Whether the user, who may have been deleted meanwhile, still exists."""
        return self.recipient.is_visitor or self.key in self._cache.present

    def is_marked(self, what: str) -> bool:
        return any(mark.get(what) for mark in self.marks)

    def mark(self, what: str) -> None:
        for mark in self.marks:
            mark[what] = True


class _RecipientCache:
    """Queries for all recipients at once, made when the first of them needs the answer."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.recipients: dict[str, JobRecipient] = {}

    @cached_property
    def messages(self) -> dict[str, Message]:
        return {message.recipient_key: message for message in messages_of(self.job, lock=True)}

    @cached_property
    def present(self) -> set[str]:
        """The keys of those users who still exist."""
        users = (job_recipient.recipient for job_recipient in self.recipients.values())
        pks = [user.user_id for user in users if not user.is_visitor]
        found = accounts().filter(pk__in=pks).values_list("pk", flat=True)
        return {Recipient.for_user(pk).key for pk in found}


def job_recipients(job: Job) -> list[JobRecipient]:
    """The recipients as they are today: visitors may have logged in. Messages are read lazily."""
    cache = _RecipientCache(job)
    for entry, stored in _stored_recipients(job):
        recipient = visitors.current_recipient(stored) if stored.is_visitor else stored
        found = JobRecipient(recipient, cache)
        job_recipient = cache.recipients.setdefault(found.key, found)
        job_recipient.marks.append(entry)
        if recipient is not stored:
            job_recipient.keys.append(stored.key)
    return list(cache.recipients.values())


def recipients_of(job: Job) -> list[Recipient]:
    """The recipients that the job began with."""
    return [recipient for _entry, recipient in _stored_recipients(job)]


def _stored_recipients(job: Job) -> Iterator[tuple[dict[str, Any], Recipient]]:
    for entry in job.recipients:
        try:
            recipient = Recipient.from_dict({**entry, "scope": job.scope})
            recipient.user_id  # noqa: B018 - raises when no user can have this key
        except UnknownRecipient as error:
            logger.warning("Job %s names a recipient that cannot exist: %s", job.task_id, error)
        else:
            yield entry, recipient


def messages_of(job: Job, *, lock: bool = False) -> list[Message]:
    """The messages of this job that its recipients have not deleted."""
    if lock:
        rows = Message.objects.filter(job=job, hidden=False).order_by("pk")
        messages = list(rows.select_for_update())
    else:
        alias = router.db_for_write(Message)
        found = _SHOWN.run(alias, job_of=job.pk)
        messages = [Message.from_db(alias, COLUMNS, row) for row in found]
    for message in messages:
        message.job = job
    return messages


# Read each time that a bar is written.
_SHOWN = CompiledSelect(
    lambda job_of: (
        Message.objects.filter(job_id=job_of, hidden=False).order_by("pk").values_list(*COLUMNS)
    ),
    job_of=Job._meta.pk,
)
