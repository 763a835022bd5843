"""Equal failures collapse: a loop that fails 500 times is one message that counts them.

The first message of a fingerprint is the leader, by a unique row: of two jobs that fail at the
same moment one finds the other. Once it is read, deleted or too old, the next message leads.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import blake2b

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import ngettext

from monitio import dispatch
from monitio.conf import settings
from monitio.constants import State
from monitio.jobs.outcome import MessageContent
from monitio.jobs.recipients import JobRecipient
from monitio.models import Message, Repeat
from monitio.utils.shorten import LONGEST_LINE, shorten


def collapse(
    name: str,
    job_recipient: JobRecipient,
    content: MessageContent,
    save: Callable[[], Message | None],
) -> tuple[Message | None, bool]:
    """The message of this failure, by ``save()`` if there is none, and whether it is a repetition.

    The leader replaces the message that the recipient held of this job. Call it in the transaction
    that updated the job's row.
    """
    if not settings.COLLAPSE_WITHIN:
        return save(), False
    recipient = job_recipient.recipient
    fields = (content.subject, content.message, content.url, content.level, content.category)
    equal = repr((recipient.key, name, fields)).encode()
    fingerprint = blake2b(equal, digest_size=16).hexdigest()
    leader = _count(fingerprint, job_recipient, content)
    if leader is None:
        job_recipient.message = message = save()
        if message is None:
            return None, False
        try:
            with transaction.atomic(using=dispatch.database()):
                Repeat.objects.create(fingerprint=fingerprint, message=message)
            return message, False
        except IntegrityError:
            # Another job failed at the same moment, and leads.
            leader = _count(fingerprint, job_recipient, content)
        if leader is None:
            return message, False
    if job_recipient.message is not None:
        pk = job_recipient.message.pk
        Message.objects.filter(pk=pk).delete()
        dispatch.announce_gone(recipient, [pk])
    return leader, True


def _count(
    fingerprint: str, job_recipient: JobRecipient, content: MessageContent
) -> Message | None:
    """The unread leader of this fingerprint, its count raised by one; None when there is none."""
    repeat = Repeat.objects.filter(fingerprint=fingerprint).first()
    own = job_recipient.message if repeat is not None else None
    if repeat is None or (own is not None and own.pk == repeat.message_id):
        # The job leads itself: it has failed before.
        return None
    # By primary keys from here on: on MySQL a lock by fingerprint, beside a transaction that has
    # just failed to create one, is a deadlock.
    pk = repeat.message_id
    begun = timezone.now() - timedelta(seconds=settings.COLLAPSE_WITHIN)
    unread = Message.objects.filter(pk=pk, read=False, hidden=False, modified__gte=begun)
    # The job of the leader may have been retried since.
    has_failed = Message.objects.filter(pk=pk, job__state=State.FAILED).exists()
    # A pop-up of the job's own message ends in the leader, which then pops up again.
    if not (has_failed and unread.touch(**({} if own is None else {"seen": False}))):
        Repeat.objects.filter(pk=repeat.pk, message=pk).delete()
        return None
    # The message is locked until the commit, and so is its count.
    Repeat.objects.filter(pk=repeat.pk).update(times=F("times") + 1)
    repeat.refresh_from_db(fields=["times"])
    leader = Message.objects.select_related("job").get(pk=repeat.message_id)
    with translation.override(job_recipient.recipient.language or translation.get_language()):
        suffix = ngettext("(%(count)d time)", "(%(count)d times)", repeat.times)
    suffix %= {"count": repeat.times}
    leader.subject = f"{shorten(content.subject, LONGEST_LINE - 1 - len(suffix))} {suffix}"
    Message.objects.filter(pk=leader.pk).update(subject=leader.subject)
    return leader
